"""The package of this name that a real installation has: callables and services of users import it."""

from zato.common.bunch import Bunch, bunchify

__all__ = ['Bunch', 'bunchify']

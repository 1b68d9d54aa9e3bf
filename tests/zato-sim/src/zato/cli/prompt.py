"""Passwords that were left out of a command's arguments."""

import getpass
import sys


def password_of(arguments, name):
    """The argument, or what the user types. Without a terminal that is an EOFError, as in the real commands."""
    value = getattr(arguments, name, None)
    if value is not None:
        return value
    if not sys.stdin.isatty():
        raise EOFError('no terminal to ask for %s' % name)
    return getpass.getpass('%s: ' % name)

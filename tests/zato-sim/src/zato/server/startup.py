"""Startup callables: functions of users, `[misc] startup_callable` of server.conf, that are called in each phase of a start.

One that fails or cannot be found is a warning in the log, and the server goes on. One that ends its process with exit code 3
ends the server, whatever the phase; with another code in a worker the master starts a new worker, for ever. The new one has
the phase in-process-other in any case: a callable that ends the process in in-process-first does so once."""

import importlib
import logging
import traceback

from zato.common import config

logger = logging.getLogger('zato')


class Context:
    """What a callable gets."""

    def __init__(self, phase, kwargs):
        self.phase = phase
        self.args = []
        self.kwargs = kwargs


class Callables:

    def __init__(self, names):
        self.found = [item for item in map(find, config.split_list(names)) if item]

    def invoke(self, phase, **kwargs):
        context = Context(phase, kwargs)
        for item in self.found:
            try:
                item(context)
            except Exception:
                logger.warning('Could not invoke `%s`, e:`%s`', item, traceback.format_exc())


def find(name):
    """The callable of a dotted name; None if there is none."""
    module, _, attribute = name.rpartition('.')
    if not module:
        logger.warning('Invalid startup callable name `%s`, must be a dotted Python name', name)
        return None
    try:
        return getattr(importlib.import_module(module), attribute)
    except Exception as error:
        logger.warning('Could not import startup callable `%s`, e:`%s`', name, error)
        return None

"""Calls the startup callables of a cluster in Zato's phases, notes each outcome for the agent, and ends the server when one
fails that must not. It runs inside Zato's server, and never changes what a callable gets."""

import importlib
import importlib.util
import json
import os
import sys
import time
import traceback

FOLDER = os.path.dirname(os.path.abspath(__file__))
MODULES = os.path.join(os.path.dirname(FOLDER), 'modules')

# What the agent reads: one line for each beginning and each end, of this start and of the one before.
STATE = os.environ.get('ZATO_OPERATOR_STARTUP', '/startup-state/outcomes')

FIRST_PHASE = 'fs-config-only'

# The only exit code, in all phases, after which Zato's master process does not start another worker for ever.
EXIT_CODE = 3

# More than a person reads.
MOST_CHARACTERS = 1000

with open(os.path.join(FOLDER, 'callables.json')) as file:
    CALLABLES = json.load(file)


def call(ctx):
    """What Zato calls, once in each phase."""
    if ctx.phase == FIRST_PHASE:
        begin()
    for item in CALLABLES:
        if ctx.phase in item['phases']:
            run(item, ctx)


def begin():
    """A new start of the server: what the one before it noted stays beside."""
    if os.path.exists(STATE):
        os.replace(STATE, STATE + '.before')
    # After everything else, so that no module of Python or of Zato is hidden by one of theirs.
    sys.path.append(MODULES)


def run(item, ctx):
    note(item, ctx.phase, 'Running')
    started = time.monotonic()
    watch = Watch(item, ctx.phase)
    try:
        find(item)(ctx)
    except BaseException as error:
        watch.end()
        sys.stderr.write(traceback.format_exc())
        fail(item, ctx.phase, explain(error), started)
    else:
        watch.end()
        note(item, ctx.phase, 'Passed', started)


def find(item):
    module, _, name = item['name'].rpartition('.')
    if item['has_file']:
        check(module)
    return getattr(importlib.import_module(module), name)


def check(module):
    """A module of Python's or of Zato's that has the name of theirs comes first."""
    found = sys.modules.get(module) or importlib.util.find_spec(module)
    if (getattr(found, '__file__', None) or getattr(found, 'origin', None)) != path_of(module):
        raise ImportError('the image has a module %s of its own: rename yours' % module)


def path_of(module):
    return os.path.join(MODULES, module + '.py')


def fail(item, phase, error, started=None):
    note(item, phase, 'Failed', started, error)
    sys.stderr.write('startup callable %s failed in %s: %s\n' % (item['name'], phase, error))
    sys.stderr.flush()
    if item['must_pass']:
        os._exit(EXIT_CODE)


def explain(error):
    """Exception, file and line: the last line of the user's own code, if any of it ran."""
    where = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError):
        where.append((error.filename, error.lineno))
    return described('%s: %s' % (type(error).__name__, error), where)


def described(text, where):
    own = [item for item in where if str(item[0]).startswith(MODULES)]
    others = [item for item in where if item[0] != __file__ and 'importlib' not in str(item[0])]
    place = (own or others or [None])[-1]
    text = text[:MOST_CHARACTERS]
    return '%s (%s:%s)' % (text, os.path.basename(str(place[0])), place[1]) if place else text


def note(item, phase, outcome, started=None, error=None):
    line = {'name': item['name'], 'phase': phase, 'outcome': outcome}
    if started is not None:
        line['milliseconds'] = int((time.monotonic() - started) * 1000)
    if error is not None:
        line['error'] = error
    descriptor = os.open(STATE, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(descriptor, (json.dumps(line) + '\n').encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def original(module, name):
    """What gevent has put something else in the place of: only a thread of the operating system can look at a callable that
    spins."""
    try:
        from gevent.monkey import get_original
    except ImportError:
        return getattr(importlib.import_module(module), name)
    return get_original(module, name)


class Watch:
    """Ends the server when a callable takes too long: it cannot be abandoned, so it counts as failed whatever the policy."""

    def __init__(self, item, phase):
        self.item = item
        self.phase = phase
        self.is_over = False
        self.thread = original('_thread', 'get_ident')()
        self.sleep = original('time', 'sleep')
        original('_thread', 'start_new_thread')(self.look, ())

    def end(self):
        self.is_over = True

    def look(self):
        end = time.monotonic() + self.item['timeout']
        while not self.is_over:
            if time.monotonic() >= end:
                self.hung()
            self.sleep(0.05)

    def hung(self):
        try:
            frame = sys._current_frames().get(self.thread)
            where = [(item.filename, item.lineno) for item in traceback.extract_stack(frame)] if frame else []
            own = [item for item in where if item[0].startswith(MODULES)]
            text = 'it did not end within %s s' % self.item['timeout']
            fail(dict(self.item, must_pass=True), self.phase, described(text, own))
        finally:
            os._exit(EXIT_CODE)

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

# Modules that have a file of their own, by name.
LOADED = {}


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
    started, watch = time.monotonic(), None
    try:
        note(item, ctx.phase, 'Running')
        watch = Watch(item, ctx.phase)
        function_of(item)(ctx)
        watch.end()
        note(item, ctx.phase, 'Passed', started)
    except BaseException as error:
        if watch:
            watch.end()
        fail(item, ctx.phase, lambda: explain(error), started)


def function_of(item):
    name, _, function = item['name'].rpartition('.')
    return getattr(own_module(name) if item['has_file'] else importlib.import_module(name), function)


def own_module(name):
    """From its own file, whatever else has that name: a module of Python's, or a file that services come from. What is
    imported under that name elsewhere stays as it is."""
    if name not in LOADED:
        spec = importlib.util.spec_from_file_location(name, os.path.join(MODULES, name + '.py'))
        module = importlib.util.module_from_spec(spec)
        other = sys.modules.get(name)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
        finally:
            if other:
                sys.modules[name] = other
        LOADED[name] = module
    return LOADED[name]


def fail(item, phase, explanation, started):
    """Whatever goes wrong here, too, the server does not go on without one that must pass."""
    try:
        error = explanation()
        note(item, phase, 'Failed', started, error)
        sys.stderr.write('startup callable %s failed in %s: %s\n' % (item['name'], phase, error))
        traceback.print_exc()
        sys.stderr.flush()
    except BaseException:
        # There is no other place to tell it: the agent says that the callable never came back.
        pass
    finally:
        if item['must_pass']:
            os._exit(EXIT_CODE)


def explain(error):
    """Exception, file and line: the last line of the user's own code, if any of it ran."""
    where = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError):
        where.append((error.filename, error.lineno))
    try:
        text = '%s: %s' % (type(error).__name__, error)
    except BaseException:
        text = '%s, whose message cannot be read' % type(error).__name__
    return described(text, where)


def described(text, where):
    own = [item for item in where if str(item[0]).startswith(MODULES)]
    others = [item for item in where if item[0] != __file__ and 'importlib' not in str(item[0])]
    place = (own or others or [None])[-1]
    # Half a character, as names of files may have one, is no JSON.
    text = text[:MOST_CHARACTERS].encode('utf-8', 'backslashreplace').decode()
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


def current_greenlet():
    """Where a callable waits, its greenlet is parked, and the thread is elsewhere."""
    try:
        from gevent import getcurrent
    except ImportError:
        return None
    return getcurrent()


class Watch:
    """Ends the server when a callable takes too long: it cannot be abandoned, so it counts as failed whatever the policy."""

    def __init__(self, item, phase):
        self.item = dict(item, must_pass=True)
        self.phase = phase
        self.is_over = False
        self.started = time.monotonic()
        self.greenlet = current_greenlet()
        self.thread = original('_thread', 'get_ident')()
        self.sleep = original('time', 'sleep')
        original('_thread', 'start_new_thread')(self.look, ())

    def end(self):
        self.is_over = True

    def look(self):
        while not self.is_over:
            if time.monotonic() >= self.started + self.item['timeout']:
                fail(self.item, self.phase, self.hung, self.started)
            self.sleep(0.05)

    def hung(self):
        frame = getattr(self.greenlet, 'gr_frame', None) or sys._current_frames().get(self.thread)
        where = [(item.filename, item.lineno) for item in traceback.extract_stack(frame)] if frame else []
        own = [item for item in where if item[0].startswith(MODULES)]
        return described('it did not end within %s s' % self.item['timeout'], own)

"""The directory of a component: its kind, its pidfile, the arguments that its process gets."""

import json
import os
import signal

# Pairs, joined by a separator: what `zato start` gives to the process that it executes.
SEPARATOR = 'Zato_Zato_Zato'

INFO_FILE = '.zato-info'


def write_info(path, component):
    with open(os.path.join(path, INFO_FILE), 'w') as file:
        json.dump({'component': component, 'version': '3.2'}, file)


def read_info(path):
    """The component's kind, or None if `path` is no component."""
    try:
        with open(os.path.join(path, INFO_FILE)) as file:
            return json.load(file)['component']
    except (OSError, ValueError, KeyError):
        return None


def executed_options():
    return SEPARATOR.join(('fg=True', 'sync_internal=False', 'secret_key=None', 'stderr_path=None', 'env_file=None',
                           'stop_after=None'))


def parse_options(text):
    return dict(pair.split('=', 1) for pair in text.split(SEPARATOR) if '=' in pair)


def pidfile(path):
    return os.path.join(path, 'pidfile')


def write_pidfile(path):
    with open(pidfile(path), 'w') as file:
        file.write(str(os.getpid()))


def read_pidfile(path):
    try:
        with open(pidfile(path)) as file:
            return int(file.read())
    except (OSError, ValueError):
        return None


def terminate(path):
    """SIGTERM to the process of the pidfile, which is removed. False if there is no pidfile."""
    pid = read_pidfile(path)
    if pid is None:
        return False
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        pass
    os.remove(pidfile(path))
    return True

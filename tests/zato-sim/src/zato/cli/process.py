"""`zato start` and `zato stop`."""

import os
import shlex
import subprocess
import sys
import time

from zato.common import component, config, odb

NOT_A_COMPONENT = 3
RUNNING_ALREADY = 9
NO_PID = 10

MODULES = {'SERVER': 'zato.server.main', 'SCHEDULER': 'zato.scheduler.main', 'WEB_ADMIN': 'zato.admin.main',
           'LOAD_BALANCER': 'zato.agent.load_balancer'}

# Seconds that `zato start` without --fg waits for the component's pidfile.
PIDFILE_TIMEOUT = 30


def start(arguments):
    path = os.path.abspath(arguments.path)
    kind = component.read_info(path)
    if kind not in MODULES:
        print('Not a Zato component: %s' % path)
        return NOT_A_COMPONENT
    if kind == 'SERVER':
        odb.from_config(config.load_server(path)[0]).rows('select 1 from server')
    if is_running(path):
        print('Running already: %s' % path)
        return RUNNING_ALREADY
    command = [sys.executable, '-m', MODULES[kind]] + ([path] if kind == 'SERVER' else []) + [component.executed_options()]
    if not getattr(arguments, 'fg', False):      # from-config may leave it out
        return start_in_background(path, command)
    # A shell stands between this process and the component, and no signal is passed on.
    code = subprocess.call(['/bin/sh', '-c', shlex.join(command) + '; exit $?'], cwd=path)
    return code if kind == 'SERVER' else 0


def start_in_background(path, command):
    process = subprocess.Popen(command, cwd=path, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, start_new_session=True)
    end = time.monotonic() + PIDFILE_TIMEOUT
    while component.read_pidfile(path) is None:
        if process.poll() is not None:
            return process.returncode
        if time.monotonic() > end:
            raise TimeoutError('no pidfile in %s' % path)
        time.sleep(0.05)
    return 0


def is_running(path):
    """A pidfile of a process that has ended does no harm. One that names a process which is not the component, such as
    the 1 that a container leaves, is an error."""
    pid = component.read_pidfile(path)
    if pid is None or not os.path.exists('/proc/%d' % pid):
        return False
    with open('/proc/%d/cmdline' % pid) as file:
        if 'zato' not in file.read():
            raise RuntimeError('the pidfile names process %d, which is not a Zato component' % pid)
    return True


def stop(arguments):
    path = os.path.abspath(arguments.path)
    if component.read_info(path) not in MODULES:
        print('Not a Zato component: %s' % path)
        return NOT_A_COMPONENT
    if not component.terminate(path):
        print('No pidfile in %s' % path)
        return NO_PID
    return 0

"""The master process: `python -m zato.server.main DIRECTORY OPTIONS`. It opens the port and looks after the workers."""

import logging
import os
import signal
import socket
import sys
import time

from zato.common import component, config, logs
from zato.server.configuration import Configuration
from zato.server.startup import Callables
from zato.server.worker import BOOT_ERROR, Worker

# The settings that the HTTP server knows.
GUNICORN_KEYS = ('bind', 'graceful_timeout', 'workers')

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)

# Seconds beyond the graceful timeout before workers are killed.
KILL_MARGIN = 2

# Seconds before a worker that has ended is replaced.
RESPAWN_PAUSE = 0.1

logger = logging.getLogger('zato')


class Master:

    def __init__(self, configuration, callables):
        self.configuration = configuration
        self.settings = configuration.server
        self.callables = callables
        self.workers = {}
        self.socket = None

    def run(self):
        """Looks after the workers until a signal or a failed boot ends it; returns the exit code."""
        self.socket = open_port(*config.bind_address(self.settings))
        for index in range(int(self.settings.main.gunicorn_workers)):
            self.start_worker(index, is_first=index == 0)
        while True:
            number = signal.sigwait(SIGNALS)
            if number != signal.SIGCHLD:
                return self.stop()
            for index, code in self.reap():
                if code == BOOT_ERROR:
                    self.stop()
                    return BOOT_ERROR
                logger.warning('Worker %d exited with %d, starting another one', index, code)
                time.sleep(RESPAWN_PAUSE)
                self.start_worker(index)

    def start_worker(self, index, is_first=False):
        """The one that replaces the first worker is not the first one."""
        pid = os.fork()
        if not pid:
            code = 1
            try:
                code = Worker(self, index, is_first).run()
            finally:
                # No cleanup of what the master owns, and no wait for the threads of requests that were cut off.
                logging.shutdown()
                os._exit(code)
        self.workers[pid] = index

    def reap(self):
        """Index and exit code of each worker that has ended. As PID 1 the master inherits other processes as well."""
        ended = []
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return ended
            if not pid:
                return ended
            if pid in self.workers:
                ended.append((self.workers.pop(pid), os.waitstatus_to_exitcode(status)))

    def stop(self):
        """Nothing is accepted any longer, the workers get their time. The code is that of the first one to end."""
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            # It was never connected to anything: some systems say so.
            pass
        self.socket.close()
        self.signal_workers(signal.SIGTERM)
        codes = []
        end = time.monotonic() + float(self.settings.main.gunicorn_graceful_timeout) + KILL_MARGIN
        while self.workers and time.monotonic() < end:
            signal.sigtimedwait(SIGNALS, max(0, end - time.monotonic()))
            codes += [code for _index, code in self.reap()]
        self.signal_workers(signal.SIGKILL)
        return codes[0] if codes and codes[0] > 0 else 0

    def signal_workers(self, number):
        for pid in self.workers:
            os.kill(pid, number)


def open_port(host, port):
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((host, port))
    sock.listen(2048)
    return sock


def check_keys(settings):
    """An unknown setting of the HTTP server keeps the server from starting."""
    for key in settings.main:
        name = key[len('gunicorn_'):]
        if key.startswith('gunicorn_') and name not in GUNICORN_KEYS:
            raise AttributeError('No configuration setting for: %s' % name)


def main():
    # Blocked from the first moment on, also as PID 1: what comes before the workers are there waits for sigwait.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    directory = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.environ['ZATO_SERVER_BASE_DIR'])
    logs.set_up(directory, 'server.log')
    component.write_pidfile(directory)
    try:
        configuration = Configuration(directory)
    except Exception:
        logger.exception('Could not read the configuration')
        return BOOT_ERROR
    settings = configuration.server
    callables = Callables(settings.misc.startup_callable)
    callables.invoke('fs-config-only', server_config=settings, pickup_config=configuration.pickup,
                     sio_config=configuration.sio, sso_config=configuration.sso, base_dir=directory)
    check_keys(settings)
    os.environ.update(settings.get('os_environ', {}))
    master = Master(configuration, callables)
    callables.invoke('impl-before-run', zato_gunicorn_app=master)
    return master.run()


if __name__ == '__main__':
    sys.exit(main())

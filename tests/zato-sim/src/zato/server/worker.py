"""A worker process: boots the server, serves until it is told to stop."""

import logging
import os
import signal
import socket
import threading
import time
import uuid

from zato.common import config, odb
from zato.common.bunch import Bunch
from zato.server.broadcast import Broadcast
from zato.server.cache import Caches
from zato.server.channels import Channels
from zato.server.dispatch import Dispatcher
from zato.server.hot_deploy import HotDeploy
from zato.server.listener import Listener
from zato.server.responses import RequestHandler
from zato.server.security import Security
from zato.server.service import Request
from zato.server.service.model import to_plain
from zato.server.sso import SSO
from zato.server.store import Store
from zato.server.web_sockets import WebSockets

# The code of a worker that could not boot. The master passes it on.
BOOT_ERROR = 3

# A real server needs 10 to 24 seconds from the open port to the first answer. The gap is kept, but shorter.
BOOT_SECONDS = 1.0

logger = logging.getLogger('zato')


class Server:
    """What services see as `self.server`, and startup callables as `server`."""

    def __init__(self, configuration, worker_index):
        self.directory = configuration.directory
        self.config = configuration.server
        self.pickup_config = configuration.pickup
        self.key = configuration.key
        self.worker_index = worker_index
        self.odb = odb.from_config(self.config)
        token = self.config.main.token
        row = self.odb.row('select * from server where token=?', token)
        if row is None:
            raise ValueError('Could not find server in ODB, token:`%s`' % token)
        self.id, self.name, self.cluster_id = row.id, row.name, row.cluster_id
        self.is_first_start = row.up_status is None
        self.security = Security(self.odb, self.key)
        self.channels = Channels(self.odb, self.security)
        self.sso = SSO(self.odb, self.key, configuration.sso)
        self.web_sockets = WebSockets(self)
        self.cache = Caches(self.odb)
        self.store = self.service_store = Store(self)
        self.worker_store = Bunch(request_dispatcher=Bunch(request_handler=RequestHandler()))
        self.broadcast = Broadcast(self)
        self.hot_deploy = HotDeploy(self)

    def boot(self):
        self.security.load()
        self.cache.load()
        services = self.store.load_internal() + self.hot_deploy.boot(self.is_first_start)
        self.store.record_boot(services)
        self.hot_deploy.fetch_missing()
        self.channels.load()
        self.sso.load()
        self.web_sockets.load()
        self.broadcast.start()
        if self.worker_index == 0:
            self.hot_deploy.observe()
        self.join()

    def join(self):
        """The row says where other servers reach this one. It says `running` from now on, also after a stop."""
        host, port = config.bind_address(self.config)
        preferred = self.config.preferred_address.get('address') or (host if host != '0.0.0.0' else own_address())
        self.odb.execute(
            "update server set up_status='running', up_mod_date=?, bind_host=?, bind_port=?, preferred_address=?, "
            "crypto_use_tls=false, host=? where id=?", odb.now(), host, port, preferred, socket.gethostname(), self.id)

    def invoke(self, name, payload=None):
        """For startup callables: the answer of a service, the element around it included."""
        if name not in self.store:
            raise KeyError(name)
        return to_plain(self.store.invoke(name, Request(payload), uuid.uuid4().hex[:24]).response.payload)


def own_address():
    try:
        return socket.gethostbyname(socket.gethostname())
    except OSError:
        return '127.0.0.1'


class Worker:

    def __init__(self, arbiter, index, is_first):
        self.arbiter = arbiter
        self.settings = arbiter.settings
        self.socket = arbiter.socket
        self.index = index
        self.is_first = is_first
        self.master = os.getppid()
        self.stopped = threading.Event()

    def run(self):
        """The whole life of the process; returns its exit code."""
        signal.signal(signal.SIGTERM, lambda *_: self.stopped.set())
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        callables = self.arbiter.callables
        callables.invoke('before-post-fork', arbiter=self.arbiter, worker=self)
        began = time.monotonic()
        try:
            server = Server(self.arbiter.configuration, self.index)
            server.boot()
            callables.invoke('in-process-first' if self.is_first else 'in-process-other', server=server)
            callables.invoke('after-started', server=server)
        except (Exception, SystemExit):
            logger.exception('Worker failed to boot')
            return BOOT_ERROR
        self.stopped.wait(BOOT_SECONDS - (time.monotonic() - began))
        dispatcher = Dispatcher(server)
        header = self.settings.misc.http_server_header
        self.listen_for_messages(dispatcher, header)
        listener = Listener(self.socket, dispatcher, header)
        listener.start()
        logger.info('Started server %s', server.name)
        self.wait()
        return self.drain(listener)

    def listen_for_messages(self, dispatcher, header):
        """The IPC port. Where it cannot be bound the server serves all the same, but hears of no changes."""
        main = self.settings.main
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((main.ipc_host, int(main.ipc_port_start) + self.index))
        except OSError as error:
            logger.error('IPC port: %s', error)
            return
        sock.listen()
        Listener(sock, dispatcher, header).start()

    def wait(self):
        """Until SIGTERM, or until the master is gone."""
        while not self.stopped.wait(1):
            if os.getppid() != self.master:
                return

    def drain(self, listener):
        """Requests in flight have some time to end. So have idle connections that clients keep open, all of it. With
        none open the process ends so early that the master takes it for a worker that failed to boot: the exit code of
        a clean stop is 0 or 3, as with the real server, where it is a race."""
        if not listener.open_connections:
            return BOOT_ERROR
        listener.wait_until_idle(float(self.settings.main.gunicorn_graceful_timeout))
        return 0

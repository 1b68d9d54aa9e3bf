"""Messages about changes: to the other workers of this server, and to the other servers of the cluster.

A message goes over HTTP to the channel /zato/internal/invoke: to the IPC port of a worker, or to the address in the row
of a server, which passes it on to its own workers. A change of channels and security definitions acts a little after
the answer to whoever made it, here and elsewhere, in the order of the changes.
"""

import http.client
import json
import logging
import queue
import threading
import time

from zato.common import invoke

# Seconds that a server which does not answer may take.
TIMEOUT = 10

# Seconds until a change acts that was answered already.
DELAY = 0.2

logger = logging.getLogger('zato.broadcast')
error_logger = logging.getLogger('zato')


class Broadcast:

    def __init__(self, server):
        self.server = server
        self.changes = queue.Queue()
        self.sent = queue.Queue()

    def start(self):
        for target in (self.act_on_changes, self.send_changes):
            threading.Thread(target=target, daemon=True, name='changes').start()

    def publish(self, message):
        """For a change that acts later; returns an event that is set then."""
        done = threading.Event()
        self.changes.put((time.monotonic() + DELAY, message, done))
        return done

    def act_on_changes(self):
        while True:
            due, message, done = self.changes.get()
            time.sleep(max(0, due - time.monotonic()))
            handle(self.server, message)
            done.set()
            self.sent.put(message)

    def send_changes(self):
        """Apart from the changes here: a server that is gone may take its time."""
        while True:
            message = self.sent.get()
            try:
                self.send(message)
            except Exception:
                # Where the others are the database knows, which may be gone.
                error_logger.exception('Could not send broker message: `%s`', message['action'])

    def send(self, message):
        self.send_to_workers(message)
        sql = 'select * from server where id != ? and bind_port is not null'
        for row in self.server.odb.rows(sql, self.server.id):
            self.post(row.preferred_address, row.bind_port, message, is_from_server=True)

    def send_to_workers(self, message):
        main = self.server.config.main
        for index in range(int(main.gunicorn_workers)):
            if index != self.server.worker_index:
                self.post(main.ipc_host, int(main.ipc_port_start) + index, message, is_from_server=False)

    def post(self, host, port, message, is_from_server):
        """What cannot be reached is only logged: a row in table server may be that of a server long gone."""
        payload = json.dumps({'message': message, 'is_from_server': is_from_server})
        body = invoke.call('zato.service.rpc-service-invoker', payload)
        definition = self.server.security.by_name('zato.internal.invoke')
        credentials = definition.username, definition.password
        try:
            invoke.post(host, port, '/zato/internal/invoke', credentials, body, TIMEOUT)
        except (OSError, http.client.HTTPException) as error:
            logger.warning('Could not send `%s` to %s:%s, e:`%s`', message['action'], host, port, error)


def handle(server, message):
    """Does what a message says, of this worker or another one. What fails is only logged: it was answered."""
    action = message['action']
    try:
        if action.startswith('channel-'):
            server.channels.apply(message)
        elif action.startswith('web-socket-'):
            server.web_sockets.apply(message)
        elif action.startswith('security-'):
            server.security.apply(message, server.channels)
        elif action == 'service-delete':
            server.store.deleted.add(message['name'])
        elif action == 'cache':
            server.cache.refresh(message['id'])
        elif action == 'hot-deploy':
            server.hot_deploy.deploy_received(message)
    except Exception:
        error_logger.exception('Could not handle broker message: (%s) `%s`', action, message.get('name'))

"""WebSocket channels: what a worker keeps in memory of table channel_web_socket, each with a port of its own.

A channel knows its definition by name, as it was when the channel was written last: one that has gone since, or has another
name, answers nobody. That is a defect of the real thing, and so is that a row whose definition is not there opens to everybody."""

import logging
import socket
import threading
from urllib.parse import urlsplit

from zato.server.security import opaque_of
from zato.server.web_socket_session import Connection

WEB_SOCKET_SQL = """select c.*, s.name as service_name, b.name as security_name, b.sec_type from channel_web_socket c
    left join service s on s.id = c.service_id left join sec_base b on b.id = c.security_id"""

# Where the row has none.
PING_INTERVAL, PINGS_MISSED = 45, 2

# Seconds between two tries to open a port that is taken.
RETRY = 2

# The close code of a server that goes away.
GOING_AWAY = 1001

logger = logging.getLogger('zato.web_socket')


def from_row(row):
    """What a message about a change has."""
    opaque = opaque_of(row)
    names = ('name', 'is_active', 'address', 'service_name', 'security_name', 'sec_type', 'new_token_wait_time', 'token_ttl')
    return dict({name: row[name] for name in names}, ping_interval=opaque.get('ping_interval') or PING_INTERVAL,
                pings_missed_threshold=opaque.get('pings_missed_threshold') or PINGS_MISSED)


class WebSockets:

    def __init__(self, server):
        self.server = server
        self.listeners = {}

    def load(self):
        for row in self.server.odb.rows(WEB_SOCKET_SQL):
            self.open(from_row(row))

    def apply(self, message):
        """An edit closes the port and opens it anew, whatever it changes: clients are cut off."""
        listener = self.listeners.pop(message['old_name'], None)
        if listener:
            listener.close()
        if message['action'] == 'web-socket-write':
            self.open(message['channel'])

    def open(self, channel):
        if channel['is_active']:
            self.listeners[channel['name']] = Listener(self.server, channel)


class Listener:

    def __init__(self, server, channel):
        self.server = server
        self.channel = channel
        self.path = urlsplit(channel['address']).path
        self.connections = set()
        self.is_closed = threading.Event()
        self.socket = None
        threading.Thread(target=self.serve, daemon=True, name='web-socket').start()

    def serve(self):
        while not self.is_closed.is_set():
            try:
                self.socket = self.bound()
                break
            except Exception as error:
                logger.error('Could not open %s: %s', self.channel['address'], error)
                self.is_closed.wait(RETRY)
        while not self.is_closed.is_set():
            try:
                sock = self.socket.accept()[0]
            except OSError:
                return
            connection = Connection(self, sock)
            self.connections.add(connection)
            threading.Thread(target=connection.run, daemon=True, name='web-socket-client').start()

    def bound(self):
        """Another channel may have the port as well: then one of the two gets a client, by chance."""
        address = urlsplit(self.channel['address'])
        sock = socket.socket()
        for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
            sock.setsockopt(socket.SOL_SOCKET, option, 1)
        sock.bind((address.hostname, address.port))
        sock.listen()
        return sock

    def close(self):
        self.is_closed.set()
        if self.socket:
            try:
                self.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                # It had no connection yet: some systems say so.
                pass
            self.socket.close()
        for connection in list(self.connections):
            connection.close(GOING_AWAY)

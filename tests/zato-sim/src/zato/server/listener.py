"""HTTP over a socket: a thread accepts, each connection has a thread of its own."""

import threading
from http.server import BaseHTTPRequestHandler

# Seconds that an idle connection is kept open.
IDLE_TIMEOUT = 60


class Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    timeout = IDLE_TIMEOUT
    wbufsize = 65536
    disable_nagle_algorithm = True

    def version_string(self):
        return self.server.server_header

    def log_message(self, *_arguments):
        """The dispatcher logs what there is to log."""

    def respond(self):
        # As it was sent: the module makes one slash of several that a path begins with.
        path = self.requestline.split()[1]
        reply = self.server.dispatcher.answer(self.command, path, self.headers, self.read_body(), self.client_address[0])
        self.send_response(reply.status)
        if reply.content_type:
            self.send_header('Content-Type', reply.content_type)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.is_cut_off:
            self.send_header('Transfer-Encoding', 'chunked')
            self.close_connection = True
            self.end_headers()
            return
        self.send_header('Content-Length', str(len(reply.body)))
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(reply.body)

    def __getattr__(self, name):
        """For every method there is; which ones are answered the dispatcher knows."""
        if name.startswith('do_'):
            return self.respond
        raise AttributeError(name)

    def read_body(self):
        if self.headers.get('Transfer-Encoding', '').lower() == 'chunked':
            return b''.join(self.read_chunks())
        return self.rfile.read(int(self.headers.get('Content-Length') or 0))

    def read_chunks(self):
        while True:
            size = int(self.rfile.readline().split(b';')[0], 16)
            if not size:
                while self.rfile.readline().strip():
                    pass
                return
            yield self.rfile.read(size)
            self.rfile.readline()


class Listener:
    """Serves a socket that somebody else opened, and perhaps shares."""

    def __init__(self, sock, dispatcher, server_header):
        self.socket = sock
        self.dispatcher = dispatcher
        self.server_header = server_header
        self.open_connections = 0
        self.changed = threading.Condition()

    def start(self):
        threading.Thread(target=self.accept, daemon=True, name='accept').start()

    def accept(self):
        """Ends when the socket is shut down."""
        while True:
            try:
                connection, address = self.socket.accept()
            except OSError:
                return
            self.count(1)
            threading.Thread(target=self.serve, args=(connection, address), daemon=True, name='request').start()

    def serve(self, connection, address):
        try:
            Handler(connection, address, self)
        except OSError:
            # The client went away.
            pass
        finally:
            connection.close()
            self.count(-1)

    def count(self, step):
        with self.changed:
            self.open_connections += step
            self.changed.notify_all()

    def wait_until_idle(self, timeout):
        with self.changed:
            self.changed.wait_for(lambda: not self.open_connections, timeout)

"""A client of Zato's WebSocket channels, of the standard library alone."""

import base64
import json
import os
import socket
import struct

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


class Closed(Exception):
    """The server closed the connection: `code`, 0 without one."""

    def __init__(self, code=0):
        super().__init__('closed with %s' % code)
        self.code = code


class Client:
    """`status` is that of the handshake; only with 101 there is more to do."""

    def __init__(self, port, path, timeout=5):
        self.socket = socket.create_connection(('127.0.0.1', port), timeout)
        self.buffer = b''
        self.token = None
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(('GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
                             'Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n\r\n' % (path, port, key)).encode())
        head = b''
        while b'\r\n\r\n' not in head:
            head += self.read(1)
        self.status = int(head.split()[1])

    def read(self, count):
        while len(self.buffer) < count:
            data = self.socket.recv(65536)
            if not data:
                raise Closed
            self.buffer += data
        out, self.buffer = self.buffer[:count], self.buffer[count:]
        return out

    def send(self, payload, kind=TEXT):
        payload = payload if isinstance(payload, bytes) else payload.encode()
        size = len(payload)
        head = bytes([0x80 | kind]) + (bytes([0x80 | size]) if size < 126 else b'\xfe' + struct.pack('>H', size))
        mask = os.urandom(4)
        self.socket.sendall(head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload)))

    def frame(self):
        first, size = self.read(2)
        if size == 126:
            size = struct.unpack('>H', self.read(2))[0]
        return first & 15, self.read(size)

    def receive(self, timeout=5):
        """The next message; None if there is none. Pings are answered."""
        self.socket.settimeout(timeout)
        while True:
            try:
                kind, payload = self.frame()
            except socket.timeout:
                return None
            if kind == PING:
                self.send(payload, PONG)
            elif kind == CLOSE:
                raise Closed(struct.unpack('>H', payload[:2])[0] if payload else 0)
            else:
                return json.loads(payload)

    def ask(self, data=None, timeout=5, **meta):
        meta = dict({'id': 'id-1', 'timestamp': 'now'}, **meta)
        message = {'meta': {name: value for name, value in meta.items() if value is not None}}
        if data is not None:
            message['data'] = data
        self.send(json.dumps(message))
        return self.receive(timeout)

    def session(self, username='nobody', secret='nothing', timeout=5):
        """The status of the answer; None without one."""
        answer = self.ask(action='create-session', client_id='c', client_name='n', username=username, secret=secret,
                          timeout=timeout)
        if answer and answer['meta']['status'] == 200:
            self.token = answer['data']['token']
        return answer and answer['meta']['status']

    def call(self, data=None, **meta):
        return self.ask(data, **dict({'action': 'invoke-service', 'token': self.token}, **meta))

    def close(self):
        self.socket.close()

"""One client of a WebSocket channel: the handshake, the session and its token, messages to the service, pings.

Much of what a client does wrong gets no answer at all: defects of the real thing."""

import json
import logging
import secrets
import select
import socket
import threading
import time
import uuid
from datetime import datetime, timezone

from wsproto import ConnectionType, WSConnection
from wsproto.events import (AcceptConnection, BytesMessage, CloseConnection, Ping, Pong, RejectConnection, RejectData, Request,
                            TextMessage)
from wsproto.utilities import RemoteProtocolError

from zato.server.responses import written
from zato.server.security import BASIC_AUTH, is_equal
from zato.server.service import Request as ServiceRequest
from zato.server.service.model import is_model

# Seconds that a client has for the answer to a ping.
PONG_TIMEOUT = 5

PINGS_MISSED = 4002
FORBIDDEN = 'You are not authorized to access this resource'

PLAIN_HTTP = b'HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: 24\r\nConnection: close\r\n\r\n' \
             b'{"error": "Bad request"}'

logger = logging.getLogger('zato.web_socket')


class Unanswered(Exception):
    """The client waits for ever, the log has the reason."""


class Forbidden(Exception):
    pass


class Connection:

    def __init__(self, listener, sock):
        self.listener = listener
        self.channel = listener.channel
        self.server = listener.server
        self.socket = sock
        self.protocol = WSConnection(ConnectionType.SERVER)
        self.lock = threading.Lock()
        self.is_open = False
        self.parts = []
        self.token = None
        self.token_ends = 0
        self.began = self.pinged = time.monotonic()
        self.missed = 0
        self.is_awaited = False
        self.is_late = False

    def run(self):
        try:
            while True:
                if select.select([self.socket], [], [], 0.25)[0]:
                    data = self.socket.recv(65536)
                    if not data or not self.receive(data):
                        return
                elif self.is_open:
                    self.look_at_the_clock()
        except OSError:
            # The client went away, or the channel did.
            pass
        except RemoteProtocolError:
            self.socket.sendall(PLAIN_HTTP)
        finally:
            self.listener.connections.discard(self)
            self.socket.close()

    def send(self, *events):
        with self.lock:
            self.socket.sendall(b''.join(self.protocol.send(event) for event in events))

    def close(self, code, reason=None):
        try:
            self.send(CloseConnection(code, reason))
            self.socket.shutdown(socket.SHUT_RDWR)
        except Exception as error:
            logger.info('Already closed: %s', error)

    def receive(self, data):
        """Whether the connection goes on."""
        self.protocol.receive_data(data)
        return all([self.handle(event) for event in self.protocol.events()])

    def handle(self, event):
        if isinstance(event, Request):
            return self.shake_hands(event)
        if isinstance(event, CloseConnection):
            self.send(event.response())
            return False
        if isinstance(event, Ping):
            self.send(event.response())
        elif isinstance(event, Pong):
            self.missed, self.is_awaited = 0, False
            self.token_ends += self.channel['ping_interval']
        elif isinstance(event, (TextMessage, BytesMessage)):
            self.parts.append(event.data)
            if event.message_finished:
                message, self.parts = type(event.data)().join(self.parts), []
                return self.answer(message)
        return True

    def shake_hands(self, request):
        self.is_open = request.target.partition('?')[0] == self.listener.path
        if self.is_open:
            self.send(AcceptConnection())
        else:
            headers = [(b'content-type', b'application/json'), (b'content-length', b'22')]
            self.send(RejectConnection(status_code=404, headers=headers, has_body=True),
                      RejectData(data=b'{"error": "Not found"}'))
        return self.is_open

    def look_at_the_clock(self):
        now = time.monotonic()
        if not (self.token or self.is_late) and now - self.began > self.channel['new_token_wait_time']:
            self.is_late = True
            self.forbid()
        if self.is_awaited and now - self.pinged > PONG_TIMEOUT:
            self.missed, self.is_awaited = self.missed + 1, False
            if self.missed >= self.channel['pings_missed_threshold']:
                self.close(PINGS_MISSED, 'Pings missed')
                return
        if now - self.pinged > self.channel['ping_interval']:
            self.pinged, self.is_awaited = now, True
            self.send(Ping(json.dumps({'id': number()}).encode()))

    def answer(self, message):
        try:
            if self.is_late:
                return False
            reply = self.reply_to(message)
        except Forbidden:
            self.forbid()
            self.close(1000)
            return False
        except Unanswered as error:
            logger.warning('No answer: %s', error)
            return True
        except Exception:
            logger.exception('No answer')
            return True
        if reply:
            self.send(TextMessage(reply))
        return True

    def forbid(self):
        self.send(TextMessage(document('zwsx.merr', 403, FORBIDDEN)))

    def reply_to(self, message):
        message = json.loads(message)
        meta = message.get('meta')
        if meta is None:
            raise Forbidden
        if not (meta.get('id') and meta.get('timestamp')):
            raise Unanswered('meta.id and meta.timestamp are needed')
        is_known = self.token and meta.get('token') == self.token and time.monotonic() < self.token_ends
        is_new = meta.get('action') == 'create-session' and not self.token
        if not (is_known or is_new):
            raise Forbidden
        if meta.get('action') == 'create-session':
            return self.create_session(meta)
        if meta.get('action', 'client-response') == 'client-response':
            return None
        return self.invoke(meta, message.get('data', ''))

    def create_session(self, meta):
        if self.token:
            self.token = 'void'
            raise Unanswered('there is a session')
        if not meta.get('client_id'):
            raise Unanswered('no client_id')
        self.check(meta)
        self.token = 'zwsxt.' + secrets.token_hex(24)
        self.token_ends = time.monotonic() + self.channel['token_ttl']
        return document('zwsx.rspa', 200, {'token': self.token}, in_reply_to=meta['id'])

    def check(self, meta):
        """By the name that the definition had; kinds other than basic auth are known to nobody."""
        if not self.channel['security_name']:
            return
        if self.channel['sec_type'] != BASIC_AUTH:
            raise Unanswered('unrecognized type %s' % self.channel['sec_type'])
        definition = self.server.security.by_name(self.channel['security_name'])
        if meta.get('secret') is None:
            raise Unanswered('no secret')
        if not (is_equal(meta.get('username', ''), definition.username) and is_equal(meta['secret'], definition.password)):
            raise Forbidden

    def invoke(self, meta, data):
        """Always the one service of the channel. Why something is wrong is not told."""
        name, cid = self.channel['service_name'], number()
        try:
            service = self.server.store.invoke(name, ServiceRequest(data), cid)
        except Exception:
            logger.exception('Service failed, cid:`%s`', cid)
            return document('zwsx.rsperr', 500, {'cid': cid}, in_reply_to=meta['id'], error_message='Internal server error')
        if is_model(getattr(type(service), 'output', None)):
            raise Unanswered('a model cannot be written')
        payload = service.response.payload
        return document('zwsx.rspok', 200, payload or None, in_reply_to=meta['id'])


def number():
    return uuid.uuid4().hex[:24]


def document(kind, status, data=None, **more):
    timestamp = datetime.now(timezone.utc).replace(tzinfo=None).isoformat()
    out = {'meta': dict({'id': number(), 'timestamp': timestamp, 'msg_type': kind, 'status': status}, **more)}
    if data is not None:
        out['data'] = data
    return json.dumps(out, default=written)

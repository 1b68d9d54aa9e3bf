"""One server on SQLite: WebSocket channels, as the operator's agent makes them through admin.invoke."""

import socket

from .cases_channels import ECHO, admin, basic, made
from .cases_cluster import FAST
from .lib import case, check, fixture, free_port, http, same, wait_until
from .on_sqlite import on_sqlite, start
from .web_socket import Client, Closed

FAILS = '''from zato.server.service import Service

class Fails(Service):
    name = 'contract.fails'

    def handle(self):
        raise Exception('why')
'''

FAMILY = 'zato.channel.web-socket.'


@fixture
def sockets(ctx):
    h = on_sqlite(ctx, 'sockets', {'contract_echo.py': ECHO, 'contract_fails.py': FAILS})
    start(ctx, h)
    return h


def fields(port, **more):
    return dict({'name': 'contract ws %d' % port, 'address': 'ws://0.0.0.0:%d/w' % port, 'service_name': 'contract.echo',
                 'is_active': True, 'is_internal': False, 'data_format': 'json', 'new_token_wait_time': 5,
                 'token_ttl': 3600, 'ping_interval': 30, 'pings_missed_threshold': 2, 'security_id': None}, **more)


def opened(h, port, **more):
    """Makes a channel; returns its id when it listens."""
    ident = made(h, FAMILY + 'create', **fields(port, **more))
    until_open(port)
    return ident


def is_open(port):
    try:
        socket.create_connection(('127.0.0.1', port), 1).close()
        return True
    except OSError:
        return False


def until_open(port):
    wait_until(lambda: is_open(port), FAST, 'port %d' % port, pause=0.1)


def edited(h, port, ident, **more):
    """An edit, until clients are given a session of it: a client of before is cut off."""
    witness = Client(port, '/w')
    same(admin(h, FAMILY + 'edit', **fields(port, id=ident, **more)).status, 200, 'edit')
    wait_until(lambda: ended(witness), FAST, 'the client of before is cut off', pause=0.1)
    until_open(port)


def ended(client):
    try:
        return client.receive(0.2) is not None
    except (Closed, OSError):
        return True


def session(port, *login):
    """The status; None without an answer."""
    client = Client(port, '/w')
    try:
        return client.session(*login, timeout=2)
    finally:
        client.close()


def row(h, port):
    rows = admin(h, FAMILY + 'get-list').data
    return next(one for one in rows if one['name'] == 'contract ws %d' % port)


@case('WSX-01', 'create, get-list: what is sent comes back with its type; with security_id null everybody gets a session', 'sockets')
def _(ctx, h):
    port = free_port()
    opened(h, port)
    found = row(h, port)
    wanted = {name: value for name, value in fields(port).items() if name != 'security_id'}
    same({name: found[name] for name in wanted}, wanted, 'the row')
    same((found['security_id'], found.get('security_name')), (None, None), 'security')
    same(session(port), 200, 'anybody')


@case('WSX-02', 'what lacks, a name, an address or a service: 400 for the first two, 500 for the others', 'sockets')
def _(ctx, h):
    port = free_port()
    opened(h, port)
    lacking = fields(free_port())
    del lacking['token_ttl']
    same(admin(h, FAMILY + 'create', **lacking).status, 400, 'without token_ttl')
    same(admin(h, FAMILY + 'create', **fields(port)).status, 400, 'the same name')
    same(admin(h, FAMILY + 'create', **fields(port, name='contract other')).status, 500, 'the same address')
    same(admin(h, FAMILY + 'create', **fields(free_port(), service_name='contract.none')).status, 500, 'no service')
    same(admin(h, FAMILY + 'edit', **fields(free_port(), id=4711)).status, 500, 'no such id')
    same(admin(h, FAMILY + 'delete', id=4711).status, 200, 'delete what is not there')


@case('WSX-03', 'with a definition: a session for its user alone, 403 and the end for others, no answer without a secret', 'sockets')
def _(ctx, h):
    definition, port = basic(h, 'contract.wann', 'wann', 'pw-1'), free_port()
    opened(h, port, security_id=definition)
    same((row(h, port)['security_id'], row(h, port)['security_name']), (definition, 'contract.wann'), 'security')
    same((session(port, 'wann', 'pw-1'), session(port, 'wann', 'no'), session(port, 'no', 'pw-1')), (200, 403, 403), 'sessions')
    same(session(port, 'wann', None), None, 'without a secret')
    client = Client(port, '/w')
    same(client.call({'item': 'x'}, token=None)['meta']['status'], 403, 'without a session')
    check(ended(client), 'the connection goes on')


@case('WSX-04', 'messages: the service of the channel gets the data, whatever the message names; an error is a 500 without a reason', 'sockets')
def _(ctx, h):
    port, failing = free_port(), free_port()
    opened(h, port)
    opened(h, failing, service_name='contract.fails')
    client = Client(port, '/w')
    same(client.session(), 200, 'session')
    answer = client.call({'item': 'x'}, service='contract.fails')
    same((answer['meta']['status'], answer['meta']['in_reply_to'], answer['data']), (200, 'id-1', {'item': 'x'}), 'answer')
    client = Client(failing, '/w')
    same(client.session(), 200, 'session')
    answer = client.call({'item': 'x'})
    same((answer['meta']['status'], answer['meta']['error_message']), (500, 'Internal server error'), 'an exception')
    same(list(answer['data']), ['cid'], 'data')
    same(client.call()['meta']['status'], 500, 'the session goes on')


@case('WSX-05', 'no answer: a message without id, one that is no JSON, a session without client_id, a second one, which makes the token void', 'sockets', quirk=True)
def _(ctx, h):
    port = free_port()
    opened(h, port)
    client = Client(port, '/w')
    same(client.session(), 200, 'session')
    same(client.call({'item': 'x'}, id=None, timeout=1), None, 'without id')
    client.send('no json')
    same(client.receive(1), None, 'no JSON')
    same(client.call({'item': 'x'})['meta']['status'], 200, 'the session goes on')
    again = dict(action='create-session', client_id='c', username='a', secret='b')
    same(client.ask(timeout=1, token=client.token, **again), None, 'a second session')
    same(client.call({'item': 'x'})['meta']['status'], 403, 'the token')
    client = Client(port, '/w')
    same(client.session(), 200, 'session')
    same(client.ask(**again)['meta']['status'], 403, 'a second session without the token')
    again['client_id'] = None
    same(Client(port, '/w').ask(timeout=1, **again), None, 'without client_id')


@case('WSX-06', 'the handshake: 404 for another path, a slash more too; 400 for plain HTTP', 'sockets')
def _(ctx, h):
    port = free_port()
    opened(h, port)
    same([Client(port, path).status for path in ('/w', '/x', '/w/')], [101, 404, 404], 'handshakes')
    same(http(port, 'GET', '/w').status, 400, 'plain HTTP')


@case('WSX-07', 'an edit without a change cuts clients off; one without security opens the channel', 'sockets', quirk=True)
def _(ctx, h):
    definition, port = basic(h, 'contract.wbob', 'wbob', 'pw-1'), free_port()
    ident = opened(h, port, security_id=definition)
    edited(h, port, ident, security_id=definition)
    same((session(port, 'wbob', 'pw-1'), session(port)), (200, 403), 'the same')
    given = fields(port, id=ident)
    del given['security_id']
    witness = Client(port, '/w')
    same(admin(h, FAMILY + 'edit', **given).status, 200, 'edit')
    wait_until(lambda: ended(witness), FAST, 'cut off')
    until_open(port)
    same(session(port), 200, 'open to everybody')


@case('WSX-08', 'a definition that is not there: a name or a number of none opens the channel, at once', 'sockets', quirk=True)
def _(ctx, h):
    port, other = free_port(), free_port()
    given = fields(port, security='contract.none')
    del given['security_id']
    made(h, FAMILY + 'create', **given)
    opened(h, other, security_id=99999)
    until_open(port)
    same((session(port), session(other)), (200, 200), 'everybody')
    same((row(h, other)['security_id'], row(h, other)['security_name']), (99999, None), 'the row of the number')
    for one in (port, other):
        admin(h, FAMILY + 'delete', name='contract ws %d' % one)


@case('WSX-09', 'an edit moves a channel to another port, not active closes it, delete closes it', 'sockets')
def _(ctx, h):
    port, other = free_port(), free_port()
    ident = opened(h, port)
    admin(h, FAMILY + 'edit', **fields(other, id=ident))
    until_open(other)
    wait_until(lambda: not is_open(port), FAST, 'the old port is closed')
    admin(h, FAMILY + 'edit', **fields(other, id=ident, is_active=False))
    wait_until(lambda: not is_open(other), FAST, 'closed when it is not active')
    admin(h, FAMILY + 'edit', **fields(other, id=ident))
    until_open(other)
    same(admin(h, FAMILY + 'delete', id=ident).status, 200, 'delete')
    wait_until(lambda: not is_open(other), FAST, 'closed when it is deleted')


@case('WSX-10', 'a new password is for new sessions: those that are open go on; a new user name as well', 'sockets')
def _(ctx, h):
    definition, port = basic(h, 'contract.weve', 'weve', 'pw-1'), free_port()
    opened(h, port, security_id=definition)
    client = Client(port, '/w')
    same(client.session('weve', 'pw-1'), 200, 'session')
    admin(h, 'zato.security.basic-auth.change-password', id=definition, password1='pw-2', password2='pw-2')
    wait_until(lambda: session(port, 'weve', 'pw-2') == 200, FAST, 'the new password')
    same(session(port, 'weve', 'pw-1'), 403, 'the old password')
    same(client.call({'item': 'x'})['meta']['status'], 200, 'the session of before')
    admin(h, 'zato.security.basic-auth.edit', id=definition, name='contract.weve', is_active=True, username='weve2', realm='r')
    wait_until(lambda: session(port, 'weve2', 'pw-2') == 200, FAST, 'the new user name')


@case('WSX-11', 'a definition that has another name answers nobody, until the channel is edited', 'sockets', quirk=True)
def _(ctx, h):
    definition, port = basic(h, 'contract.wname', 'wname', 'pw-1'), free_port()
    ident = opened(h, port, security_id=definition)
    admin(h, 'zato.security.basic-auth.edit', id=definition, name='contract.wname2', is_active=True, username='wname', realm='r')
    wait_until(lambda: session(port, 'wname', 'pw-1') is None, FAST, 'no answer')
    same(row(h, port)['security_name'], 'contract.wname2', 'the row looks right')
    edited(h, port, ident, security_id=definition)
    same((session(port, 'wname', 'pw-1'), session(port)), (200, 403), 'after an edit')


@case('WSX-12', 'an API key as the definition: nobody gets an answer', 'sockets', quirk=True)
def _(ctx, h):
    definition, port = made(h, 'zato.security.apikey.create', name='contract.wkey', is_active=True), free_port()
    admin(h, 'zato.security.apikey.change-password', id=definition, password1='key-1', password2='key-1')
    opened(h, port, security_id=definition)
    same(session(port, 'contract.wkey', 'key-1'), None, 'session')


@case('WSX-13', 'two channels on one port: both are made, a client reaches one of them', 'sockets', quirk=True)
def _(ctx, h):
    port = free_port()
    opened(h, port)
    made(h, FAMILY + 'create', **fields(port, name='contract rival', address='ws://0.0.0.0:%d/v' % port))
    wait_until(lambda: {Client(port, path).status for path in ('/w', '/v')} == {101, 404}, 30, 'one of the two', pause=0.05)


@case('WSX-14', 'a definition that is deleted: the row stays with its number, nobody gets an answer; after a restart everybody gets in', 'sockets', quirk=True)
def _(ctx, h):
    definition, port, kept = basic(h, 'contract.wgone', 'wgone', 'pw-1'), free_port(), free_port()
    opened(h, port, security_id=definition)
    opened(h, kept, security_id=basic(h, 'contract.wkept', 'wkept', 'pw-1'))
    same(admin(h, 'zato.security.basic-auth.delete', id=definition).status, 200, 'delete')
    wait_until(lambda: session(port, 'wgone', 'pw-1') is None, FAST, 'no answer')
    found = row(h, port)
    same((found['security_id'], found['security_name']), (definition, None), 'the row')
    h.proc.term()
    h.proc.wait()
    start(ctx, h)
    until_open(port)
    same(session(port), 200, 'everybody')
    same((session(kept, 'wkept', 'pw-1'), session(kept)), (200, 403), 'the other channel')

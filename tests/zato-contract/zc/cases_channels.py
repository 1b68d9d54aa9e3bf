"""One server on SQLite: REST channels and who may call them, as the operator's agent makes them through admin.invoke."""

from .cases_cluster import FAST
from .lib import Bag, admin_invoke, case, check, fixture, http, same, unwrap, wait_until
from .on_sqlite import on_sqlite, start

ECHO = '''from zato.server.service import Service

class Echo(Service):
    name = 'contract.echo'
    input = '-item'
    output = 'item'

    def handle(self):
        self.response.payload = {'item': self.request.input.item or 'none'}
'''


@fixture
def channels(ctx):
    h = on_sqlite(ctx, 'channels', {'contract_echo.py': ECHO})
    start(ctx, h)
    return h


def admin(h, internal, /, **payload):
    resp, data = admin_invoke(h.port, internal, dict(payload, cluster_id=1), h.password)
    return Bag(status=resp.status, text=resp.text, data=unwrap(data))


def fields(name, path, **more):
    return dict({'name': name, 'url_path': path, 'service': 'contract.echo', 'method': 'GET', 'is_active': True,
                 'connection': 'channel', 'transport': 'plain_http', 'is_internal': False, 'data_format': 'json',
                 'security_id': 'ZATO_NONE', 'http_accept': '*/*', 'merge_url_params_req': True,
                 'url_params_pri': 'path-over-qs', 'params_pri': 'channel-params-over-msg', 'match_slash': False}, **more)


def made(h, internal, /, **payload):
    resp = admin(h, internal, **payload)
    same(resp.status, 200, '%s: %s' % (internal, resp.text[:200]))
    return resp.data['id']


def until(h, path, status, user=None, password=None, **more):
    wait_until(lambda: http(h.port, 'GET', path, None, user, password, **more).status == status, FAST,
               '%s for %s' % (status, path))


def basic(h, name, username, password):
    ident = made(h, 'zato.security.basic-auth.create', name=name, is_active=True, username=username, realm='contract')
    same(admin(h, 'zato.security.basic-auth.change-password', id=ident, password1=password, password2=password).status, 200)
    return ident


@case('CHAN-01', 'the list of channels leaves out names that begin with zato, and gives one boolean as a text', 'channels', quirk=True)
def _(ctx, h):
    for name, path in (('zato-contract', '/hidden'), ('contract.shown', '/shown')):
        made(h, 'zato.http-soap.create', **fields(name, path))
    rows = admin(h, 'zato.http-soap.get-list', connection='channel', transport='plain_http').data
    names = {row['name']: row for row in rows}
    check('zato-contract' not in names, 'a name that begins with zato is listed')
    same(names['contract.shown']['merge_url_params_req'], 'True', 'merge_url_params_req')
    same((names['contract.shown']['is_active'], names['contract.shown']['security_id']), (True, None), 'is_active, security_id')


@case('CHAN-02', 'a parameter of the path is an input that a query string does not replace; another method is a 404', 'channels')
def _(ctx, h):
    made(h, 'zato.http-soap.create', **fields('contract.parameter', '/item/{item}'))
    until(h, '/item/7', 200)
    check('"7"' in http(h.port, 'GET', '/item/7?item=8').text, 'the path counts')
    for method, path in (('POST', '/item/7'), ('GET', '/item/7/'), ('GET', '/item/7/8'), ('GET', '/item/a@b')):
        same(http(h.port, method, path, {} if method == 'POST' else None).status, 404, '%s %s' % (method, path))


@case('CHAN-03', 'of two channels that match the first by name answers', 'channels', quirk=True)
def _(ctx, h):
    made(h, 'zato.http-soap.create', **fields('contract.b', '/order/{item}'))
    made(h, 'zato.http-soap.create', **fields('contract.a', '/order/me'))
    until(h, '/order/me', 200)
    wait_until(lambda: 'none' in http(h.port, 'GET', '/order/me').text, FAST, 'the answer without a parameter')


@case('CHAN-04', 'an edit resets what it does not name: who may call, too', 'channels', quirk=True)
def _(ctx, h):
    definition = basic(h, 'contract.ann', 'ann', 'pw-1')
    ident = made(h, 'zato.http-soap.create', **fields('contract.closed', '/closed', security_id=definition))
    until(h, '/closed', 401)
    until(h, '/closed', 200, 'ann', 'pw-1')
    given = fields('contract.closed', '/closed', id=ident)
    del given['security_id']
    same(admin(h, 'zato.http-soap.edit', **given).status, 200, 'edit')
    until(h, '/closed', 200)


@case('CHAN-05', 'a changed password counts, the old one does not; a user name is of one definition', 'channels')
def _(ctx, h):
    definition = basic(h, 'contract.bob', 'bob', 'pw-1')
    made(h, 'zato.http-soap.create', **fields('contract.bobs', '/bobs', security_id=definition))
    until(h, '/bobs', 200, 'bob', 'pw-1')
    admin(h, 'zato.security.basic-auth.change-password', id=definition, password1='pw-2', password2='pw-2')
    until(h, '/bobs', 200, 'bob', 'pw-2')
    same(http(h.port, 'GET', '/bobs', None, 'bob', 'pw-1').status, 401, 'the old password')
    again = admin(h, 'zato.security.basic-auth.create', name='contract.bob-2', is_active=True, username='bob', realm='contract')
    same(again.status, 500, 'a second definition of the user name')
    renamed = dict(id=definition, name='contract.bob-2', is_active=True, username='bob', realm='contract')
    same(admin(h, 'zato.security.basic-auth.edit', **renamed).status, 200, 'another name')
    same(http(h.port, 'GET', '/bobs', None, 'bob', 'pw-2').status, 200, 'after the edit')


@case('CHAN-06', 'deleting a definition deletes the channels that use it', 'channels', quirk=True)
def _(ctx, h):
    definition = basic(h, 'contract.eve', 'eve', 'pw-1')
    made(h, 'zato.http-soap.create', **fields('contract.eves', '/eves', security_id=definition))
    same(admin(h, 'zato.security.basic-auth.delete', id=definition).status, 200, 'delete')
    same(h.db.rows("select count(*) from http_soap where name='contract.eves'")[0][0], 0, 'rows')


@case('CHAN-07', 'an API key in X-API-Key opens a channel; wrong or missing: 401 without WWW-Authenticate', 'channels')
def _(ctx, h):
    definition = made(h, 'zato.security.apikey.create', name='contract.key', is_active=True)
    admin(h, 'zato.security.apikey.change-password', id=definition, password1='key-1', password2='key-1')
    made(h, 'zato.http-soap.create', **fields('contract.keyed', '/keyed', security_id=definition))
    until(h, '/keyed', 200, headers={'X-API-Key': 'key-1'})
    for headers in ({}, {'X-API-Key': 'key-2'}):
        resp = http(h.port, 'GET', '/keyed', headers=headers)
        same((resp.status, resp.headers.get('www-authenticate')), (401, None), headers)


@case('CHAN-08', 'a rate limit of three a minute: the fourth request is a 429', 'channels')
def _(ctx, h):
    made(h, 'zato.http-soap.create', **fields(
        'contract.limited', '/limited', is_rate_limit_active=True, rate_limit_type='APPROXIMATE', rate_limit_def='*=3/m'))
    # More than there are in two minutes, of which the requests may see the border.
    wait_until(lambda: http(h.port, 'GET', '/limited').status == 429, FAST, '429')


@case('CHAN-09', 'what stands behind three colons in a path is looked for', 'channels', quirk=True)
def _(ctx, h):
    same(http(h.port, 'GET', '/zatox:::/zato/ping').status, 200, 'ping behind colons')

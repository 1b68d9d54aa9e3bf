"""Answers of channels that are kept: what Zato's own cache does with them, and what the operator's service does, which channels
lead to in its place. One server on SQLite."""

import json
import os
import re
import threading
import time

from .cases_channels import admin, basic, fields, made, until
from .cases_cluster import FAST
from .lib import Bag, case, check, deploy, fixture, http, read, same, wait_until, write
from .on_sqlite import VALUES, on_sqlite, start

SERVICES = '''from dataclasses import dataclass
import json
import os
import time

from zato.server.service import Model, Service

COUNT = {'calls': 0}

class Count(Service):
    name = 'contract.count'
    input = '-size', '-status', '-raises', '-header', '-slow', '-item'

    def be_slow(self, path):
        # Says that it is at work, and is until it is told to end.
        open(path + '.begun', 'w').close()
        end = time.monotonic() + 60
        while not os.path.exists(path + '.end') and time.monotonic() < end:
            time.sleep(0.05)

    def handle(self):
        COUNT['calls'] += 1
        version = 1
        call, given = COUNT['calls'], self.request.input
        if given.raises:
            raise ValueError(given.raises)
        if given.slow:
            self.be_slow(given.slow)
        if given.status:
            self.response.status_code = int(given.status)
        if given.header:
            name, _, value = given.header.partition('=')
            self.response.headers[name] = value
        seen = [str(self.channel.security.username), self.request.http.user_agent, str(self.request.raw_request)]
        self.response.payload = json.dumps({'call': call, 'version': version, 'seen': seen, 'fill': 'x' * int(given.size or 0)})

class Many(Service):
    name = 'contract.many'
    input = 'text', '-many'
    output = 'text', '-many'

    def handle(self):
        given = self.request.input
        self.response.payload = {'text': given.text, 'many': str(given.many)}

@dataclass(init=False)
class Thing(Model):
    text: str

class Models(Service):
    name = 'contract.models'
    input = Thing
    output = Thing

    def handle(self):
        self.response.payload = self.request.input

class Plain(Service):
    name = 'contract.plain'

    def handle_GET(self):
        text = self.request.http.GET.get('text')
        self.response.headers['X-Own'] = 'own'
        if text == 'csv':
            self.response.content_type = 'text/csv'
            self.response.status_code = 201
            self.response.payload = 'a,b'
        elif text == 'list':
            self.response.payload = [1, 'a', None]
        elif text == 'nothing':
            pass
        else:
            http = self.request.http
            self.response.payload = {'method': http.method, 'path': http.path.replace('direct', 'kept'), 'GET': dict(http.GET),
                                     'params': dict(http.params), 'channel': self.channel.type}

class Missing(Service):
    name = 'contract.missing'
    output = 'text'

    def handle(self):
        self.response.payload = {'other': 1}
'''

# Seconds that the channel of that name keeps an answer.
SHORT = 2

OURS = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../../src/agent/cache.py')
PLAIN = ('attributes', 'many', 'classes', 'models', 'plain', 'missing')


def ours(seconds):
    """The operator's service, told of channels as its agent tells it."""
    table = {'contract.kept.' + name: {'service': 'contract.' + name, 'seconds': 60, 'code': ''} for name in PLAIN}
    for name in ('count', 'closed', 'short'):
        table['contract.kept.' + name] = {'service': 'contract.count', 'seconds': seconds.get(name, 60), 'code': ''}
    return read(OURS).replace("json.loads('{}')", 'json.loads(%r)' % json.dumps(table))


@fixture
def kept(ctx):
    files = {'contract_values.py': VALUES, 'contract_cache.py': SERVICES, 'zato_operator_cache.py': ours({'short': SHORT})}
    h = on_sqlite(ctx, 'cache', files, Zato_Config_Server_server__conf_misc_return_tracebacks='False', PYTHONDONTWRITEBYTECODE='1')
    start(ctx, h)
    ann = basic(h, 'contract.ann', 'ann', 'pw-1')
    for name in PLAIN:
        for kind, service in (('direct', 'contract.' + name), ('kept', 'zato-operator.cache')):
            path = '/%s/%s/{part}' % (kind, name)
            made(h, 'zato.http-soap.create', **fields('contract.%s.%s' % (kind, name), path, service=service))
    for name, path, more in (('count', '/count/{item}', {}), ('short', '/short', {}), ('closed', '/closed', {'security_id': ann}),
                             ('unknown', '/unknown', {})):
        made(h, 'zato.http-soap.create', **fields('contract.kept.' + name, path, service='zato-operator.cache', **more))
    until(h, '/count/first', 200)
    return h


def ask(h, path, user=None, password=None, **more):
    return http(h.port, 'GET', path, None, user, password, **more)


def call(h, path, *args, **more):
    """Which call of the service made the answer."""
    resp = ask(h, path, *args, **more)
    same(resp.status, 200, '%s: %s' % (path, resp.text[:200]))
    return json.loads(resp.text)['call']


def asked(h, path):
    """The same with the age that was told, and when it was asked for and there."""
    began, resp = time.monotonic(), ask(h, path)
    same(resp.status, 200, path)
    return Bag(call=json.loads(resp.text)['call'], age=resp.headers.get('age'), began=began, ended=time.monotonic())


def watched(h, path, is_over):
    """An answer that is made now, and those to the same question after it up to one that is as wanted."""
    first, later = asked(h, path), []
    same(first.age, None, 'the age of a new answer')

    def look():
        later.append(asked(h, path))
        return is_over(first, later[-1])
    wait_until(look, FAST, 'what is wanted of %s' % path, pause=0.1)
    return first, later


def neutral(resp):
    body = re.sub(r'[0-9a-f]{24}', 'CID', resp.text)
    return resp.status, resp.headers.get('content-type'), resp.headers.get('x-own'), body


@case('CACHE-01', "Zato's own cache keeps answers for ever, errors too; one of more than 10,000 characters is a 500; it takes cache 1 alone", 'kept', quirk=True)
def _(ctx, h):
    made(h, 'zato.http-soap.create', **fields('contract.zato', '/zato-own', service='contract.count', cache_id=1, cache_expiry=1))
    until(h, '/zato-own', 200)
    first = call(h, '/zato-own')
    time.sleep(2.5)
    same(call(h, '/zato-own'), first, 'after two and a half seconds')
    errors = [ask(h, '/zato-own?status=503') for _ in range(2)]
    same([resp.status for resp in errors] + [errors[0].text], [503, 503, errors[1].text], 'a status that is no success')
    same([ask(h, '/zato-own?size=%d' % size).status for size in (9000, 12000)], [200, 500], 'sizes')
    own = made(h, 'zato.cache.builtin.create', name='contract.own', is_active=True, is_default=False, max_size=10, max_item_size=100,
               extend_expiry_on_get=False, extend_expiry_on_set=False, cache_type='builtin', sync_method='in-background',
               persistent_storage='no-persistent-storage')
    resp = admin(h, 'zato.http-soap.create', **fields('contract.zato-2', '/zato-own-2', cache_id=own, service='contract.count'))
    same(resp.status, 500, 'another cache')


@case('CACHE-02', 'a service that is invoked as a channel would answers as the channel would: status, type, headers and body', 'kept')
def _(ctx, h):
    for name, query in (
            ('attributes', 'text=a&number=5'), ('attributes', 'text=%C3%B6'), ('attributes', ''), ('attributes', 'text=a&number=abc'),
            ('many', 'text=%C3%B6&many=1&many=2'),
            ('attributes', 'text=told'), ('attributes', 'text=untold'), ('attributes', 'text=forbidden'), ('attributes', 'text=otherwise'),
            ('classes', 'text=a'), ('classes', ''), ('models', 'text=a'), ('models', ''), ('plain', 'a=1&b=2'), ('plain', 'text=csv'),
            ('plain', 'text=list'), ('plain', 'text=nothing'), ('missing', '')):
        direct = neutral(ask(h, '/direct/%s/7?%s' % (name, query)))
        for _ in range(2):
            same(neutral(ask(h, '/kept/%s/7?%s' % (name, query))), direct, '%s?%s' % (name, query))


@case('CACHE-03', 'the same address gets the same answer with its age, another address or parameter another one, until the time is over', 'kept')
def _(ctx, h):
    first, later = watched(h, '/count/a', lambda _, one: one.age not in (None, '0'))
    for one in later:
        same(one.call, first.call, 'which call')
        # In whole seconds since the first was asked for: no less than the pause between the two, no more than both took.
        check(int(one.began - first.ended) <= int(one.age) <= one.ended - first.began, 'age %s of %r' % (one.age, vars(one)))
    check(call(h, '/count/b') != first.call and call(h, '/count/a?other=1') != first.call, 'another address')
    same(call(h, '/count/a?x=1&y=2'), call(h, '/count/a?y=2&x=1'), 'the order of parameters')
    check(call(h, '/count/a?x=1&x=2') != call(h, '/count/a?x=2&x=1'), 'the order of values')
    first, later = watched(h, '/short', lambda first, one: one.call != first.call)
    for one in later[:-1]:
        check(one.began - first.ended < SHORT, 'kept for %.2f s' % (one.began - first.ended))
    check(later[-1].ended - first.began >= SHORT, 'made anew after %.2f s' % (later[-1].ended - first.began))


@case('CACHE-04', 'who may call is checked before', 'kept')
def _(ctx, h):
    first = call(h, '/closed', 'ann', 'pw-1')
    same(call(h, '/closed', 'ann', 'pw-1'), first, 'kept')
    for user, password in ((None, None), ('ann', 'pw-2')):
        same(ask(h, '/closed', user, password).status, 401, user)
    check(call(h, '/count/closed') != first, 'an answer of another channel')


@case('CACHE-05', 'errors are made anew, and so is what is too long, sets a cookie or says that it is not to be kept', 'kept')
def _(ctx, h):
    for query in ('status=404', 'status=503', 'size=1000001', 'header=Set-Cookie=a', 'header=cache-control=No-Store', 'header=Cache-Control=private'):
        answers = [ask(h, '/count/none?' + query) for _ in range(2)]
        check(answers[0].text != answers[1].text, query + ' was kept')
        same(answers[0].status, answers[1].status, query)
    same([ask(h, '/count/none?raises=x').status for _ in range(2)], [500, 500])
    same(call(h, '/count/none?size=900000'), call(h, '/count/none?size=900000'), 'one that is not too long')
    same(call(h, '/count/none?header=X-Own=a'), call(h, '/count/none?header=X-Own=a'), 'one with a header')


@case('CACHE-06', 'the service sees the address and nothing else: no user, no header, no body', 'kept')
def _(ctx, h):
    for path, user, password in (('/closed?x=seen', 'ann', 'pw-1'), ('/count/seen', None, None)):
        same(json.loads(ask(h, path, user, password, headers={'User-Agent': 'other'}).text)['seen'], ['None', None, '{}'])


@case('CACHE-07', 'new code answers at once, also while a call of the old one is still at work; a file of ours that comes anew has kept nothing', 'kept')
def _(ctx, h):
    version = lambda path: json.loads(ask(h, path, timeout=60).text)['version']
    same(version('/count/code'), 1, 'what is kept')
    file, late = os.path.join(ctx.root, 'slow'), []
    slow = threading.Thread(target=lambda: late.append(version('/count/slow?slow=' + file)), daemon=True)
    slow.start()
    wait_until(lambda: os.path.exists(file + '.begun'), FAST, 'the slow call')
    deploy(h.pickup, 'contract_cache.py', SERVICES.replace('version = 1', 'version = 2'))
    wait_until(lambda: version('/count/code') == 2, FAST, 'the new code')
    same(late, [], 'the slow call is at work')
    write(file + '.end', '')
    slow.join()
    same(late, [1], 'the call that was at work')
    same(version('/count/slow?slow=' + file), 2, 'what the late call made is not kept for the new code')
    first = call(h, '/count/code')
    deploy(h.pickup, 'zato_operator_cache.py', ours({'short': 3}))
    wait_until(lambda: call(h, '/count/code') != first, FAST, 'an answer that was not kept')


@case('CACHE-08', 'a channel that the file does not know is a 404', 'kept')
def _(ctx, h):
    resp = ask(h, '/unknown')
    same((resp.status, 'leads here' in resp.text), (404, True), resp.text)

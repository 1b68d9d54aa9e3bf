"""What a service relies on that opens and makes envelopes of SOAP: the bytes of a request, its path, what its answer may say, and
other services that it invokes."""

import json

from .cases_channels import admin, fields, made
from .cases_cluster import FAST
from .lib import api, case, check, fixture, http, same, wait_until
from .on_sqlite import VALUES, on_sqlite, start

SERVICES = '''from dataclasses import dataclass
import json

from zato.server.service import Model, Service

@dataclass(init=False)
class Inner(Model):
    number: int

@dataclass(init=False)
class Outer(Model):
    inner: Inner

class Models(Service):
    name = 'contract.soap.models'
    input = Outer
    output = Outer

    def handle(self):
        self.response.payload = self.request.input

class Gate(Service):
    name = 'contract.soap.gate'

    def handle(self):
        asked = json.loads(self.request.raw_request.decode('utf8'))
        told = {'type': type(self.request.raw_request).__name__, 'path': self.wsgi_environ['PATH_INFO'],
                'content_type': self.wsgi_environ.get('CONTENT_TYPE')}
        if 'invoke' in asked:
            try:
                told['answer'] = self.invoke(asked['invoke'], asked.get('payload'))
            except Exception as error:
                names = 'status', 'msg', 'needs_msg'
                told['error'] = [getattr(error, name, None) for name in names] + [isinstance(error, KeyError)]
        self.response.status_code = asked.get('status', 200)
        self.response.content_type = asked.get('as', 'text/xml; charset=utf-8')
        self.response.payload = '<!-- \\u00f6 -->' + json.dumps(told, default=lambda value: [type(value).__name__, value.to_dict()])

class Ours(Service):
    name = 'zato-contract.soap'

    def handle(self):
        self.response.payload = 'reached'
'''


@fixture
def gate(ctx):
    h = on_sqlite(ctx, 'soap', {'contract_values.py': VALUES, 'contract_soap.py': SERVICES},
                  Zato_Config_Server_server__conf_misc_return_tracebacks='False',
                  Zato_Config_Server_server__conf_misc_service_invoker_allow_internal='none')
    start(ctx, h)
    bind = {'Zato_Config_Server_server__conf_main_gunicorn_bind': '127.0.0.1:%d' % h.port}
    same(ctx.run('change-password', '--path', h.server, '--name', 'pubapi', '--password', 'pub-pw-1', env=bind).rc, 0, 'password')
    made(h, 'zato.http-soap.create', **fields('contract.soap', '/contract/soap', service='contract.soap.gate', method='POST', data_format=''))
    wait_until(lambda: ask(h).status == 200, FAST, 'the channel')
    return h


def ask(h, path='/contract/soap', headers=None, **asked):
    return http(h.port, 'POST', path, json.dumps(asked), headers=headers)


def told(resp):
    return json.loads(resp.text[resp.text.index('{'):])


def invoked(h, service, payload):
    return told(ask(h, invoke=service, payload=payload))


@case('SOAP-01', 'without a data format a service sees the bytes of the body, and its content type and status count', 'gate')
def _(ctx, h):
    resp = ask(h)
    same((resp.status, resp.headers['content-type'], told(resp)['type']), (200, 'text/xml; charset=utf-8', 'bytes'))
    check(resp.text.startswith('<!-- \u00f6 -->{'), 'text goes out as UTF-8: %r' % resp.text[:20])
    resp = ask(h, status=500, **{'as': 'application/soap+xml; charset=utf-8'})
    same((resp.status, resp.headers['content-type'], resp.whole), (500, 'application/soap+xml; charset=utf-8', True))
    check(told(resp)['type'] == 'bytes', 'a 500 has its body')
    same(http(h.port, 'POST', '/contract/soap', b'\xff\xfe no text').status, 500, 'what is no UTF-8 reaches the service')


@case('SOAP-02', 'a service sees the path that was asked for and the content type of the request', 'gate')
def _(ctx, h):
    seen = told(ask(h, headers={'Content-Type': 'text/xml; charset=x', 'SOAPAction': '"a"'}))
    same((seen['path'], seen['content_type']), ('/contract/soap', 'text/xml; charset=x'))
    same(told(ask(h, '/contract/s%6Fap?x=1'))['path'], '/contract/soap', 'decoded, without the query string')
    same(told(ask(h, '/zato/x:::/contract/soap'))['path'], '/zato/x:::/contract/soap', 'colons and what stands in front of them')


@case('SOAP-03', 'self.invoke takes a dict and gives one, with the element around the class form, or the model itself; text becomes numbers', 'gate')
def _(ctx, h):
    same(invoked(h, 'contract.attributes', {'text': 'a', 'number': '5', 'other': 1})['answer'], {'text': 'a', 'number': 5})
    same(invoked(h, 'contract.classes', {'text': 'a'})['answer'], {'response': {'text': 'a'}})
    same(invoked(h, 'contract.soap.models', {'inner': {'number': '5'}})['answer'], ['Outer', {'inner': {'number': 5}}])


@case('SOAP-04', 'self.invoke raises what the service raised: status, msg and needs_msg tell what callers may see', 'gate')
def _(ctx, h):
    for text, want in (('told', [400, 'told', True]), ('untold', [400, 'untold', False]), ('forbidden', [403, 'forbidden', None])):
        error = invoked(h, 'contract.attributes', {'text': text})['error']
        same(error[:2] + [error[2] if want[2] is not None else None], want, text)
    for service, payload, want in (('contract.attributes', {}, 'Element missing: text'),
                                   ('contract.soap.models', {'inner': {}}, 'Element missing: /inner/number')):
        same(invoked(h, service, payload)['error'], [400, want, True, False], service)
    same(invoked(h, 'contract.attributes', {'text': 'otherwise'})['error'][0], None, 'an error of another kind has no status')
    same(invoked(h, 'contract.soap.none', {})['error'], [None, None, None, True], 'an unknown service is a KeyError')


@case('SOAP-05', 'the invoke path does not reach a service whose name begins with zato, dot or not', 'gate', quirk=True)
def _(ctx, h):
    same(admin(h, 'zato-contract.soap').text.count('cmVhY2hlZA'), 1, 'admin.invoke reaches it')
    same(api(h.port, 'zato-contract.soap', {}).status, 400, 'pubapi does not')

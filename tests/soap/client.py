""" A SOAP client of others calls what the published WSDL says, on a server of its own: the stand-in for Zato that ZATO_BIN and
ZATO_PYTHON name, or a real one. The channels are rows as the operator's agent writes them.

    client.py FOLDER
"""

import os
import shutil
import sys
import unittest
from pathlib import Path

import requests
import zeep

FOLDER = Path(sys.argv.pop())
sys.path.insert(0, str(Path(__file__).parents[1] / 'zato-contract'))

from zc import lib  # noqa: E402
from zc.cases_channels import admin, basic, fields, made  # noqa: E402
from zc.cases_single import quickstart  # noqa: E402
from zc import fernet  # noqa: E402


def server(ctx):
    """ A server with the services, the file for SOAP and both channels. """
    h = quickstart(ctx, 'soap')
    h.pickup = os.path.join(ctx.root, 'pickup')
    os.makedirs(h.pickup)
    for file in FOLDER.glob('*.py'):
        shutil.copy(file, h.pickup)
    h.port = lib.free_port()
    stored = h.db.rows("select password from sec_base where name='admin.invoke'")[0][0]
    h.password = fernet.decrypt(h.key, stored[stored.index('gAAAA'):]).decode() if 'gAAAA' in stored else stored
    settings = {'ZATO_HOT_DEPLOY_DIR': h.pickup, 'PYTHONDONTWRITEBYTECODE': '1',
                'Zato_Config_Server_server__conf_misc_return_tracebacks': 'False'}
    ctx.ready(ctx.start_server(h.server, h.port, 'soap', env=settings), h.port)
    ann = basic(h, 'kubernetes basic auth ann', 'ann', 'pw-1')
    for path in '/soap/all', '/soap/one':
        row = fields('kubernetes 00 POST ' + path, path, service='zato-operator.soap', method='POST', data_format='',
                     security_id=ann, security_groups=[], is_rate_limit_active=False, rate_limit_type='APPROXIMATE',
                     rate_limit_def='', rate_limit_check_parent_def=False)
        made(h, 'zato.http-soap.create', **row)
        lib.wait_until(lambda: lib.http(h.port, 'POST', path, '').status == 401, 30, path)
    return h


class Calls(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.ctx = lib.Ctx()
        cls.addClassCleanup(cls.ctx.close)
        cls.server = server(cls.ctx)
        # Where the server is, the WSDL cannot know here.
        text = (FOLDER / 'services.wsdl').read_text().replace('http://SERVER', 'http://127.0.0.1:%d' % cls.server.port)
        cls.wsdl = Path(cls.ctx.root) / 'services.wsdl'
        cls.wsdl.write_text(text)

    def clients(self, place='all', password='pw-1'):
        """ The services by SOAP 1.1 and by SOAP 1.2. """
        session = requests.Session()
        session.auth = ('ann', password)
        client = zeep.Client(str(self.wsdl), transport=zeep.Transport(session=session))
        for port in 'Soap11Port', 'Soap12Port':
            yield client.bind('Zato.' + place, '%s.%s' % (port, place))

    def fails(self, service, code, text, **given):
        with self.assertRaises(zeep.exceptions.Fault) as caught:
            service(**given)
        self.assertIn(code, str(caught.exception.code))
        self.assertEqual(caught.exception.message, text)

    def test_simple_io(self):
        for client in self.clients():
            answer = client['soap.greet'](name='Ann & <Bö>', count=2)
            self.assertEqual((answer.greeting, answer.count, answer.nothing), ('Hello Ann & <Bö> Hello Ann & <Bö>', 2, None))
            self.assertEqual(client['soap.greet'](name='Ann').count, 1)
            answer = client['soap.add'](a=2, b=0.5, is_exact=True, tags=['x', 'y'])
            self.assertEqual((answer.sum, answer.kinds, answer.note, answer.tags), ('2.5', 'int float bool', None, ['x', 'y']))
            self.assertEqual(client['soap.add'](a=2, b=1, is_exact=False).tags, [])

    def test_models(self):
        for client in self.clients():
            order = {'customer': 'Ann', 'address': {'street': 'Main', 'number': 5}, 'price': 1.5, 'is_paid': True,
                     'lines': [{'street': 'A'}, {'street': 'B', 'number': 2}]}
            answer = zeep.helpers.serialize_object(client['soap.order'](**order), dict)
            self.assertEqual((answer['customer'], answer['address'], answer['price'], answer['is_paid']),
                             ('Ann', {'street': 'Main', 'number': 5}, 3.0, True))
            self.assertEqual([line['street'] for line in answer['lines']], ['A', 'B'])
            self.assertEqual(answer['lines'][1]['number'], 2)
            few = client['soap.order'](customer='Ann', address={'street': 'Main'}, lines=[], note='')
            self.assertEqual((few.lines, few.note, few.price), ([], None, 0.0))

    def test_rows(self):
        for client in self.clients():
            self.assertEqual([(row.row, row.odd) for row in client['soap.rows'](count=2)], [('0', '0'), ('1', '1')])
            self.assertFalse(client['soap.rows'](count=0))

    def test_what_says_nothing_of_itself(self):
        for client in self.clients():
            found = [(element.tag, element.text) for element in client['soap.free']()]
            self.assertIn(('{urn:zato:services}kinds', 'x & y'), found)

    def test_faults(self):
        for client, sender, receiver in zip(self.clients(), ('Client', 'Sender'), ('Server', 'Receiver')):
            refuse = client['soap.refuse']
            self.fails(refuse, sender, 'No <such> thing', how='told')
            self.fails(refuse, sender, 'Bad request', how='untold')
            self.fails(refuse, sender, 'Not for you', how='forbidden')
            self.fails(refuse, receiver, 'An error has occurred', how='otherwise')

    def test_what_is_missing(self):
        text = '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><n:%sRequest xmlns:n="urn:zato:services">' \
            '%s</n:%sRequest></e:Body></e:Envelope>'
        inside = '<n:customer>A</n:customer><n:address/>'
        for service, content, told in (('soap.greet', '', 'Element missing: name'), ('soap.order', inside, 'Element missing: /address/street')):
            answer = lib.http(self.server.port, 'POST', '/soap/all', text % (service, content, service), 'ann', 'pw-1')
            self.assertEqual((answer.status, answer.headers['content-type']), (500, 'text/xml; charset=utf-8'))
            self.assertIn('<faultcode>e:Client</faultcode><faultstring>%s</faultstring>' % told, answer.text)

    def test_a_channel_calls_its_services_alone(self):
        for client in self.clients('one'):
            self.assertEqual(client['soap.greet'](name='Ann').greeting, 'Hello Ann')
            self.assertNotIn('soap.free', client._operations)
        text = (Path(self.wsdl)).read_text().replace('/soap/all"', '/soap/one"')
        other = Path(self.ctx.root) / 'other.wsdl'
        other.write_text(text)
        session = requests.Session()
        session.auth = ('ann', 'pw-1')
        service = zeep.Client(str(other), transport=zeep.Transport(session=session)).bind('Zato.all', 'Soap11Port.all')
        told = 'operation soap.freeRequest is unknown here: the element in Body is one that the WSDL names'
        self.fails(service['soap.free'], 'Client', told)

    def test_who_may_call(self):
        for client in self.clients(password='wrong'):
            with self.assertRaises(zeep.exceptions.TransportError) as caught:
                client['soap.greet'](name='Ann')
            self.assertEqual(caught.exception.status_code, 401)

    def test_the_path_that_was_asked_for_counts(self):
        """ Also where the server looks for another one; and who invokes the service by its name gets nothing by it. """
        body = ('<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><n:soap.greetRequest xmlns:n="urn:zato:services">'
                '<n:name>A</n:name></n:soap.greetRequest></e:Body></e:Envelope>')
        self.assertEqual(lib.http(self.server.port, 'POST', '/soap/one', body, 'ann', 'pw-1').status, 200)
        for path in '/soap/all:::/soap/one', '/zato/x:::/soap/one', '/soap/one%0A':
            answer = lib.http(self.server.port, 'POST', path, body, 'ann', 'pw-1')
            self.assertNotEqual(answer.status, 200, path)
            self.assertNotIn('Hello', answer.text)
        answer = admin(self.server, 'zato-operator.soap')
        self.assertIn('Fault', str(answer.data))


if __name__ == '__main__':
    unittest.main()

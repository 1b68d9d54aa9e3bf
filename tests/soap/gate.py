""" The file that servers load for SOAP: what it takes, what it answers, what it refuses. Zato's part is played by the stand-in.

    gate.py FOLDER
"""

import sys
import tracemalloc
import unittest
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree

FOLDER = Path(sys.argv.pop())
sys.path[:0] = [str(Path(__file__).parents[1] / 'zato-sim' / 'src'), str(FOLDER)]

import zato_operator_soap as gate  # noqa: E402
from zato.common.exception import BadRequest, Forbidden  # noqa: E402

ENVELOPE = '<e:Envelope xmlns:e="%s">%s<e:Body xmlns="urn:zato:services">%s</e:Body></e:Envelope>'
XSI = 'xmlns:i="http://www.w3.org/2001/XMLSchema-instance"'


def nothing(*_):
    return {}


def call(text, invoke=nothing, path='/soap/all', content_type='text/xml', log=nothing):
    raw = text if isinstance(text, bytes) else text.encode()
    return gate.answer(raw, content_type, path, invoke, log)


def enveloped(body, version=gate.SOAP11, header=''):
    return ENVELOPE % (version, header, body)


def fault(text, *args, **more):
    """ The code and the text of a fault. """
    status, content_type, answer = call(text, *args, **more)
    found = ElementTree.fromstring(answer)[0][0]
    texts = [element.text for element in found.iter() if element.text]
    assert status == 500 and found.tag.endswith('}Fault'), answer
    return texts[0].split(':')[-1], texts[-1]


def given(service, content):
    """ What the service gets. """
    seen = []
    status, _, answer = call(enveloped('<%sRequest %s>%s</%sRequest>' % (service, XSI, content, service)),
                             lambda name, payload: seen.append((name, payload)) or {})
    assert status == 200 and seen[0][0] == service, answer
    return seen[0][1]


def peak(text, *args, **more):
    """ The answer, and how much memory it took at most, expat's included. """
    raw = text.encode()
    tracemalloc.start()
    try:
        return call(raw, *args, **more), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def answered(service, payload):
    """ What the caller gets: the content of the answer's element. """
    status, _, answer = call(enveloped('<%sRequest><how/></%sRequest>' % (service, service)) if service == 'soap.refuse'
                             else enveloped('<%sRequest/>' % service), lambda *_: payload)
    assert status == 200, answer
    ElementTree.fromstring(answer)
    inside = answer[answer.index('Response '):]
    return inside[inside.index('>') + 1:inside.index('</t:%sResponse>' % service)]


class Versions(unittest.TestCase):

    def test_the_answer_is_of_the_version_of_the_request(self):
        for version, content_type in ((gate.SOAP11, 'text/xml; charset=utf-8'), (gate.SOAP12, 'application/soap+xml; charset=utf-8')):
            status, seen, answer = call(enveloped('<soap.freeRequest/>', version))
            self.assertEqual((status, seen), (200, content_type))
            self.assertEqual(ElementTree.fromstring(answer).tag, '{%s}Envelope' % version)

    def test_faults_have_the_form_of_the_version(self):
        code, _ = fault(enveloped('<xRequest/>'))
        self.assertEqual(code, 'Client')
        code, _ = fault(enveloped('<xRequest/>', gate.SOAP12))
        self.assertEqual(code, 'Sender')
        # What is no envelope at all is answered as it was sent.
        self.assertEqual(call('x', content_type='application/soap+xml; charset=utf-8')[1], 'application/soap+xml; charset=utf-8')
        self.assertEqual(fault('<e:Envelope xmlns:e="urn:another"/>')[0], 'VersionMismatch')

    def test_headers_that_must_be_understood_are_not(self):
        header = '<e:Header><w:Security xmlns:w="urn:w" e:mustUnderstand="%s"/></e:Header>'
        code, text = fault(enveloped('<soap.freeRequest/>', header=header % 1))
        self.assertEqual((code, text), ('MustUnderstand', 'header Security is not understood'))
        self.assertEqual(call(enveloped('<soap.freeRequest/>', header=header % 0))[0], 200)


class Hostile(unittest.TestCase):

    def test_no_document_defines_anything(self):
        laughs = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>' + enveloped('<soap.greetRequest><name>&b;</name></soap.greetRequest>')
        outside = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + enveloped('<soap.greetRequest><name>&a;</name></soap.greetRequest>')
        for text in (laughs, outside, '<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd">' + enveloped('<soap.freeRequest/>')):
            self.assertEqual(fault(text, self.fail), ('Client', 'the message has a DOCTYPE, which SOAP forbids'))
            self.assertEqual(fault(text.encode('utf-16'), self.fail)[1], 'the message has a DOCTYPE, which SOAP forbids')
        self.assertIn('undefined entity', fault(enveloped('<soap.freeRequest>&x;</soap.freeRequest>'), self.fail)[1])

    def test_what_is_too_large_is_refused(self):
        deep = '<a>' * 120 + '</a>' * 120
        for inside in (deep, '<a/>' * 200_001):
            self.assertIn('more than', fault(enveloped('<soap.freeRequest>%s</soap.freeRequest>' % inside), self.fail)[1])
        self.assertIn('bytes', fault(' ' * 10_000_001, self.fail)[1])
        self.assertEqual(fault(enveloped('<soap.addRequest><a>%s</a></soap.addRequest>' % ('9' * 10_000)))[1], 'element a is no integer')

    def test_names_do_not_repeat_their_namespace(self):
        free = '<soap.freeRequest>%s</soap.freeRequest>'
        bound = '<x xmlns:n="%s">%s</x>'
        named = ''.join('<n:a%d/>' % number for number in range(1000))
        attributes = ' '.join('n:a%d=""' % number for number in range(100))
        for size in (2_000, 900_000, 2_000_000):
            uri = 'u' * size
            for inside in (bound % (uri, named), bound % (uri, '<n:a/>' * 2000), bound % (uri, '<n:a %s/>' % attributes),
                           '<n:x xmlns:n="%s" %s/>' % (uri, attributes), '<x xmlns="%s">%s</x>' % (uri, '<a/>' * 2000)):
                text = enveloped(free % inside)
                self.assertIn('more than', fault(text, self.fail)[1])
                # The message itself, what expat has of it, and what there is for each element.
                self.assertLess(peak(text, self.fail)[1], 10 * len(text) + 5_000_000)
        # As long as it may be, and all that there may be: the names are longer than all messages.
        text = enveloped(free % (bound % ('u' * 1_000, ''.join('<n:a%d n:b=""/>' % number for number in range(90_000)))))
        response, most = peak(text)
        self.assertEqual(response[0], 200)
        self.assertLess(most, 110_000_000)

    def test_attributes_are_bounded(self):
        free = '<soap.freeRequest>%s</soap.freeRequest>'
        for count, told in ((101, 'an element with more than 100 attributes'), (800_000, 'a tag or a comment of more than')):
            text = enveloped(free % ('<a %s/>' % ' '.join('a%d=""' % number for number in range(count))))
            self.assertIn(told, fault(text, self.fail)[1])
            self.assertLess(peak(text, self.fail)[1], 60_000_000)
        many = '<a %s/>' % ' '.join('a%d=""' % number for number in range(100))
        self.assertEqual(call(enveloped(free % many))[0], 200)
        self.assertIn('more than', fault(enveloped(free % (many * 2_000)), self.fail)[1])
        # Each level binds more prefixes, and those of all levels are known to each of many elements.
        levels = ['<a %s>' % ' '.join('xmlns:p%d.%d="u"' % (level, number) for number in range(100)) for level in range(90)]
        text = enveloped(free % (''.join(levels) + '<a xmlns:p="u"/>' * 80_000 + '</a>' * len(levels)))
        self.assertEqual(call(text)[0], 200)

    def test_what_comes_in_pieces_is_read(self):
        # Longer than a piece, and than what a tag may have.
        for text in ('x' * 3_000_000, 'x\r\n\u00e4\u20ac\U0001f600' * 200_000):
            for written in (text, '<![CDATA[%s]]>' % text):
                seen = given('soap.greet', '<name>%s</name>' % written)
                self.assertEqual(seen, {'name': text.replace('\r\n', '\n')})
        around = ' ' * 3_000_000
        self.assertEqual(call(around + enveloped('<soap.freeRequest/>') + around)[0], 200)
        tag = '<soap.greetRequest a="%s"><!--%s--><name>x</name></soap.greetRequest>' % ('a' * 400_000, 'c' * 400_000)
        for encoding in ('utf-8', 'utf-16'):
            self.assertEqual(call(enveloped(tag).encode(encoding))[0], 200)

    def test_what_is_no_xml_is_told(self):
        for text in ('', 'x', '{"a": 1}', '<a>', '--MIME_boundary', b'\xff\xfe\x00', b'<?xml version="1.0" encoding="none-such"?><a/>'):
            self.assertEqual(fault(text, self.fail)[0], 'Client', text)


    def test_namespaces_are_those_of_their_element(self):
        free = '<soap.freeRequest %s>%%s</soap.freeRequest>' % XSI
        service = 'xmlns:s="urn:zato:services"'
        # A prefix, which may be bound anew inside, and a default, which may be taken back, and which attributes do not have.
        for inside, seen in (('<s:a %s/>' % service, {'a': ''}),
                             ('<a xmlns=""><b/></a>', {'a': {'b': ''}}),
                             ('<a xmlns="http://www.w3.org/2001/XMLSchema-instance" nil="true"/>', {'a': ''}),
                             ('<a xmlns:j="http://www.w3.org/2001/XMLSchema-instance" j:nil="true"/>', {'a': None}),
                             ('<a xmlns:i="urn:x" i:nil="true"/><b i:nil="true"/>', {'a': '', 'b': None}),
                             ('<a i:type="int" xml:lang="en" xmlns:xml="http://www.w3.org/XML/1998/namespace">1</a>', {'a': 1})):
            self.assertEqual(given('soap.free', inside), seen)
        self.assertEqual(given('soap.greet', '<name xmlns=""/><s:count %s>1</s:count>' % service), {'name': '', 'count': 1})
        for inside in ('<p:a/>', '<a p:b=""/>', '<a><b xmlns:p="urn:p"/><p:c/></a>', '<a xmlns:p=""/>', '<xmlns:a/>', '<:a/>', '<a:/>',
                       '<i:a:b/>', '<i:1/>', '<a i:b="" j:b="" xmlns:j="http://www.w3.org/2001/XMLSchema-instance"/>',
                       '<a xmlns:xml="urn:x"/>', '<a xmlns:xmlns="urn:x"/>', '<a xmlns:p="http://www.w3.org/2000/xmlns/"/>'):
            code, told = fault(enveloped(free % inside), self.fail)
            self.assertEqual((code, told[:22]), ('Client', 'the message is no XML:'), inside)


class Operations(unittest.TestCase):

    def test_a_channel_calls_its_services_and_no_others(self):
        self.assertEqual(call(enveloped('<soap.greetRequest/>'), path='/soap/one')[0], 200)
        told = 'operation %s is unknown here: the element in Body is one that the WSDL names'
        for name in ('soap.freeRequest', 'soap.hiddenRequest', 'noneRequest', 'soap.greet', 'soap.greetResponse', 'Request'):
            self.assertEqual(fault(enveloped('<%s/>' % name), self.fail, '/soap/one'), ('Client', told % name))
        self.assertEqual(fault(enveloped('<soap.hiddenRequest/>'), self.fail)[0], 'Client')
        elsewhere = '<n:soap.greetRequest xmlns:n="urn:another"/>'
        self.assertEqual(fault(enveloped(elsewhere), self.fail)[0], 'Client')

    def test_a_path_that_is_no_channel_calls_nothing(self):
        for path in ('/soap/none', '/soap/one/', '/soap/one\n', '/soap/all:::/soap/one', '/zato/api/invoke/zato-operator.soap', '', None):
            self.assertEqual(fault(enveloped('<soap.greetRequest/>'), self.fail, path)[0], 'Client')

    def test_a_body_has_one_message(self):
        for body in ('', '<soap.greetRequest/><soap.greetRequest/>'):
            self.assertEqual(fault(enveloped(body), self.fail)[1], 'the envelope must have one Body with one element')


class Inputs(unittest.TestCase):

    def test_values_are_what_json_would_have(self):
        self.assertEqual(given('soap.greet', '<name>A &amp; <![CDATA[<B>]]></name><count> 3 </count>'), {'name': 'A & <B>', 'count': 3})
        self.assertEqual(given('soap.greet', '<name></name><count i:nil="true"/>'), {'name': '', 'count': None})
        self.assertEqual(given('soap.greet', ''), {})
        for text, value in (('true', True), ('0', False)):
            self.assertIs(given('soap.add', '<is_exact>%s</is_exact>' % text)['is_exact'], value)
        self.assertEqual(given('soap.add', '<b>1.5e2</b>'), {'b': 150.0})

    def test_elements_that_are_repeated_are_lists(self):
        self.assertEqual(given('soap.add', '<tags>a</tags>')['tags'], ['a'])
        self.assertEqual(given('soap.add', '<tags>a</tags><b>1</b><tags>b</tags>'), {'b': 1.0, 'tags': ['a', 'b']})
        order = given('soap.order', '<customer>Ann</customer><address><street>A</street></address>'
                      '<lines><street>B</street><number>2</number></lines><lines><street>C</street></lines>')
        self.assertEqual(order, {'customer': 'Ann', 'address': {'street': 'A'}, 'lines': [{'street': 'B', 'number': 2}, {'street': 'C'}]})
        # A list that is required is there without an element, too.
        self.assertEqual(given('soap.order', '')['lines'], [])

    def test_what_the_schema_does_not_have_is_refused(self):
        for service, content, told in (
                ('soap.greet', '<other/>', 'element other in soap.greetRequest is unknown'),
                ('soap.greet', '<x:name xmlns:x="urn:x"/>', 'element name in soap.greetRequest is unknown'),
                ('soap.greet', '<name/><name/>', 'element name in soap.greetRequest is there twice'),
                ('soap.greet', '<name><a/></name>', 'element name must be text, and has elements inside'),
                ('soap.greet', '<count>five</count>', 'element count is no integer'),
                ('soap.greet', '<count/>', 'element count is no integer'),
                ('soap.add', '<b>1_0</b>', 'element b is no number'),
                ('soap.add', '<is_exact>yes</is_exact>', 'element is_exact is no boolean')):
            text = enveloped('<%sRequest>%s</%sRequest>' % (service, content, service))
            self.assertEqual(fault(text, self.fail), ('Client', told))

    def test_what_code_declares_is_no_part_of_the_schema(self):
        shape = gate.TABLE['services']['soap.greet']['input']
        shape['open'] = True
        self.addCleanup(shape.pop, 'open')
        self.assertEqual(given('soap.greet', '<name>A</name><more>1</more><more>2</more>'), {'name': 'A', 'more': ['1', '2']})

    def test_a_service_that_declares_nothing_gets_what_is_there(self):
        content = '<a>1</a><b><c>x</c><c>y</c></b><d i:type="xs:int">2</d><e i:nil="1"/><f i:type="xs:boolean">true</f>'
        self.assertEqual(given('soap.free', content), {'a': '1', 'b': {'c': ['x', 'y']}, 'd': 2, 'e': None, 'f': True})


class Answers(unittest.TestCase):

    def test_elements_come_in_the_order_of_the_schema(self):
        self.assertEqual(answered('soap.greet', {'count': 2, 'other': 'x', 'greeting': 'Hi <&>'}),
                         '<t:greeting>Hi &lt;&amp;&gt;</t:greeting><t:count>2</t:count>')
        # Around the output of the class form.
        self.assertEqual(answered('soap.add', {'response': {'note': None, 'tags': ['a', 'b'], 'sum': 1.5, 'kinds': True}}),
                         '<t:sum>1.5</t:sum><t:kinds>true</t:kinds><t:note xsi:nil="true"></t:note><t:tags>a</t:tags><t:tags>b</t:tags>')
        self.assertEqual(answered('soap.rows', {'response': [{'odd': 0, 'row': 1}, {'odd': 1, 'row': 2}]}),
                         '<t:item><t:row>1</t:row><t:odd>0</t:odd></t:item><t:item><t:row>2</t:row><t:odd>1</t:odd></t:item>')
        self.assertEqual(answered('soap.rows', {'response': []}), '')

    def test_an_answer_without_a_schema_says_what_its_values_are(self):
        self.assertEqual(answered('soap.free', {'a': [1, 'x'], 'b': {'c': True}, 'd': None, 'e': Decimal('1.50')}),
                         '<t:a xsi:type="xs:integer">1</t:a><t:a>x</t:a><t:b><t:c xsi:type="xs:boolean">true</t:c></t:b>'
                         '<t:d xsi:nil="true"></t:d><t:e>1.50</t:e>')
        self.assertEqual(answered('soap.free', 'text\r'), '<t:item>text&#13;</t:item>')
        self.assertEqual(answered('soap.free', [1.5]), '<t:item><t:item xsi:type="xs:double">1.5</t:item></t:item>')
        for empty in ('', None):
            self.assertEqual(answered('soap.free', empty), '')

    def test_what_cannot_be_written_is_a_fault_and_is_noted(self):
        for service, payload in (('soap.free', {'a b': 1}), ('soap.free', {'a': '\0'}), ('soap.free', '\ud800'), ('soap.greet', [1]),
                                 ('soap.greet', {'greeting': {'a': 1}}), ('soap.order', 'x')):
            noted = []
            code, _ = fault(enveloped('<%sRequest/>' % service), lambda *_: payload, log=noted.append)
            self.assertEqual((code, len(noted)), ('Server', 1), payload)

    def test_errors_are_told_as_zato_tells_them(self):
        class Theirs(Exception):
            status = 400
            msg = 'a secret'

        def raising(error):
            def invoke(*_):
                raise error
            return invoke

        for error, told in ((BadRequest('cid', 'No <such>', needs_msg=True), ('Client', 'No <such>')),
                            (BadRequest('cid', 'a secret'), ('Client', 'Bad request')),
                            (Forbidden('cid', 'Not for you'), ('Client', 'Not for you')),
                            (ValueError('a secret'), ('Server', 'An error has occurred')),
                            (KeyError('soap.greet'), ('Server', 'An error has occurred')),
                            (Theirs(), ('Server', 'An error has occurred'))):
            self.assertEqual(fault(enveloped('<soap.greetRequest/>'), raising(error)), told)


if __name__ == '__main__':
    unittest.main()

""" Written by zato-operator: opens and makes the envelopes of SOAP, which Zato 3.2 does not know. A channel for SOAP leads here;
the service that its message names is invoked, if the channel calls it. It goes with the last such channel.
"""

import json
import re
from traceback import format_exc
from xml.parsers import expat
from xml.sax.saxutils import escape

from zato.server.service import Service

# What each path calls, and what the messages of services have inside.
TABLE = json.loads('{}')

# Of a request.
MOST_BYTES = 10_000_000
# Attributes are counted with them.
MOST_ELEMENTS = 200_000
MOST_DEPTH = 100
# Of one element.
MOST_ATTRIBUTES = 100
# Characters of the URI of a namespace.
MOST_URI = 1_000
# How much the parser gets at a time, and how much of one tag or comment, without its end, it may keep.
PIECE = 64 * 1024
MOST_OPEN = 1_000_000

NAMESPACE = 'urn:zato:services'
XSI = 'http://www.w3.org/2001/XMLSchema-instance'
XS = 'http://www.w3.org/2001/XMLSchema'
XML = 'http://www.w3.org/XML/1998/namespace'
XMLNS = 'http://www.w3.org/2000/xmlns/'
SOAP11 = 'http://schemas.xmlsoap.org/soap/envelope/'
SOAP12 = 'http://www.w3.org/2003/05/soap-envelope'
CONTENT_TYPES = {SOAP11: 'text/xml; charset=utf-8', SOAP12: 'application/soap+xml; charset=utf-8'}
CODES = {SOAP11: {'sender': 'Client', 'receiver': 'Server', 'version': 'VersionMismatch', 'header': 'MustUnderstand'},
         SOAP12: {'sender': 'Sender', 'receiver': 'Receiver', 'version': 'VersionMismatch', 'header': 'MustUnderstand'}}

NAME = re.compile(r'[A-Za-z_][A-Za-z0-9._-]*')
# A prefix, if there is one, and the local part. What else a name may have inside, expat has seen to.
PREFIXED = re.compile(r'(?:([^:\d.-][^:]*):)?([^:\d.-][^:]*)')
# One that is longer takes its time.
INTEGER = re.compile(r'[+-]?[0-9]{1,500}')
NUMBER = re.compile(r'[+-]?([0-9]{1,500}\.?[0-9]{0,500}|\.[0-9]{1,500})([eE][+-]?[0-9]{1,9})?|[+-]?INF|NaN')
BOOLEANS = {'true': True, '1': True, 'false': False, '0': False}
# What XML has no way to write.
NO_TEXT = re.compile('[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]')


class Fault(Exception):
    """ What the caller is told, and whose fault it is. """

    def __init__(self, text, code='sender'):
        super().__init__(text)
        self.text = text
        self.code = code


# Requests: from text to elements.

class Element:
    """ One of a request. Names, those of attributes, too, are a URI, empty where there is no namespace, and a local part. """
    __slots__ = ('name', 'attributes', 'children', 'parts')

    def __init__(self, name, attributes):
        self.name = name
        self.attributes = attributes
        self.children = []
        self.parts = []

    @property
    def local(self):
        return self.name[1]

    @property
    def text(self):
        return ''.join(self.parts)

    @property
    def is_nil(self):
        return self.attributes.get((XSI, 'nil'), '').strip() in ('true', '1')


class Reader:
    """ Reads a document that nobody vouches for: without definitions of its own, and within bounds.

    Prefixes are resolved here. Expat would write the whole URI into each name: a message of 2 MB becomes 2 GB.
    """

    def __init__(self):
        self.root = None
        self.path = []
        self.count = 0
        # The namespaces that prefixes have here, and, for each element of the path, what those that it binds had before.
        # There is no copy for each element: with many prefixes, it would take its time.
        self.bound = {'': '', 'xml': XML}
        self.before = []
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self.doctype
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.CharacterDataHandler = self.data

    def read(self, raw):
        if len(raw) > MOST_BYTES:
            raise Fault('the message has more than %d bytes' % MOST_BYTES)
        try:
            self.feed(raw)
        except (expat.ExpatError, ValueError, LookupError) as error:
            raise Fault('the message is no XML: %s' % error)
        return self.root

    def feed(self, raw):
        """ In pieces: a Fault of a handler comes out at the end of its piece, and nothing after that is parsed. """
        seen = 0
        for start in range(0, max(len(raw), 1), PIECE):
            end = start + PIECE
            self.parser.Parse(raw[start:end], end >= len(raw))
            # Handlers see a tag when all its attributes are in memory, and expat may begin it anew with each piece. Where
            # expat has only kept a piece, for later, there is no index.
            seen = max(seen, self.parser.CurrentByteIndex)
            if end - seen > MOST_OPEN:
                raise Fault('the message has a tag or a comment of more than %d bytes' % MOST_OPEN)

    # Entities are made in such definitions alone: none of them is ever read.
    def doctype(self, *_):
        raise Fault('the message has a DOCTYPE, which SOAP forbids')

    def start(self, name, attributes):
        self.count += 1 + len(attributes)
        if self.count > MOST_ELEMENTS or len(self.path) >= MOST_DEPTH:
            raise Fault('the message has more than %d elements and attributes, or %d elements within each other'
                        % (MOST_ELEMENTS, MOST_DEPTH))
        if len(attributes) > MOST_ATTRIBUTES:
            raise Fault('the message has an element with more than %d attributes' % MOST_ATTRIBUTES)
        before, attributes = self.scope(attributes)
        prefix, local = parts_of(name)
        element = Element((self.uri_of(prefix), local), attributes)
        if self.path:
            self.path[-1].children.append(element)
        else:
            self.root = element
        self.path.append(element)
        self.before.append(before)

    def scope(self, attributes):
        """ Binds what an element binds; the answer is what these prefixes had before, and the attributes that are left. """
        before, others = {}, []
        for name, value in attributes.items():
            prefix, local = parts_of(name)
            if prefix == 'xmlns':
                before[local] = self.bind(local, value)
            elif name == 'xmlns':
                before[''] = self.bind('', value)
            else:
                others.append((prefix, local, value))
        # Only now: a prefix may be bound behind its use. One without a prefix has no namespace, whatever the default is.
        resolved = {(self.uri_of(prefix) if prefix else '', local): value for prefix, local, value in others}
        if len(resolved) != len(others):
            raise Fault('the message is no XML: an element has an attribute twice')
        return before, resolved

    def bind(self, prefix, uri):
        """ From here on; the answer is what the prefix had before. """
        if len(uri) > MOST_URI:
            raise Fault('the message has a namespace of more than %d characters' % MOST_URI)
        # What namespaces in XML reserve; and only the default one can be taken back.
        if (prefix == 'xml') != (uri == XML) or prefix == 'xmlns' or uri == XMLNS or (prefix and not uri):
            raise Fault('the message is no XML: prefix %s must not have this namespace' % prefix)
        before = self.bound.get(prefix)
        self.bound[prefix] = uri
        return before

    def uri_of(self, prefix):
        uri = self.bound.get(prefix)
        if uri is None:
            raise Fault('the message is no XML: prefix %s has no namespace' % prefix)
        return uri

    def end(self, _):
        self.path.pop()
        self.bound.update(self.before.pop())

    def data(self, text):
        self.path[-1].parts.append(text)


def parts_of(name):
    """ The prefix, which may be empty, and the local part. """
    match = PREFIXED.fullmatch(name)
    if not match:
        raise Fault('the message is no XML: %s is no name' % name)
    return match.group(1) or '', match.group(2)


def version_of(root):
    """ The namespace of the envelope. """
    for version in CONTENT_TYPES:
        if root.name == (version, 'Envelope'):
            return version
    raise Fault('the message is no envelope of SOAP 1.1 or 1.2', 'version')


def message_of(root, version):
    """ The one element in the body. """
    for header in (child for child in root.children if child.name == (version, 'Header')):
        for block in header.children:
            if block.attributes.get((version, 'mustUnderstand'), '').strip() in ('true', '1'):
                raise Fault('header %s is not understood' % block.local, 'header')
    bodies = [child for child in root.children if child.name == (version, 'Body')]
    if len(bodies) != 1 or len(bodies[0].children) != 1:
        raise Fault('the envelope must have one Body with one element')
    return bodies[0].children[0]


# Requests: from elements to values.

def input_of(shape, element):
    """ What the service gets. """
    if shape == 'any':
        return grouped(element.children)
    if 'item' in shape:
        item = shape['item']
        return fields_of([item], element).get(item['name'], [] if item.get('list') else '')
    if shape.get('open'):
        return fields_of(shape['fields'], element, is_open=True)
    return value_of(shape, element)


def fields_of(fields, element, is_open=False):
    known = {field['name']: field for field in fields}
    found = {field['name']: [] for field in fields if field.get('list') and field.get('required')}
    if is_open:
        found.update(grouped([child for child in element.children if child.local not in known]))
    for child in element.children:
        name = child.local
        if is_open and name not in known:
            continue
        if name not in known or child.name not in (('', name), (NAMESPACE, name)):
            raise Fault('element %s in %s is unknown' % (name, element.local))
        field = known[name]
        value = None if child.is_nil else value_of(field['kind'], child)
        if field.get('list'):
            found.setdefault(name, []).append(value)
        elif name in found:
            raise Fault('element %s in %s is there twice' % (name, element.local))
        else:
            found[name] = value
    return found


def value_of(kind, element):
    """ A value as JSON would have it. """
    if kind == 'any':
        return any_of(element)
    if 'model' in kind:
        return fields_of(TABLE['models'][kind['model']], element)
    if 'fields' in kind:
        return fields_of(kind['fields'], element)
    if 'items' in kind:
        return fields_of([{'name': 'item', 'kind': kind['items'], 'list': True, 'required': True}], element)['item']
    if 'map' in kind:
        names = {child.local for child in element.children}
        return fields_of([dict(kind['map'], name=name) for name in sorted(names)], element)
    if element.children:
        raise Fault('element %s must be text, and has elements inside' % element.local)
    return simple(kind, element)


def simple(kind, element):
    text = element.text
    if kind == 'text':
        return text
    text = text.strip()
    if kind == 'boolean' and text in BOOLEANS:
        return BOOLEANS[text]
    if kind == 'integer' and INTEGER.fullmatch(text):
        return int(text)
    if kind == 'number' and NUMBER.fullmatch(text):
        return float(text)
    raise Fault('element %s is no %s' % (element.local, kind))


KINDS = {'boolean': 'boolean', 'integer': 'integer', 'int': 'integer', 'long': 'integer', 'short': 'integer',
         'double': 'number', 'float': 'number', 'decimal': 'number'}


def any_of(element):
    """ Without a schema: elements inside make a dict, the same one twice a list; text is what its xsi:type says. """
    if element.is_nil:
        return None
    if element.children:
        return grouped(element.children)
    kind = element.attributes.get((XSI, 'type'), '').split(':')[-1].strip()
    return simple(KINDS.get(kind, 'text'), element)


def grouped(elements):
    found = {}
    for child in elements:
        found.setdefault(child.local, []).append(any_of(child))
    return {name: values if len(values) > 1 else values[0] for name, values in found.items()}


# Answers: from values to text.

def output_of(shape, answer):
    """ What stands in the element of the answer, in the order of the schema. """
    if shape == 'any':
        if answer is None or answer == '':
            return ''
        return any_inside(answer) if isinstance(plain(answer), dict) else written_any('item', answer)
    if 'item' in shape:
        return written(shape['item'], answer)
    return inside(shape, {} if answer is None or answer == '' else answer)


def written(field, value):
    """ One element, none, or several. """
    name = field['name']
    if field.get('list'):
        if value is None or value == '':
            return ''
        values = value if isinstance(value, (list, tuple, set, frozenset)) else [value]
        return ''.join(written(dict(field, list=False, nil=True), one) for one in values)
    if value is None:
        # Also where the schema has no word for it: a caller must see that there is nothing.
        return tag(name, '', ' xsi:nil="true"') if field.get('nil') or field.get('required') else ''
    if field['kind'] == 'any':
        return written_any(name, value)
    return tag(name, inside(field['kind'], value))


def inside(kind, value):
    value = plain(value)
    if 'items' in kind:
        return written({'name': 'item', 'kind': kind['items'], 'list': True}, value)
    if 'map' in kind:
        return ''.join(written(dict(kind['map'], name=name), one) for name, one in known(value, 'map').items())
    if 'model' in kind or 'fields' in kind:
        fields = TABLE['models'][kind['model']] if 'model' in kind else kind['fields']
        found = known(value, 'object')
        there = (field for field in fields if field['name'] in found or field.get('required'))
        return ''.join(written(field, found.get(field['name'])) for field in there)
    if isinstance(value, (dict, list, tuple, set, frozenset)):
        raise Fault('the answer has %s where its schema has %s' % (type(value).__name__, kind), 'receiver')
    return text_of(value)


def known(value, what):
    if not isinstance(value, dict):
        raise Fault('the answer has %s where its schema has an %s' % (type(value).__name__, what), 'receiver')
    return value


def written_any(name, value):
    """ Without a schema: xsi:type says what is no text. """
    value = plain(value)
    if value is None:
        return tag(name, '', ' xsi:nil="true"')
    if isinstance(value, (dict, list, tuple, set, frozenset)):
        return tag(name, any_inside(value))
    kinds = [(bool, 'boolean'), (int, 'integer'), (float, 'double')]
    kind = next((kind for type_, kind in kinds if isinstance(value, type_)), None)
    return tag(name, text_of(value), ' xsi:type="xs:%s"' % kind if kind else '')


def any_inside(value):
    value = plain(value)
    out = []
    for name, one in value.items() if isinstance(value, dict) else [('item', value)]:
        several = one if isinstance(one, (list, tuple, set, frozenset)) else [one]
        out += [written_any(name, each) for each in several]
    return ''.join(out)


def plain(value):
    """ A model as a dict. """
    return value.to_dict() if hasattr(value, 'to_dict') else value


def text_of(value):
    if isinstance(value, bool):
        value = 'true' if value else 'false'
    elif isinstance(value, float):
        value = repr(value).replace('inf', 'INF').replace('nan', 'NaN')
    elif isinstance(value, bytes):
        value = value.decode('utf8', 'replace')
    elif hasattr(value, 'isoformat'):
        value = value.isoformat()
    value = str(value)
    if NO_TEXT.search(value):
        raise Fault('the answer has a character that XML does not have', 'receiver')
    return escaped(value)


def escaped(text):
    return escape(text, {'\r': '&#13;'})


def tag(name, content, attributes=''):
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise Fault('the answer has a key that is no name in XML: %s' % NO_TEXT.sub('?', repr(name)), 'receiver')
    return '<t:%s%s>%s</t:%s>' % (name, attributes, content, name)


# The whole.

def respond(root, version, path, invoke):
    """ The element of the answer. """
    operations = TABLE.get('channels', {}).get(path)
    if operations is None:
        raise Fault('no channel for SOAP answers at this path')
    message = message_of(root, version)
    operation = message.local[:-len('Request')] if message.local.endswith('Request') else ''
    service = operations.get(operation)
    if service is None or message.name != (NAMESPACE, operation + 'Request'):
        raise Fault('operation %s is unknown here: the element in Body is one that the WSDL names' % message.local)
    shape = TABLE['services'][service]
    answer = invoke(service, input_of(shape['input'], message))
    if shape['around'] and isinstance(answer, dict) and list(answer) == [shape['around']]:
        answer = answer[shape['around']]
    names = ' xmlns:t="%s" xmlns:xsi="%s" xmlns:xs="%s"' % (NAMESPACE, XSI, XS)
    return tag(operation + 'Response', output_of(shape['output'], answer), names)


def fault_of(error):
    """ As Zato tells errors over HTTP: its own have a text for callers, of others nothing is told. """
    if isinstance(error, Fault):
        return error
    status = getattr(error, 'status', None)
    if not isinstance(status, int) or not hasattr(error, 'needs_msg'):
        return Fault('An error has occurred', 'receiver')
    text = error.msg if error.needs_msg or status != 400 else 'Bad request'
    return Fault(NO_TEXT.sub('?', str(text)), 'sender' if 400 <= status < 500 else 'receiver')


def fault_text(version, fault):
    code, text = CODES[version][fault.code], escaped(NO_TEXT.sub('?', fault.text))
    if version == SOAP11:
        return '<e:Fault><faultcode>e:%s</faultcode><faultstring>%s</faultstring></e:Fault>' % (code, text)
    return ('<e:Fault><e:Code><e:Value>e:%s</e:Value></e:Code><e:Reason><e:Text xml:lang="en">%s</e:Text></e:Reason>'
            '</e:Fault>' % (code, text))


def answer(raw, content_type, path, invoke, log):
    """ The status, the content type and the envelope for a request. """
    version = SOAP12 if content_type.strip().lower().startswith('application/soap+xml') else SOAP11
    try:
        root = Reader().read(raw)
        version = version_of(root)
        status, body = 200, respond(root, version, path, invoke)
    except Exception as error:
        fault = fault_of(error)
        if fault.code == 'receiver':
            log(format_exc())
        status, body = 500, fault_text(version, fault)
    text = '<?xml version="1.0" encoding="UTF-8"?>\n<e:Envelope xmlns:e="%s"><e:Body>%s</e:Body></e:Envelope>' % (version, body)
    return status, CONTENT_TYPES[version], text


class Soap(Service):
    name = 'zato-operator.soap'

    def handle(self):
        raw = self.request.raw_request
        raw = raw.encode('utf8') if isinstance(raw, str) else raw or b''
        # The path as it was asked for: what stands in front of three colons is part of it, and makes it unknown.
        environ = self.wsgi_environ
        log = lambda text: self.logger.error('SOAP: %s', text)
        response = answer(raw, environ.get('CONTENT_TYPE') or '', environ.get('PATH_INFO'), self.invoke, log)
        self.response.status_code, self.response.content_type, self.response.payload = response

"""Validates the documents under a folder. One line for each check, then the sum; status 1 if one failed.

    check.py FOLDER
"""

import json
import sys
from pathlib import Path

import yaml
import zeep
from jsonschema import Draft202012Validator, FormatChecker
from lxml import etree
from openapi_spec_validator import OpenAPIV30SpecValidator, OpenAPIV31SpecValidator

MESSAGES = Path(__file__).parents[2] / 'tests' / 'openapi' / 'messages.json'
VALIDATORS = {'3.0.3': OpenAPIV30SpecValidator, '3.1.0': OpenAPIV31SpecValidator}


TEXT = {'type': 'string'}
PAIRS = {'type': 'array', 'items': {'type': 'object', 'required': ['key', 'value'], 'properties': {'key': TEXT, 'value': TEXT}}}
# What Postman's collection format v2.1.0 says of the parts that a collection of apispec has.
POSTMAN = {
    'type': 'object',
    'required': ['info', 'item'],
    'properties': {
        'info': {
            'required': ['name', 'schema'],
            'properties': {
                'name': TEXT,
                'schema': {'const': 'https://schema.getpostman.com/json/collection/v2.1.0/collection.json'},
            },
        },
        'auth': {'required': ['type', 'basic'], 'properties': {'type': {'const': 'basic'}, 'basic': PAIRS}},
        'variable': PAIRS,
        'item': {'type': 'array', 'minItems': 1, 'items': {
            'required': ['name', 'request'],
            'properties': {
                'name': TEXT,
                'request': {
                    'required': ['method', 'url'],
                    'properties': {
                        'method': {'const': 'POST'},
                        'description': TEXT,
                        'header': PAIRS,
                        'url': {
                            'required': ['raw'],
                            'properties': {
                                'raw': TEXT,
                                'host': {'type': 'array', 'items': TEXT},
                                'path': {'type': 'array', 'items': TEXT},
                            },
                        },
                        'body': {'required': ['mode', 'raw'], 'properties': {'mode': {'const': 'raw'}, 'raw': TEXT}},
                    },
                },
                'response': {'type': 'array'},
            },
        }},
    },
}


def load(path):
    text = path.read_text()
    # Not the loader's idea of types: the document must read the same in both formats.
    return json.loads(text) if path.suffix == '.json' else yaml.load(text, yaml.CSafeLoader)


def openapi(path):
    document = load(path)
    VALIDATORS[document['openapi']](document).validate()
    assert document['paths'], 'no path'


def same(path):
    other = path.parent.with_name(path.parent.name.replace('-json', '-yaml')) / 'openapi.yaml'
    assert load(path) == load(other), f'{other} differs'


def answers(path):
    """What Zato's own SimpleIO and models answered is what the document says of the service."""
    document = load(path)
    services = {item['post']['x-zato-service']: item['post'] for item in document['paths'].values()}
    for name, messages in json.loads(MESSAGES.read_text()).items():
        schema = services[name]['responses']['200']['content']['application/json']['schema']
        validator = Draft202012Validator(
            {**schema, 'components': document['components']}, format_checker=FormatChecker())
        for message in messages:
            validator.validate(message)
        # A schema that takes everything would prove nothing.
        assert list(validator.iter_errors(5)), f'{name}: anything is accepted'


def wsdl(path):
    """A SOAP client reads it, both bindings have all operations, and the types are a valid XML schema."""
    client = zeep.Client(path.as_uri())
    services = {item['post']['x-zato-service'] for item in load(path.with_name('openapi.json'))['paths'].values()}
    ports = client.wsdl.services['Zato'].ports
    assert sorted(ports) == ['Soap11Port', 'Soap12Port'], ports
    for port in ports.values():
        actions = {operation.soapaction for operation in port.binding.all().values()}
        assert actions == services, actions ^ services
    etree.XMLSchema(schema_of(path))


def messages(path):
    """What a SOAP client makes of the article's request is what the schema accepts, and nothing else is."""
    client = zeep.Client(path.as_uri())
    schema = etree.XMLSchema(schema_of(path))
    for port in 'Soap11Port', 'Soap12Port':
        service = client.bind('Zato', port)
        envelope = client.create_message(service, 'api.get.user.account', account_id=5, user_type='a')
        body = envelope[-1][0]
        schema.assertValid(body)
        body[0].text = 'five'
        assert not schema.validate(body), 'a word is taken for a number'


def postman(path):
    """The collection has the format's form, and each example is what the document says of the service's input."""
    collection = json.loads(path.read_text())
    Draft202012Validator(POSTMAN).validate(collection)
    document = load(path.with_name('openapi.json'))
    services = {item['post']['x-zato-service']: item['post'] for item in document['paths'].values()}
    assert sorted(services) == [item['name'] for item in collection['item']]
    for item in collection['item']:
        schema = services[item['name']]['requestBody']['content']['application/json']['schema']
        validator = Draft202012Validator(
            {**schema, 'components': document['components']}, format_checker=FormatChecker())
        validator.validate(json.loads(item['request']['body']['raw']))


def schema_of(path):
    return etree.parse(str(path)).find('.//{http://www.w3.org/2001/XMLSchema}schema')


def damaged(path):
    """A validator that finds nothing in a broken document would prove nothing."""
    document = load(path)
    next(iter(document['paths'].values()))['post'].pop('responses')
    document['components']['schemas']['a'] = {'type': 'float'}
    errors = list(VALIDATORS[document['openapi']](document).iter_errors())
    assert errors, 'no error was found'


def checks(folder):
    for path in sorted(folder.glob('*/openapi.*')):
        yield openapi, path
    for path in sorted(folder.glob('*-json/openapi.json')):
        yield same, path
        yield damaged, path
        yield wsdl, path.with_name('services.wsdl')
    for path in sorted(folder.glob('*-3.1-json/postman.json')):
        yield postman, path
    yield messages, folder / 'services-3.1-json' / 'services.wsdl'
    yield answers, folder / 'services-3.1-json' / 'openapi.json'


def main(folder):
    passed = failed = 0
    for check, path in checks(Path(folder)):
        try:
            check(path)
            passed += 1
            print('ok', check.__name__, path.relative_to(folder))
        except Exception as error:
            failed += 1
            print('FAILED', check.__name__, path.relative_to(folder), '-', str(error)[:500])
    print(f'{passed} passed, {failed} failed')
    return 1 if failed or not passed else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1]))

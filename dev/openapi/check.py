"""Validates the documents under a folder. One line for each check, then the sum; status 1 if one failed.

    check.py FOLDER
"""

import json
import sys
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import OpenAPIV30SpecValidator, OpenAPIV31SpecValidator

MESSAGES = Path(__file__).parents[2] / 'tests' / 'openapi' / 'messages.json'
VALIDATORS = {'3.0.3': OpenAPIV30SpecValidator, '3.1.0': OpenAPIV31SpecValidator}


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

"""SimpleIO: what a service declares as its input and output, and how values are converted."""

import datetime
import decimal
import typing
import uuid

from zato.common.bunch import Bunch, bunchify
from zato.common.exception import BadRequest
from zato.server.service.inference import by_name
from zato.server.service.model import is_model, to_plain

TRUE = ('true', 'yes', 'on', '1', 'y', 't')


class Element:
    """One name of an input or output."""

    def __init__(self, name, *keys, is_required=True):
        self.is_required = is_required and not name.startswith('-')
        self.name = name.lstrip('-')
        # The keys of a dict: names or elements.
        self.keys = [Element(key) if isinstance(key, str) else key for key in keys]

    def convert(self, value):
        """Without a type of its own, an element is a boolean, an integer or a text by its name."""
        if self.name in by_name.bool_config:
            return to_boolean(value)
        if self.name in by_name.int_config:
            return Int.convert(self, value)
        return value if isinstance(value, (str, dict, list)) else str(value)

    def left_out(self):
        """The value of what is not required and not there."""
        return False if self.name in by_name.bool_config else ''

    def give(self, value):
        """The value as it goes out."""
        if value is None and self.name not in by_name.bool_config:
            return None
        return self.convert(value)


class AsIs(Element):
    def convert(self, value):
        return value


class Int(Element):
    def convert(self, value):
        return int(value) if value else value


class Float(Element):
    def convert(self, value):
        return float(value) if value else value

    def give(self, value):
        return 0.0 if value is None else self.convert(value)


class Decimal(Element):
    def convert(self, value):
        return decimal.Decimal(value)

    def give(self, value):
        return str(value)


class Bool(Element):
    def convert(self, value):
        return to_boolean(value)

    def left_out(self):
        return False

    def give(self, value):
        return to_boolean(value)


class Text(Element):
    def convert(self, value):
        return str(value)


class DateTime(Element):
    def convert(self, value):
        return datetime.datetime.fromisoformat(value.replace('Z', '+00:00'))

    def give(self, value):
        return value.isoformat() if isinstance(value, datetime.datetime) else value


class Date(DateTime):
    def give(self, value):
        return value.date().isoformat() if isinstance(value, datetime.datetime) else value


class UUID(Element):
    def convert(self, value):
        return uuid.UUID(value)

    def give(self, value):
        return value.hex if isinstance(value, uuid.UUID) else value


class ListElement(Element):
    def convert(self, value):
        return value if isinstance(value, list) else [value]

    def give(self, value):
        return [] if value is None else self.convert(value)


class DictElement(Element):
    def convert(self, value):
        """Other keys than those that are named do not get in; one that may be left out is an empty text."""
        if not self.keys:
            return dict(value)
        missing = [key.name for key in self.keys if key.is_required and key.name not in value]
        if missing:
            raise ValueError('Missing keys: %s' % missing)
        return {key.name: value.get(key.name, '') for key in self.keys}


class DictList(DictElement):
    def convert(self, value):
        return [DictElement.convert(self, item) for item in value]


def to_boolean(value):
    return str(value).lower() in TRUE


def elements(declared, is_required=True):
    """A name, an element, or a tuple or list of them; a name that starts with `-` is optional."""
    if not declared:
        return []
    if isinstance(declared, (str, Element)):
        declared = (declared,)
    out = []
    for item in declared:
        element = Element(item) if isinstance(item, str) else item
        element.is_required = element.is_required and is_required
        out.append(element)
    return out


class Declaration:
    """The SimpleIO of one service class: an inner class SimpleIO, or attributes of the service itself."""

    def __init__(self, class_):
        inner = getattr(class_, 'SimpleIO', None)
        source = inner or class_
        self.input, self.input_model = self.read(source, 'input')
        # The first one that is missing is told.
        self.input.sort(key=lambda element: (not element.is_required, element.name))
        self.output, self.output_model = self.read(source, 'output')
        # Around what an inner class declares as output.
        self.response_element = getattr(inner, 'response_elem', 'response') if inner else None

    @staticmethod
    def read(source, direction):
        declared = getattr(source, direction, None)
        if is_model(declared) or any(map(is_model, typing.get_args(declared))):
            return [], declared
        return elements(declared) + elements(getattr(source, direction + '_required', None)) + elements(
            getattr(source, direction + '_optional', None), is_required=False), None

    def parse_input(self, payload, cid, channel_params):
        """Parameters of the channel replace what the payload has by their names, and are input without a declaration,
        too. A payload that is no dict leaves elements without a value, required ones as well."""
        payload = payload or {}
        is_dict = isinstance(payload, dict)
        if self.input_model:
            if not is_dict and not isinstance(payload, list):
                raise TypeError('No input for a model: %r' % payload)
            return self.input_model.from_dict(dict(payload, **channel_params) if is_dict else channel_params, cid)
        if not self.input:
            return Bunch(payload, **channel_params) if is_dict else Bunch(channel_params)
        if not is_dict:
            return Bunch(dict.fromkeys(element.name for element in self.input), **channel_params)
        given = dict(payload, **channel_params)
        return Bunch(channel_params, **{element.name: self.arrived(element, given, cid) for element in self.input})

    @staticmethod
    def arrived(element, given, cid):
        if element.name in given:
            value = given[element.name]
            # A value that cannot be converted is an error of the service, not of the caller.
            return None if value is None else bunchify(element.convert(value))
        if element.is_required:
            raise BadRequest(cid, 'Element missing: %s' % element.name, needs_msg=True)
        return element.left_out()

    def shape_output(self, payload):
        """Only what is declared goes out; a required element that was not set is an error of the service."""
        payload = to_plain(payload)
        if not self.output or isinstance(payload, (str, bytes)):
            return payload
        shaped = self.shape(payload)
        return {self.response_element: shaped} if self.response_element else shaped

    def shape(self, payload):
        if isinstance(payload, list):
            return [self.shape(item) for item in payload]
        for element in self.output:
            if element.is_required and element.name not in payload:
                raise ValueError('Missing required output element `%s`' % element.name)
        return {element.name: element.give(payload[element.name]) for element in self.output if element.name in payload}

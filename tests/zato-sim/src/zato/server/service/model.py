"""Dataclass models as the input and output of services."""

import dataclasses
import typing

from zato.common.exception import BadRequest


class Model:
    """Base class of dataclasses that a service takes or returns."""

    @classmethod
    def from_dict(cls, data, cid=None):
        """Fields without a default are required."""
        if not isinstance(data, dict):
            raise BadRequest(cid, 'Expected an object for %s' % cls.__name__)
        out = cls.__new__(cls)
        hints = typing.get_type_hints(cls)
        for field in dataclasses.fields(cls):
            if field.name in data:
                value = convert(data[field.name], hints[field.name], cid)
            elif is_optional(hints[field.name]) or has_default(field):
                value = default_of(field)
            else:
                raise BadRequest(cid, 'Element `%s` is required' % field.name)
            setattr(out, field.name, value)
        return out

    def to_dict(self):
        """Fields that were never set are left out: init=False leaves them without a value."""
        return {field.name: to_plain(getattr(self, field.name)) for field in dataclasses.fields(self)
                if hasattr(self, field.name)}


def to_plain(value):
    """`value` with each model in it, however deep, turned into a dict."""
    if isinstance(value, Model):
        return value.to_dict()
    if isinstance(value, dict):
        return {key: to_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(item) for item in value]
    return value


def convert(value, hint, cid):
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Union and value is not None:
        return convert(value, next(item for item in arguments if item is not type(None)), cid)
    if is_model(hint):
        return hint.from_dict(value, cid)
    if origin is list and arguments and isinstance(value, list):
        return [convert(item, arguments[0], cid) for item in value]
    if hint in (int, float, str) and isinstance(value, (int, float, str)) and not isinstance(value, bool):
        try:
            return hint(value)
        except ValueError:
            raise BadRequest(cid, 'Could not convert `%s` to %s' % (value, hint.__name__)) from None
    return value


def is_model(hint):
    return isinstance(hint, type) and issubclass(hint, Model)


def is_optional(hint):
    return typing.get_origin(hint) is typing.Union and type(None) in typing.get_args(hint)


def has_default(field):
    return field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING


def default_of(field):
    if field.default is not dataclasses.MISSING:
        return field.default
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return None

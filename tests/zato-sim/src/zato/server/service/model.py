"""Dataclass models as the input and output of services. What is taken follows what Zato 3.2 answered: a type of `typing` is
a list to it, whatever it is, and most values are not looked at."""

import dataclasses
import datetime
import typing

from zato.common.exception import BadRequest

NOTHING = type(None)

# What an optional field is when it is left out.
EMPTY = {str: '', int: 0, bool: 0, float: 0.0, list: [], dict: {}}


class Model:
    """Base class of dataclasses that a service takes or returns."""

    @classmethod
    def from_dict(cls, data, cid=None, path=''):
        """Fields without a default are required."""
        out = cls.__new__(cls)
        for field in sorted(dataclasses.fields(cls), key=lambda field: field.name):
            value = data[field.name] if isinstance(data, dict) and field.name in data else dataclasses.MISSING
            setattr(out, field.name, arrived(field, value, cid, '%s/%s' % (path, field.name)))
        return out

    def to_dict(self):
        return dataclasses.asdict(self)


def arrived(field, value, cid, path):
    """What a field becomes."""
    hint, is_required = field.type, not is_optional(field.type)
    if is_model(hint):
        if not isinstance(value, dict):
            raise BadRequest(cid, 'Element missing: %s' % path, needs_msg=True)
        return hint.from_dict(value, cid, path)
    if value is dataclasses.MISSING:
        return left_out(field, is_required, cid, path)
    if is_list(hint):
        if is_required and not isinstance(value, list):
            raise BadRequest(cid, 'Element is not a list: %s' % path, needs_msg=True)
        item = first_of(hint)
        if value and is_model(item):
            return [item.from_dict(one, cid, '%s[%d]' % (path, index)) for index, one in enumerate(value)]
    return converted(value, first_of(hint) if is_union(hint) else hint)


def left_out(field, is_required, cid, path):
    if field.default is not dataclasses.MISSING:
        return field.default
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    if is_required:
        raise BadRequest(cid, 'Element missing: %s' % path, needs_msg=True)
    kind = first_of(field.type)
    if typing.get_origin(kind) not in (None, list):
        raise TypeError('%s has no empty value' % kind)
    return EMPTY.get(typing.get_origin(kind) or kind)


def converted(value, kind):
    """Only whole numbers and times are converted, and nothing that counts as false."""
    if not value:
        return value
    if kind is int:
        return value if isinstance(value, int) else int(value)
    if kind in (datetime.date, datetime.datetime):
        return kind.fromisoformat(value.replace('Z', '+00:00'))
    return value


def is_model(hint):
    return isinstance(hint, type) and issubclass(hint, Model)


def is_union(hint):
    return typing.get_origin(hint) is typing.Union


def is_optional(hint):
    """None in the second place: with more types it is not seen."""
    return is_union(hint) and typing.get_args(hint)[1] is NOTHING


def is_list(hint):
    """`optional` of one type is a list, too, and all of `typing` that has types inside; `dict[str, int]` and `X | None`, which
    need no `typing`, are not."""
    if is_union(hint):
        first, *rest = typing.get_args(hint)
        return NOTHING in rest[:1] and len(rest) == 1 or is_list(first)
    origin = typing.get_origin(hint)
    return origin is list or origin is not None and type(hint).__module__ == 'typing'


def first_of(hint):
    return next(iter(typing.get_args(hint)), None)


def to_plain(value):
    """A model as a dict, with all that is in it. What a list or a dict has inside stays, and models there cannot be written."""
    return value.to_dict() if isinstance(value, Model) else value

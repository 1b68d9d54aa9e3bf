"""The names for types that services of users import from here."""

from dataclasses import dataclass, field
from datetime import date as date_, datetime, datetime as datetime_
from decimal import Decimal as decimal_
from typing import Any, Callable, Dict, List, Optional, Set, Tuple, Union, cast

any_ = Any
callable_ = Callable
cast_ = cast
dict_ = Dict
list_ = List
optional = Optional
set_ = Set
tuple_ = Tuple
union_ = Union

anydict = Dict[Any, Any]
anydictnone = dictnone = Optional[anydict]
anylist = List[Any]
boolnone = Optional[bool]
dictlist = List[dict]
dtnone = Optional[datetime]
floatnone = Optional[float]
intlist = List[int]
intnone = Optional[int]
stranydict = Dict[str, Any]
strdict = Dict[str, Any]
strint = Union[str, int]
strlist = List[str]
strnone = Optional[str]
strstrdict = Dict[str, str]


def list_field():
    return field(default_factory=list)


def dict_field():
    return field(default_factory=dict)


__all__ = [
    'any_', 'anydict', 'anydictnone', 'anylist', 'boolnone', 'callable_', 'cast_', 'dataclass', 'date_', 'datetime',
    'datetime_', 'decimal_', 'dict_', 'dict_field', 'dictlist', 'dictnone', 'dtnone', 'field', 'floatnone', 'intlist',
    'intnone', 'list_', 'list_field', 'optional', 'set_', 'stranydict', 'strdict', 'strint', 'strlist', 'strnone',
    'strstrdict', 'tuple_', 'union_']

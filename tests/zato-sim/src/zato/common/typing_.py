"""The names for types that services of users import from here."""

from dataclasses import dataclass, field
from datetime import datetime
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
anylist = List[Any]
boolnone = Optional[bool]
dictlist = List[dict]
intlist = List[int]
intnone = Optional[int]
stranydict = Dict[str, Any]
strdict = Dict[str, Any]
strlist = List[str]
strnone = Optional[str]
strstrdict = Dict[str, str]

__all__ = [
    'any_', 'anydict', 'anylist', 'boolnone', 'callable_', 'cast_', 'dataclass', 'datetime', 'dict_', 'dictlist', 'field',
    'intlist', 'intnone', 'list_', 'optional', 'set_', 'stranydict', 'strdict', 'strlist', 'strnone', 'strstrdict',
    'tuple_', 'union_']

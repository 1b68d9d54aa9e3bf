from zato.common.typing_ import any_, anydict, anylist, dict_, dict_field, intnone, list_, list_field, optional, strlist, \
    strnone, union_
from zato.server.service import Model, dataclass


@dataclass(init=False)
class Address(Model):
    """ Where somebody lives. """
    street: str
    number: intnone


@dataclass(init=False)
class Person(Model):
    # Who it is,
    # as in the register
    person_id: int
    name: str  # First and last name
    #: Not shown
    address: Address
    previous: optional[list_[Address]]
    parent: optional['Person']
    tags: strlist
    """ Free
        text. """
    nick: strnone = None
    score: float = 1.5
    is_active: bool = True
    extra: anydict = dict_field()
    rows: anylist = list_field()
    by_name: dict_[str, Address] = dict_field()
    either: union_[int, str] = 'a # b'
    anything: any_ = None


@dataclass(init=False)
class Employee(Person):
    name: str = 'unknown'
    salary: float = 0.0

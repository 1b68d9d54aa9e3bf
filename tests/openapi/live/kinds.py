""" Services with the types that Zato does not take or give as they are declared, so that what documents make of them can
    be tried on a server that runs.
"""

from zato.common.typing_ import any_, anydict, anydictnone, datetime_, decimal_, dict_field, dtnone, list_, list_field, \
    optional, strint, strlist, union_
from zato.server.service import AsIs, Bool, Date, DateTime, Decimal, Dict, DictList, Float, Int, List, Model, Service, UUID, \
    dataclass


@dataclass(init=False)
class Part(Model):
    name: str
    made: datetime_


@dataclass(init=False)
class Order(Model):
    ordered: datetime_
    delivered: dtnone
    price: decimal_
    parts: list_[Part]
    other: optional[Part]
    tags: strlist
    number: strint
    amount: union_[int, str] = 1
    extra: anydict = dict_field()
    options: dict = dict_field()
    hints: anydictnone = None
    rows: list_[any_] = list_field()


@dataclass(init=False)
class Summary(Model):
    ordered: datetime_
    price: decimal_
    other: optional[Part]
    extra: anydict
    count: int


class Take(Service):
    """ Takes an order and tells what came of it. """
    name = 'kinds.take'
    input = Order
    output = Summary

    def handle(self):
        given = self.request.input
        part = Part()
        part.name, part.made = 'x', '2026-01-31T12:00:00'
        answer = Summary()
        # Zato 3.2 cannot write a time in a model, and takes a list where the other part is declared.
        answer.ordered = str(given.ordered)
        answer.price = decimal_('1.5')
        answer.other = part if given.other else None
        answer.extra = {'options': given.options, 'extra': given.extra}
        answer.count = len(given.parts)
        self.response.payload = answer


class Elements(Service):
    """ Gives back what it was given, by types of elements. """
    name = 'kinds.elements'
    input = Decimal('price'), Date('day'), DateTime('time'), UUID('key'), List('rows'), Dict('place', 'street', '-number'), \
        DictList('parts', 'name'), AsIs('-anything'), Float('-weight'), Bool('-flag')
    output = Decimal('price'), Date('day'), DateTime('time'), UUID('key'), List('rows'), Dict('place', 'street', '-number'), \
        DictList('parts', 'name'), AsIs('-anything'), Float('-weight'), Bool('-flag')

    def handle(self):
        given = self.request.input
        for name in ('price', 'day', 'time', 'key', 'rows', 'place', 'parts', 'anything', 'weight', 'flag'):
            # What was left out is an empty text, whatever its type.
            if given[name] != '':
                setattr(self.response.payload, name, given[name])


class Nothing(Service):
    """ Sets None wherever it may. """
    name = 'kinds.nothing'
    output = '-text', Int('-number'), Date('-day'), DateTime('-time'), UUID('-key'), Float('-weight'), Bool('-flag'), \
        List('-rows'), AsIs('-anything')

    def handle(self):
        for name in ('text', 'number', 'day', 'time', 'key', 'weight', 'flag', 'rows', 'anything'):
            setattr(self.response.payload, name, None)

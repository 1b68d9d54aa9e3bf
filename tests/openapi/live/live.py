""" Services whose answers follow their input, so that what a document says of both can be tried on a server that runs.
"""

from zato.common.typing_ import intnone, list_, optional, strnone
from zato.server.service import Bool, Float, Int, Model, Service, dataclass


@dataclass(init=False)
class Address(Model):
    """ Where somebody lives. """
    street: str
    number: intnone = None


@dataclass(init=False)
class Person(Model):
    person_id: int
    name: str  # First and last name
    address: Address
    previous: optional[list_[Address]] = None
    nick: strnone = None
    score: float = 1.5


@dataclass(init=False)
class Query(Model):
    name: str
    limit: int = 10


class Calculate(Service):
    """ Tells what it was given, by the types of elements. """
    name = 'live.calculate'

    class SimpleIO:
        input_required = 'order_id', Int('amount'), Float('price')
        input_optional = 'note', Bool('final')
        output_required = 'order_id', Int('amount'), Float('total')
        output_optional = 'note', 'is_large'

    def handle(self):
        given = self.request.input
        self.response.payload.order_id = given.order_id
        self.response.payload.amount = given.amount
        self.response.payload.total = given.price
        if given.note:
            self.response.payload.note = given.note
        self.response.payload.is_large = given.amount > 100


class Rename(Service):
    """ Tells a name in capital letters, by names of elements alone. """
    name = 'live.rename'
    input = 'person_id', 'name', '-is_final'
    output = 'person_id', 'name', '-is_final'

    def handle(self):
        given = self.request.input
        self.response.payload = {'person_id': given.person_id, 'name': str(given.name).upper()}


class Hire(Service):
    """ Takes a person and gives the same person. """
    name = 'live.hire'
    input = Person
    output = Person

    def handle(self):
        self.response.payload = self.request.input


class Find(Service):
    """ Finds persons of a name. """
    name = 'live.find'
    input = Query
    output = list_[Person]

    def handle(self):
        address = Address()
        address.street, address.number = 'Street', None
        person = Person()
        person.person_id, person.name, person.address = 1, self.request.input.name, address
        person.previous, person.nick, person.score = [address], None, 1.0
        # Zato 3.2 cannot write a list of models by the path that invokes services.
        self.response.payload = [person.to_dict()]


class Tag(Service):
    """ Gives the tags that it was given. """
    name = 'live.tag'

    class SimpleIO:
        input_required = 'tag'
        output_required = 'tag'
        response_elem = None

    def handle(self):
        self.response.payload.tag = self.request.input.tag


class Undeclared(Service):
    """ Declares nothing. """
    name = 'live.undeclared'

    def handle(self):
        self.response.payload = {'given': bool(self.request.payload)}

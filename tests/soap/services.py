""" Services that SOAP clients call: each form in which Zato 3.2 takes and gives something. """

from dataclasses import dataclass

from zato.common.exception import BadRequest, Forbidden
from zato.common.typing_ import list_, optional
from zato.server.service import Bool, Float, Int, List, Model, Service


class Greet(Service):
    """ Greets somebody.
    """
    name = 'soap.greet'
    input = 'name', Int('-count')
    output = 'greeting', Int('-count'), '-nothing'

    def handle(self):
        count = self.request.input.count or 1
        self.response.payload = {'greeting': ' '.join(['Hello', self.request.input.name] * int(count)), 'count': count,
                                 'nothing': None}


class Add(Service):
    name = 'soap.add'

    class SimpleIO:
        input_required = Int('a'), Float('b'), Bool('is_exact')
        input_optional = List('tags')
        output_required = 'sum', 'kinds', 'note'
        output_optional = List('tags')

    def handle(self):
        given = self.request.input
        self.response.payload.sum = given.a + given.b
        self.response.payload.kinds = ' '.join(type(value).__name__ for value in (given.a, given.b, given.is_exact))
        self.response.payload.note = None
        self.response.payload.tags = given.tags or []


@dataclass(init=False)
class Address(Model):
    street: str
    number: optional[int] = None


@dataclass(init=False)
class Order(Model):
    customer: str
    address: Address
    lines: list_[Address]
    note: optional[str] = None
    is_paid: bool = False
    price: float = 0.0


class PlaceOrder(Service):
    name = 'soap.order'
    input = Order
    output = Order

    def handle(self):
        order = self.request.input
        order.price = order.price * 2
        self.response.payload = order


class Rows(Service):
    name = 'soap.rows'

    class SimpleIO:
        input_optional = Int('count')
        output_required = 'row', 'odd'
        output_repeated = True

    def handle(self):
        self.response.payload = [{'row': row, 'odd': row % 2} for row in range(int(self.request.input.count or 0))]


class Free(Service):
    """ Says nothing of what it takes and gives.
    """
    name = 'soap.free'

    def handle(self):
        self.response.payload = {'got': self.request.payload, 'kinds': [1, 1.5, True, None, 'x & y']}


class Refuse(Service):
    name = 'soap.refuse'
    input = 'how'

    def handle(self):
        how = self.request.input.how
        if how == 'told':
            raise BadRequest(self.cid, 'No <such> thing', needs_msg=True)
        if how == 'untold':
            raise BadRequest(self.cid, 'a secret')
        if how == 'forbidden':
            raise Forbidden(self.cid, 'Not for you')
        raise ValueError('a secret')


class Hidden(Service):
    """ Of no channel.
    """
    name = 'soap.hidden'

    def handle(self):
        self.response.payload = 'a secret'

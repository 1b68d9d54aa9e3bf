from elsewhere import Base, FIELDS, Thing
from zato.server.service import Model, Service, dataclass


def made():
    return ['a']


class Plain:
    pass


class Made(Service):
    name = 'untold.made'
    input = made()
    output = ['x', made()]


class Imported(Service):
    name = 'untold.imported'
    input = FIELDS
    output = Thing


class Named(Service):
    name = f'untold.{made()[0]}'


class OfUnknownBase(Base):
    name = 'untold.base'
    input = 'a'

    def handle(self):
        pass


class Twice(Service):
    name = 'untold.made'


class Both(Service):
    name = 'untold.both'
    input = 'a'

    class SimpleIO:
        input = 'a'
        input_required = 'b'


@dataclass(init=False)
class Unknown(Model):
    thing: Thing
    plain: Plain
    bar: int | None


class NoDataclass(Unknown):
    lost: int


class WithModel(Service):
    name = 'untold.model'
    input = 'a', '-b'
    output = NoDataclass


class ClassWithModel(Service):
    name = 'untold.class-model'

    class SimpleIO:
        input = 'a', 'b'
        output = Unknown


class NotModel(Service):
    name = 'untold.not-model'
    input = Plain

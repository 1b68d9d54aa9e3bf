from models import Employee, Person
from zato.common.typing_ import list_
from zato.server.service import Model, Service, dataclass


@dataclass(init=False)
class Query(Model):
    name: str
    limit: int = 10


class GetPersons(Service):
    """ Finds persons. """
    name = 'users.find'
    input = Query
    output = list_[Person]


class Hire(Service):
    name = 'users.hire'

    class SimpleIO:
        input = Employee
        output = Person


class Rename(Service):
    name = 'users.rename'
    input = 'person_id', 'name', 'is_final'
    output = Person

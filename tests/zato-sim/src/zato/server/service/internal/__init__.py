"""The internal services: those that commands, the dashboard and other servers call."""

from contextlib import contextmanager

from zato.common import odb
from zato.server.service import Service

# How the names of internal services begin.
PREFIXES = ('zato.', 'pub.zato.')


class NoResultFound(Exception):
    """A row that there must be."""

    def __init__(self):
        super().__init__('No row was found for one()')


class IntegrityError(Exception):
    pass


class ProgrammingError(Exception):
    pass


# The last line of a traceback has the full names of the real ones.
NoResultFound.__module__ = 'sqlalchemy.orm.exc'
IntegrityError.__module__ = ProgrammingError.__module__ = 'sqlalchemy.exc'


@contextmanager
def constraints():
    """Around changes that the database may refuse."""
    try:
        yield
    except odb.StatementError as error:
        class_, code = (IntegrityError, 'gkpj') if isinstance(error, odb.IntegrityError) else (ProgrammingError, 'f405')
        raise class_('%s\n(Background on this error at: http://sqlalche.me/e/13/%s)' % (error, code)) from None


class AdminService(Service):
    """`element` is what the answer is put in. It is taken off again for pubapi."""

    element = None

    def answer(self, payload):
        self.response.payload = {self.element: payload}

    def one(self, sql, *parameters):
        """The row that there must be."""
        row = self.server.odb.row(sql, *parameters)
        if row is None:
            raise NoResultFound
        return row

    def cluster_id(self):
        return self.request.input.cluster_id or self.server.cluster_id

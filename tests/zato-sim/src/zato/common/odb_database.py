"""What the databases of the ODB have in common: the way rows are read and changed, and errors that are not the driver's.

It knows no SQL of one of them and no driver."""

from contextlib import contextmanager


class StatementError(Exception):
    """A statement that the database refuses. The text begins with the name that the real driver has for it."""


class IntegrityError(StatementError):
    """It refuses it because of a constraint."""


class Database:
    """`kind` is the name that commands have for it, `engine` the one in server.conf. Rows are Bunches; times in them are
    texts, and parameters stand for question marks.

    Subclasses have `connection()`, in which each statement acts at once, `transaction()`, in which all of them act or none,
    and `create(sequences, statements)`, which makes tables. What both give has `execute(sql, parameters)`, with the rows as
    its result's `fetchone()` and `fetchall()`, and `insert(table, values)`, which returns the id of the new row."""

    kind = engine = None
    host = port = username = password = db_name = ''

    def rows(self, sql, *parameters):
        with self.connection() as connection:
            return connection.execute(sql, parameters).fetchall()

    def row(self, sql, *parameters):
        """The first row, or None."""
        rows = self.rows(sql, *parameters)
        return rows[0] if rows else None

    def execute(self, sql, *parameters):
        """Changes rows."""
        with self.transaction() as connection:
            connection.execute(sql, parameters)

    @contextmanager
    def connection(self):
        raise NotImplementedError

    @contextmanager
    def transaction(self):
        raise NotImplementedError

    def has_table(self, name):
        raise NotImplementedError

    def create(self, sequences, statements):
        raise NotImplementedError


def insert_sql(table, columns):
    return 'insert into %s (%s) values (%s)' % (table, ', '.join(columns), ', '.join('?' * len(columns)))

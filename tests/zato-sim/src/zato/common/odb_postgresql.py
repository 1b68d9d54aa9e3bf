"""The ODB on PostgreSQL.

A process keeps its sessions open, as the real servers do: settings of the database act on those that begin later. One that
the database has ended is noticed before it is used again, so that nothing else has to know of it."""

import re
import threading
from contextlib import contextmanager

import pg8000.dbapi as driver

from zato.common.bunch import Bunch
from zato.common.odb_database import Database, IntegrityError, StatementError, insert_sql
from zato.common.odb_schema import SEQUENCES

driver.paramstyle = 'qmark'

# Seconds that the database may take to answer.
TIMEOUT = 30

# Types of parameters: bytes are told as such, so that a column of text gets them as bytea_output wants it. What the others
# are the database sees from the statement.
BYTES, UNSAID = 17, 0

TIMESTAMP = 1114

ESCAPED = re.compile(rb'\\(\\|[0-7]{3})')

UNIQUE_VIOLATION = '23505'

# Names of types where those of SQLite are others. `create odb` takes what is there already for its own.
TYPES = (('INTEGER PRIMARY KEY AUTOINCREMENT', 'SERIAL PRIMARY KEY'), ('DATETIME', 'TIMESTAMP'), ('BLOB', 'BYTEA'),
         ('DEFAULT (0)', 'DEFAULT false'))
IF_NOT_EXISTS = (('create table if not exists ', 'create table '), ('create table ', 'create table if not exists '),
                 ('create index ', 'create index if not exists '), ('create unique index ', 'create unique index if not exists '))

# The tables whose ids come from a column of their own.
SERIAL = ('auth_user',)


class Rows(list):

    def fetchall(self):
        return self

    def fetchone(self):
        return self[0] if self else None


class Connection:
    """One session."""

    def __init__(self, settings):
        self.raw = driver.connect(timeout=TIMEOUT, **settings)
        self.raw.autocommit = True
        self.raw.register_in_adapter(TIMESTAMP, time_text)
        self.raw.register_in_adapter(BYTES, bytes_of)
        self.is_broken = False

    def execute(self, sql, parameters=()):
        cursor = self.raw.cursor()
        try:
            cursor.setinputsizes(*(BYTES if isinstance(value, bytes) else UNSAID for value in parameters))
            cursor.execute(sql, tuple(parameters))
            return rows_of(cursor)
        except driver.DatabaseError as error:
            raise refused(error) from None
        except Exception:
            self.is_broken = True
            raise

    def insert(self, table, values):
        """Most ids are those of a sequence that no column knows of."""
        if table in SEQUENCES:
            number = self.execute("select nextval('%s') as id" % SEQUENCES[table]).fetchone().id
            values = dict(values, id=number)
        sql = insert_sql(table, values)
        if table in SERIAL:
            return self.execute(sql + ' returning id', values.values()).fetchone().id
        self.execute(sql, values.values())
        return values.get('id')

    def answers(self):
        try:
            self.execute('select 1')
        except Exception:
            return False
        return True

    def close(self):
        try:
            self.raw.close()
        except Exception:
            # It is broken already.
            pass


def refused(error):
    """The driver knows no other constraints than those on what is unique."""
    if isinstance(error.args[0], dict) and error.args[0].get('C') == UNIQUE_VIOLATION:
        return IntegrityError('(pg8000.core.IntegrityError) %s' % error)
    return StatementError('(pg8000.core.ProgrammingError) %s' % error)


def rows_of(cursor):
    if cursor.description is None:
        return Rows()
    names = [column[0] for column in cursor.description]
    return Rows(Bunch(zip(names, row)) for row in cursor.fetchall())


def bytes_of(text):
    """In either form of bytea_output; the driver knows one of them."""
    if text.startswith('\\x'):
        return bytes.fromhex(text[2:])
    return ESCAPED.sub(lambda found: b'\\' if found[1] == b'\\' else bytes([int(found[1], 8)]), text.encode())


def time_text(text):
    """As rows of SQLite have it."""
    seconds, _, fraction = text.partition('.')
    return '%s.%s' % (seconds, fraction.ljust(6, '0'))


class PostgresqlOdb(Database):

    kind, engine = 'postgresql', 'postgresql+pg8000'

    def __init__(self, host, port, username, password, db_name):
        self.host, self.port, self.username, self.password, self.db_name = host, port, username, password, db_name
        self.idle = []
        self.lock = threading.Lock()

    def connect(self):
        return Connection({'host': self.host, 'port': int(self.port), 'user': self.username, 'password': self.password,
                           'database': self.db_name})

    def take(self):
        """The session that was used last, or a new one."""
        while True:
            with self.lock:
                connection = self.idle.pop() if self.idle else None
            if connection is None:
                return self.connect()
            if connection.answers():
                return connection
            connection.close()

    @contextmanager
    def connection(self):
        connection = self.take()
        try:
            yield connection
        finally:
            if connection.is_broken:
                connection.close()
            else:
                with self.lock:
                    self.idle.append(connection)

    @contextmanager
    def transaction(self):
        with self.connection() as connection:
            connection.execute('begin')
            try:
                yield connection
                connection.execute('commit')
            except BaseException:
                if not connection.is_broken:
                    connection.execute('rollback')
                raise

    def has_table(self, name):
        return self.row('select to_regclass(?) is not null as is_there', name).is_there

    def create(self, sequences, statements):
        """Each by itself, and nothing that is there again: a command that is interrupted leaves a part."""
        with self.connection() as connection:
            for sequence in sequences:
                connection.execute('create sequence if not exists %s' % sequence)
            for statement in statements:
                connection.execute(translated(statement))


def translated(statement):
    for old, new in TYPES + IF_NOT_EXISTS:
        statement = statement.replace(old, new)
    return statement

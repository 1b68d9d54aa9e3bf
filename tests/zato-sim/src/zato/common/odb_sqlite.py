"""The ODB as a file of SQLite. Foreign keys are not minded, as in the real one."""

import os
import sqlite3
from contextlib import closing, contextmanager

from zato.common.bunch import Bunch
from zato.common.odb_database import Database, IntegrityError, insert_sql

sqlite3.register_converter('BOOLEAN', lambda raw: bool(int(raw)))

# Seconds that a connection waits for the lock of another one.
LOCK_TIMEOUT = 30


class Connection(sqlite3.Connection):

    def execute(self, sql, parameters=()):
        try:
            return super().execute(sql, parameters)
        except sqlite3.IntegrityError as error:
            raise IntegrityError('(sqlite3.IntegrityError) %s' % error) from None

    def insert(self, table, values):
        return self.execute(insert_sql(table, values), tuple(values.values())).lastrowid


class SqliteOdb(Database):

    kind = engine = 'sqlite'

    def __init__(self, path):
        self.db_name = os.path.abspath(path)

    def connect(self, mode='rw'):
        """Only `create odb` may make the file."""
        connection = sqlite3.connect('file:%s?mode=%s' % (self.db_name, mode), uri=True, timeout=LOCK_TIMEOUT,
                                     isolation_level=None, detect_types=sqlite3.PARSE_DECLTYPES, factory=Connection)
        connection.row_factory = _as_bunch
        return connection

    @contextmanager
    def connection(self):
        with closing(self.connect()) as connection:
            yield connection

    @contextmanager
    def transaction(self, mode='rw'):
        """It holds the write lock until the end of the block."""
        with closing(self.connect(mode)) as connection:
            try:
                connection.execute('begin immediate')
                yield connection
                connection.execute('commit')
            except BaseException:
                if connection.in_transaction:
                    connection.execute('rollback')
                raise

    def has_table(self, name):
        if not os.path.exists(self.db_name):
            return False
        return bool(self.row("select 1 from sqlite_master where type='table' and name=?", name))

    def create(self, _sequences, statements):
        with self.transaction('rwc') as connection:
            for statement in statements:
                connection.execute(statement)


def _as_bunch(cursor, row):
    return Bunch((column[0], value) for column, value in zip(cursor.description, row))

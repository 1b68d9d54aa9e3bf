"""Access to the ODB. SQLite is the one engine there is; another one is another class with the same methods."""

import os
import sqlite3
from contextlib import contextmanager
from datetime import datetime, timezone

from zato.common.bunch import Bunch

sqlite3.register_converter('BOOLEAN', lambda raw: bool(int(raw)))

# Seconds that a connection waits for the lock of another one.
LOCK_TIMEOUT = 30


class SqliteOdb:

    def __init__(self, path):
        self.path = path

    def connect(self, create=False):
        """Only `create odb` may make the file."""
        mode = 'rwc' if create else 'rw'
        connection = sqlite3.connect('file:%s?mode=%s' % (self.path, mode), uri=True, timeout=LOCK_TIMEOUT,
                                     isolation_level=None, detect_types=sqlite3.PARSE_DECLTYPES)
        connection.row_factory = _as_bunch
        return connection

    @contextmanager
    def transaction(self, create=False):
        """A connection that holds the write lock until the end of the block: all of it happens or nothing."""
        connection = self.connect(create)
        try:
            connection.execute('begin immediate')
            yield connection
            connection.execute('commit')
        except BaseException:
            if connection.in_transaction:
                connection.execute('rollback')
            raise
        finally:
            connection.close()

    def rows(self, sql, *parameters):
        connection = self.connect()
        try:
            return connection.execute(sql, parameters).fetchall()
        finally:
            connection.close()

    def row(self, sql, *parameters):
        """The first row, or None."""
        rows = self.rows(sql, *parameters)
        return rows[0] if rows else None

    def execute(self, sql, *parameters):
        """Changes rows; returns the id of the row that was inserted last."""
        with self.transaction() as connection:
            return connection.execute(sql, parameters).lastrowid


def _as_bunch(cursor, row):
    return Bunch((column[0], value) for column, value in zip(cursor.description, row))


def from_config(config):
    """The ODB of a server.conf or of another file with a section [odb]."""
    if config.odb.engine != 'sqlite':
        raise ValueError('no such database engine here: %s' % config.odb.engine)
    return SqliteOdb(config.odb.db_name)


def from_arguments(arguments):
    """The ODB of a `create ..` command. All the arguments are read, whatever the database type: from-config, which
    knows only what stands in its file, fails here for the lines that the file lacks."""
    settings = (arguments.odb_type, arguments.sqlite_path, arguments.odb_host, arguments.odb_port, arguments.odb_user,
                arguments.postgresql_schema)
    return from_path(settings[0], settings[1] or arguments.odb_db_name)


def from_path(kind, path):
    if kind != 'sqlite':
        raise ValueError('no such database type here: %s' % kind)
    return SqliteOdb(os.path.abspath(path))


def insert(connection, table, /, **values):
    """Inserts one row; returns its id."""
    sql = 'insert into %s (%s) values (%s)' % (table, ', '.join(values), ', '.join('?' * len(values)))
    return connection.execute(sql, tuple(values.values())).lastrowid


def now():
    return datetime.now(timezone.utc).strftime('%Y-%m-%d %H:%M:%S.%f')

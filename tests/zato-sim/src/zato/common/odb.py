"""Access to the ODB: which database it is, by the words of commands and configuration files. How it is used: Database in
odb_database.py. Nothing here or above knows a driver."""

from datetime import datetime, timezone
from urllib.parse import unquote

from zato.common import crypto
from zato.common.odb_database import IntegrityError, StatementError
from zato.common.odb_sqlite import SqliteOdb

__all__ = ('IntegrityError', 'StatementError', 'from_arguments', 'from_config', 'from_dashboard', 'insert', 'now')


def from_config(config):
    """The ODB of a server.conf or of another file with a section [odb]. What follows a # in the password is lost on the way:
    a defect of the real thing."""
    odb = config.odb
    if odb.engine == 'sqlite':
        return SqliteOdb(odb.db_name)
    if odb.engine == 'postgresql+pg8000':
        return postgresql(odb.host, odb.port, odb.username, odb.password.partition('#')[0], odb.db_name)
    raise ValueError('no such database engine here: %s' % odb.engine)


def from_arguments(arguments):
    """The ODB of a `create ..` command. For SQLite all the arguments are read: from-config, which knows only what stands in
    its file, fails here for the lines that the file lacks."""
    if arguments.odb_type == 'postgresql':
        return postgresql(arguments.odb_host, arguments.odb_port, arguments.odb_user, arguments.odb_password,
                          arguments.odb_db_name)
    settings = (arguments.odb_type, arguments.sqlite_path, arguments.odb_host, arguments.odb_port, arguments.odb_user,
                arguments.postgresql_schema)
    return of_file(settings[0], settings[1] or arguments.odb_db_name)


def from_arguments_of_odb(arguments):
    """That of `create odb`, which gets by with less."""
    if arguments.odb_type == 'postgresql':
        return from_arguments(arguments)
    return of_file(arguments.odb_type, arguments.sqlite_path or arguments.odb_db_name)


def from_dashboard(settings):
    """The ODB of a web-admin.conf."""
    kind = settings.get('db_type', 'sqlite')
    if kind == 'postgresql':
        password = crypto.decrypt(settings['zato_secret_key'], settings['DATABASE_PASSWORD'])
        return postgresql(settings['DATABASE_HOST'], settings['DATABASE_PORT'], settings['DATABASE_USER'], password,
                          settings['DATABASE_NAME'])
    return of_file(kind, settings['DATABASE_NAME'])


def of_file(kind, path):
    if kind != 'sqlite':
        raise ValueError('no such database type here: %s' % kind)
    return SqliteOdb(path)


def postgresql(host, port, username, password, db_name):
    """The password goes through a URL: % and two digits are decoded, a defect of the real thing."""
    # Only those who need it load the driver.
    from zato.common.odb_postgresql import PostgresqlOdb
    return PostgresqlOdb(host, port, username, unquote(password or ''), db_name)


def insert(connection, table, /, **values):
    """Inserts one row; returns its id."""
    return connection.insert(table, values)


def now():
    return datetime.now(timezone.utc).strftime('%Y-%m-%d %H:%M:%S.%f')

"""The `create` commands. Each takes its arguments as attributes and returns the exit code."""

import os

from zato.cli import files
from zato.cli.prompt import password_of
from zato.common import crypto, odb, odb_rows, odb_schema
from zato.common.bunch import Bunch

OK = 0
NOT_EMPTY = 5
SERVER_NAME_EXISTS = 7
NO_SUCH_CLUSTER = 8


def secret_key(_arguments):
    print(crypto.new_key())
    return OK


def odb_(arguments):
    """Fails when the tables are there, with --skip-if-exists as well."""
    password_of(arguments, 'odb_password')
    database = odb.from_arguments_of_odb(arguments)
    if database.has_table('install_state'):
        # Only alembic gives it the row with the version that the message would tell.
        raise LookupError('No row was found for one()')
    database.create(odb_schema.SEQUENCES.values(),
                    odb_schema.CLUSTER_TABLES + odb_schema.SSO_TABLES + odb_schema.UNUSED_TABLES)
    print('OK')
    return OK


def cluster(arguments):
    password_of(arguments, 'odb_password')
    database = odb.from_arguments(arguments)
    if option(arguments, 'skip_if_exists'):
        # What it looks at is whether the tables exist, not whether the cluster does.
        database.rows('select 1 from cluster')
        print('OK')
        return OK
    key = option(arguments, 'secret_key') or crypto.new_key()
    password = option(arguments, 'admin_invoke_password') or crypto.encrypt_password(key, crypto.random_password())
    with database.transaction() as connection:
        cluster_id = odb_rows.add_cluster(
            connection, database, arguments.cluster_name, option(arguments, 'lb_host') or '127.0.0.1',
            int(option(arguments, 'lb_port') or 11223), int(option(arguments, 'lb_agent_port') or 20151))
        definition_ids = odb_rows.add_definitions(connection, cluster_id, key, password)
        odb_rows.add_channels(connection, cluster_id, definition_ids)
        odb_rows.add_caches(connection, cluster_id)
    print('OK')
    return OK


def server(arguments):
    odb_password = password_of(arguments, 'odb_password')
    database = odb.from_arguments(arguments)
    path = os.path.abspath(arguments.path)
    os.makedirs(path, exist_ok=True)
    if not files.is_empty(path):
        print('Directory %s is not empty' % path)
        return NOT_EMPTY
    cluster_row = database.row('select id from cluster where name=?', arguments.cluster_name)
    if not cluster_row:
        print('Cluster `%s` does not exist' % arguments.cluster_name)
        return NO_SUCH_CLUSTER
    # The directory is written first: it stays complete if the name turns out to be taken.
    token = files.write_server(path, server_settings(arguments, database, odb_password))
    try:
        with database.transaction() as connection:
            odb.insert(connection, 'server', name=arguments.server_name, token=token, last_join_status='accepted',
                       last_join_mod_date=odb.now(), last_join_mod_by='zato-sim', cluster_id=cluster_row.id)
    except odb.IntegrityError:
        print('Server `%s` already exists' % arguments.server_name)
        return SERVER_NAME_EXISTS
    print('OK')
    return OK


def server_settings(arguments, database, odb_password):
    return Bunch(
        odb=database, odb_password=odb_password, cluster_name=arguments.cluster_name,
        server_name=arguments.server_name, workers=option(arguments, 'threads') or 1,
        http_port=option(arguments, 'http_port') or 17010, ipc_port_start=option(arguments, 'ipc_port_start') or 17050,
        key=option(arguments, 'secret_key') or crypto.new_key(),
        jwt_secret=option(arguments, 'jwt_secret') or crypto.random_password(),
        scheduler_address=option(arguments, 'scheduler_address_for_server') or 'http://127.0.0.1:31530',
        scheduler_username=option(arguments, 'scheduler_api_client_for_server_username') or 'server1',
        scheduler_password=option(arguments, 'scheduler_api_client_for_server_password') or crypto.random_password())


def scheduler(arguments):
    password_of(arguments, 'odb_password')
    database = odb.from_arguments(arguments)
    path = os.path.abspath(arguments.path)
    os.makedirs(path, exist_ok=True)
    if not files.is_empty(path):
        print('Directory %s is not empty' % path)
        return NOT_EMPTY
    cluster_row = database.row('select id from cluster where name=?', arguments.cluster_name)
    if not cluster_row:
        print('Cluster `%s` does not exist' % arguments.cluster_name)
        return NO_SUCH_CLUSTER
    files.write_scheduler(path, Bunch(
        cluster_id=cluster_row.id, odb=database, odb_password=arguments.odb_password, key=option(arguments, 'secret_key') or crypto.new_key(),
        bind_host=option(arguments, 'bind_host') or '0.0.0.0', bind_port=option(arguments, 'bind_port') or 31530, server_address=arguments.server_address_for_scheduler,
        server_username=arguments.server_api_client_for_scheduler_username,
        server_password=arguments.server_api_client_for_scheduler_password,
        client_username=arguments.scheduler_api_client_for_server_username,
        client_password=arguments.scheduler_api_client_for_server_password))
    print('OK')
    return OK


def web_admin(arguments):
    """Makes the user `admin` with a password that nobody is told: `update password` sets another one."""
    password_of(arguments, 'odb_password')
    admin_invoke_password = password_of(arguments, 'admin_invoke_password')
    database = odb.from_arguments(arguments)
    path = os.path.abspath(arguments.path)
    os.makedirs(path, exist_ok=True)
    if not files.is_empty(path):
        print('Directory %s is not empty' % path)
        return NOT_EMPTY
    database.create((), odb_schema.DASHBOARD_TABLES)
    with database.transaction() as connection:
        if not connection.execute("select 1 from auth_user where username='admin'").fetchone():
            odb.insert(connection, 'auth_user', username='admin', is_superuser=True, is_staff=True, is_active=True,
                       password=crypto.hash_password(crypto.random_password()), first_name='', last_name='',
                       email='admin@invalid.example.com', date_joined=odb.now())
    files.write_web_admin(path, database, arguments.odb_password, crypto.new_key(), admin_invoke_password)
    print('OK')
    return OK


def load_balancer(arguments):
    path = os.path.abspath(arguments.path)
    os.makedirs(path, exist_ok=True)
    if not files.is_empty(path):
        print('Directory %s is not empty' % path)
        return NOT_EMPTY
    files.write_load_balancer(path)
    print('OK')
    return OK


def option(arguments, name):
    """An argument that from-config may leave out."""
    return getattr(arguments, name, None)

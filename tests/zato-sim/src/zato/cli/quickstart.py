"""`zato quickstart create`: a whole environment on SQLite."""

import os

from zato.cli import create, files, passwords
from zato.cli.templates import SCRIPT
from zato.common import crypto
from zato.common.bunch import Bunch


def run(arguments):
    path = os.path.abspath(arguments.path)
    os.makedirs(path, exist_ok=True)
    if not files.is_empty(path):
        print('Directory %s is not empty' % path)
        return create.NOT_EMPTY
    if arguments.odb_type != 'sqlite':
        raise ValueError('no such database type here: %s' % arguments.odb_type)
    common = settings(arguments, path)
    dashboard_password = crypto.random_password()
    components = ['load-balancer', 'web-admin']
    create.odb_(common)
    create.cluster(Bunch(common, admin_invoke_password=crypto.encrypt_password(common.secret_key, common.admin_password)))
    for number in range(1, int(arguments.servers) + 1):
        name = 'server%d' % number
        components.append(name)
        create.server(Bunch(common, path=os.path.join(path, name), server_name=name, http_port=17009 + number,
                            ipc_port_start=17040 + 10 * number))
    if not arguments.no_scheduler:
        components.append('scheduler')
        create.scheduler(Bunch(common, path=os.path.join(path, 'scheduler')))
    create.web_admin(Bunch(common, path=os.path.join(path, 'web-admin'), admin_invoke_password=common.admin_password))
    passwords.update(Bunch(path=os.path.join(path, 'web-admin'), username='admin', password=dashboard_password))
    create.load_balancer(Bunch(path=os.path.join(path, 'load-balancer')))
    write_scripts(path, components)
    print('Dashboard user:[admin], password:[%s]' % dashboard_password)
    return create.OK


def settings(arguments, path):
    """The arguments that all the `create` commands share."""
    database = os.path.join(path, 'zato.db')
    admin_password = crypto.random_password()
    client_password = crypto.random_password()
    return Bunch(
        odb_type='sqlite', sqlite_path=database, odb_db_name=database, odb_password='', odb_host='', odb_port='',
        odb_user='', postgresql_schema='', cluster_name=arguments.cluster_name, admin_password=admin_password,
        secret_key=arguments.secret_key or crypto.new_key(), jwt_secret=arguments.jwt_secret_key,
        server_address_for_scheduler='http://127.0.0.1:17010', scheduler_address_for_server='http://127.0.0.1:31530',
        server_api_client_for_scheduler_username='admin.invoke',
        server_api_client_for_scheduler_password=admin_password,
        scheduler_api_client_for_server_username='server1',
        scheduler_api_client_for_server_password=client_password)


def write_scripts(path, components):
    for verb in ('start', 'stop'):
        lines = '\n'.join('zato %s %s' % (verb, name) for name in components)
        files.write(path, 'zato-qs-%s.sh' % verb, mode=0o755, text=SCRIPT.format(verb=verb, lines=lines))

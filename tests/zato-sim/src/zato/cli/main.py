"""The command line: arguments, `from-config`, exit codes."""

import argparse
import sys
import traceback

from zato.cli import create, passwords, process, quickstart, services, sso

EXCEPTION_CAUGHT = 16

# Internal names, as `command=` in a file of from-config has them.
COMMANDS = {
    'create_odb': create.odb_, 'create_cluster': create.cluster, 'create_server': create.server,
    'create_scheduler': create.scheduler, 'create_web_admin': create.web_admin, 'create_lb': create.load_balancer,
    'update_password': passwords.update, 'start': process.start, 'stop': process.stop,
    'sso_create_user': sso.create_user, 'sso_create_super_user': sso.create_super_user}

ODB_FLAGS = ('--odb-type', '--odb-host', '--odb-port', '--odb-user', '--odb-db-name', '--odb-password',
             '--postgresql-schema', '--sqlite-path')
CLIENT_FLAGS = (
    '--scheduler-address-for-server', '--server-address-for-scheduler', '--scheduler-api-client-for-server-username',
    '--scheduler-api-client-for-server-password', '--server-api-client-for-scheduler-username',
    '--server-api-client-for-scheduler-password')


def parser():
    root = argparse.ArgumentParser(prog='zato', allow_abbrev=False)
    commands = root.add_subparsers(required=True, dest='group')
    add_create(commands.add_parser('create').add_subparsers(required=True, dest='what'))
    add(commands, 'from-config', from_config, positionals=('path',))
    add(commands, 'start', process.start, positionals=('path',), switches=('--fg',))
    add(commands, 'stop', process.stop, positionals=('path',))
    add(commands, 'change-password', passwords.change, flags=('--path', '--name', '--password'))
    add(commands, 'set-ide-password', passwords.set_ide, positionals=('path',), flags=('--password',))
    add(commands, 'wait', services.wait, flags=('--address', '--timeout'))
    service = commands.add_parser('service').add_subparsers(required=True, dest='what')
    add(service, 'invoke', services.invoke, positionals=('path', 'name'), flags=('--payload',))
    update = commands.add_parser('update').add_subparsers(required=True, dest='what')
    add(update, 'password', passwords.update, positionals=('path', 'username'), flags=('--password',))
    quick = commands.add_parser('quickstart').add_subparsers(required=True, dest='what')
    command = add(quick, 'create', quickstart.run, positionals=('path',), switches=('--no-scheduler',),
                  flags=('--odb-type', '--cluster-name', '--secret-key', '--jwt-secret-key'))
    command.add_argument('--servers', default=1)
    add_sso(commands.add_parser('sso').add_subparsers(required=True, dest='what'))
    return root


def add_create(commands):
    add(commands, 'secret-key', create.secret_key)
    add(commands, 'odb', create.odb_, flags=ODB_FLAGS, switches=('--skip-if-exists',))
    command = add(commands, 'cluster', create.cluster, positionals=('cluster_name',), switches=('--skip-if-exists',),
                  flags=ODB_FLAGS + ('--lb-host', '--lb-port', '--secret-key', '--admin-invoke-password'))
    command.add_argument('--lb-agent_port')      # the one flag with an underscore
    add(commands, 'server', create.server, positionals=('path', 'cluster_name', 'server_name'),
        flags=ODB_FLAGS + CLIENT_FLAGS + ('--secret-key', '--jwt-secret', '--http-port', '--threads'),
        switches=('--skip-if-exists',))
    add(commands, 'scheduler', create.scheduler, positionals=('path',),
        flags=ODB_FLAGS + CLIENT_FLAGS + ('--cluster-name', '--secret-key', '--bind-host', '--bind-port'))
    add(commands, 'web-admin', create.web_admin, positionals=('path',), flags=ODB_FLAGS + ('--admin-invoke-password',))
    add(commands, 'load-balancer', create.load_balancer, positionals=('path',))


def add_sso(commands):
    of_user = ('path', 'username')
    names = ('--email', '--display-name', '--first-name', '--middle-name', '--last-name', '--password')
    add(commands, 'create-user', sso.create_user, positionals=of_user, flags=names)
    add(commands, 'create-super-user', sso.create_super_user, positionals=of_user, flags=names)
    add(commands, 'lock-user', sso.lock, positionals=of_user)
    add(commands, 'unlock-user', sso.unlock, positionals=of_user)
    add(commands, 'login', sso.login, positionals=of_user)
    add(commands, 'change-user-password', sso.change_password, positionals=of_user, flags=('--password',))
    add(commands, 'reset-totp-key', sso.reset_totp_key, positionals=of_user, flags=('--key', '--key-label'))
    add(commands, 'delete-user', sso.delete, positionals=of_user, switches=('--yes',))


def add(commands, name, function, positionals=(), flags=(), switches=()):
    command = commands.add_parser(name, allow_abbrev=False)
    for item in positionals + flags:
        command.add_argument(item)
    for item in switches:
        command.add_argument(item, action='store_true')
    command.set_defaults(function=function)
    return command


def from_config(arguments):
    """Runs the command that a file of key=value lines names. What the file lacks, the command lacks."""
    values = argparse.Namespace()
    with open(arguments.path) as file:
        for line in file.read().splitlines():
            if line.startswith('#'):
                continue
            key, value = line.split('=', 1)      # a blank line fails here, as it does in the real command
            setattr(values, key.strip(), value.strip())
    return run(COMMANDS[values.command], values, values.command.startswith('create_'))


def run(function, arguments, is_create):
    """A `create` command that fails prints all its arguments, the secret ones as well."""
    try:
        code = function(arguments)
    except Exception:
        traceback.print_exc()
        code = EXCEPTION_CAUGHT
    if code and is_create:
        print('Command failed, arguments: %s' % vars(arguments))
    return code


def main():
    arguments = parser().parse_args()
    return run(arguments.function, arguments, arguments.group == 'create')


if __name__ == '__main__':
    sys.exit(main())

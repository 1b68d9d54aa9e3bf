"""`zato sso ..`: users of single sign-on, through the ODB and the configuration of a server, which need not run."""

import getpass
import os
import socket
import sys

from cryptography.fernet import Fernet

from zato.cli.prompt import password_of
from zato.common import component, config, odb
from zato.common.sso import codes, totp, values
from zato.common.sso.codes import Refused
from zato.common.sso.sessions import Sessions
from zato.common.sso.users import APPROVED, DEFAULT_LABEL, Users, load_settings

USER_EXISTS = 20
PASSWORD_REFUSED = 21
NO_SUCH_USER = 22
NOT_A_SERVER = 23

NAMES = ('email', 'display_name', 'first_name', 'middle_name', 'last_name')


def command(function):
    """A command on the server in `arguments.path`."""
    def run(arguments):
        path = os.path.abspath(arguments.path)
        if component.read_info(path) != 'SERVER':
            print('No server found at `%s`' % path)
            return NOT_A_SERVER
        settings, key = config.load_server(path)
        try:
            return function(Users(odb.from_config(settings), key, load_settings(path)), arguments)
        except Refused as refused:
            if refused.code == codes.USERNAME_TAKEN:
                print('User already exists `%s`' % arguments.username)
                return USER_EXISTS
            print('Password validation error, reason code:`%s`' % refused.code)
            return PASSWORD_REFUSED
    return run


def on_user(function):
    """A command on a user who is there. One who is not approved is not."""
    def run(users, arguments):
        user = users.find('username', arguments.username)
        if not user or user.approval_status != APPROVED:
            print('No such user `%s`' % arguments.username)
            return NO_SUCH_USER
        function(users, user, arguments)
        return 0
    return command(run)


def create(users, arguments, is_super_user):
    password = password_of(arguments, 'password')
    given = {name: getattr(arguments, name, None) for name in NAMES}
    users.create(arguments.username, password, 'auto', is_super_user=is_super_user,
                 sign_up_confirm_token='cli.' + Fernet.generate_key().decode(), **given)
    print('Created %s `%s`' % ('super-user' if is_super_user else 'user', arguments.username))
    return 0


@command
def create_user(users, arguments):
    return create(users, arguments, is_super_user=False)


@command
def create_super_user(users, arguments):
    return create(users, arguments, is_super_user=True)


@on_user
def lock(users, user, _arguments):
    users.set_locked(user.user_id, True, whoami())
    print('Locked user account `%s`' % user.username)


@on_user
def unlock(users, user, _arguments):
    users.set_locked(user.user_id, False, whoami())
    print('Unlocked user account `%s`' % user.username)


@on_user
def login(users, user, _arguments):
    """Asks for no password and looks at nothing that would keep the user out."""
    sessions = Sessions(users.database, users.key, users.settings)
    session = sessions.begin(user, '127.0.0.1', 'Zato CLI %s' % socket.gethostname())
    print('User logged in', {
        'username': user.username, 'user_id': user.user_id, 'ust': sessions.token_of(session['ust']).encode(),
        'creation_time': values.outward(session['creation_time']),
        'expiration_time': values.outward(session['expiration_time']), 'has_w_about_to_exp': False})


@on_user
def change_password(users, user, arguments):
    users.set_password(user.user_id, password_of(arguments, 'password'))
    print('Changed password for user `%s`' % user.username)


@on_user
def reset_totp_key(users, user, arguments):
    key = arguments.key or totp.new_key()
    users.update(user.user_id, totp_key=users.seal(key), totp_label=users.seal(arguments.key_label or DEFAULT_LABEL))
    print('TOTP key for user `%s` reset to `%s`' % (user.username, key))


@on_user
def delete(users, user, arguments):
    if not arguments.yes and not sys.stdin.isatty():
        raise EOFError('no terminal to ask whether to delete')
    users.delete(user.user_id)
    print('Deleted user `%s`' % user.username)


def whoami():
    return '%s@%s' % (getpass.getuser(), socket.gethostname())

"""Commands that set passwords: of the dashboard's users in its database, of security definitions through a server."""

import json
import os
import time

from zato.cli.client import AdminClient
from zato.cli.prompt import password_of
from zato.common import config, crypto, odb

# Seconds that the real command needs after the answer: the change acts by then.
END_SECONDS = 0.5


def update(arguments):
    """`update password`. The path of the dashboard has to be absolute."""
    if not os.path.isabs(arguments.path):
        raise ValueError('path is not absolute: %s' % arguments.path)
    password = password_of(arguments, 'password')
    with open(config.repo_path(arguments.path, 'web-admin.conf')) as file:
        settings = json.load(file)
    database = odb.from_dashboard(settings)
    if not database.row('select id from auth_user where username=?', arguments.username):
        raise ValueError('no such user: %s' % arguments.username)
    database.execute('update auth_user set password=? where username=?', crypto.hash_password(password), arguments.username)
    print('OK')
    return 0


def change(arguments):
    """`change-password`: of a security definition, through a running server."""
    set_password(arguments.path, arguments.name, password_of(arguments, 'password'))
    return 0


def set_ide(arguments):
    """`set-ide-password`. It strips some characters: the last line of its output is what was really set."""
    password = password_of(arguments, 'password')
    for character in '-_=':
        password = password.replace(character, '')
    set_password(arguments.path, 'ide_publisher', password)
    print(password)
    return 0


def set_password(path, name, password):
    client = AdminClient(os.path.abspath(path))
    client.wait()
    listing = client.invoke('zato.security.basic-auth.get-list', {'cluster_id': 1})
    ids = {row['name']: row['id'] for row in listing['zato_security_basic_auth_get_list_response']}
    if name not in ids:
        raise ValueError('no such security definition: %s' % name)
    client.invoke('zato.security.basic-auth.change-password', {
        'id': ids[name], 'password1': password, 'password2': password})
    time.sleep(END_SECONDS)

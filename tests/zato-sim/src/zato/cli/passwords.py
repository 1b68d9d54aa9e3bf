"""Commands that set passwords: of the dashboard's users in its database, of security definitions through a server."""

import base64
import http.client
import json
import os
import time

from zato.cli.prompt import password_of
from zato.common import config, crypto, odb

# Seconds that a command waits for the server to answer.
SERVER_TIMEOUT = 60

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


class AdminClient:
    """Calls a server as admin.invoke. Address and password come from its directory and its ODB."""

    def __init__(self, path):
        settings, key = config.load_server(path)
        host, self.port = config.bind_address(settings)
        self.host = '127.0.0.1' if host == '0.0.0.0' else host
        row = odb.from_config(settings).row("select password from sec_base where name='admin.invoke'")
        credentials = 'admin.invoke:' + crypto.decrypt_password(key, row.password)
        self.headers = {'Authorization': 'Basic ' + base64.b64encode(credentials.encode()).decode()}

    def request(self, method, path, body=None):
        connection = http.client.HTTPConnection(self.host, self.port, timeout=SERVER_TIMEOUT)
        try:
            connection.request(method, path, body, self.headers)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def wait(self):
        end = time.monotonic() + SERVER_TIMEOUT
        while True:
            try:
                if self.request('GET', '/zato/ping')[0] == 200:
                    return
            except OSError:
                if time.monotonic() > end:
                    raise
            time.sleep(0.2)

    def invoke(self, service, payload):
        status, text = self.request('POST', '/zato/admin/invoke', json.dumps({
            'name': service, 'payload': base64.b64encode(json.dumps(payload).encode()).decode(), 'channel': 'invoke',
            'data_format': 'json'}))
        if status != 200:
            raise ValueError('%s: HTTP %d %s' % (service, status, text))
        response = json.loads(text)['response']
        return json.loads(base64.b64decode(response)) if response else None

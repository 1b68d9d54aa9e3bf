"""How commands call a running server."""

import base64
import http.client
import json
import time
from contextlib import closing

from zato.common import config, crypto, odb

# Seconds that a command waits for the server to answer, and those between two tries.
SERVER_TIMEOUT = 60
PAUSE = 0.2

# Seconds that one try may take.
TRY_TIMEOUT = 5


def wait_for(host, port, path, timeout, pause):
    """Whether a GET is a 200 in time."""
    end = time.monotonic() + timeout
    while True:
        try:
            with closing(http.client.HTTPConnection(host, port, timeout=TRY_TIMEOUT)) as connection:
                connection.request('GET', path)
                if connection.getresponse().status == 200:
                    return True
        except (OSError, http.client.HTTPException):
            # It is not there yet.
            pass
        if time.monotonic() > end:
            return False
        time.sleep(pause)


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
        with closing(http.client.HTTPConnection(self.host, self.port, timeout=SERVER_TIMEOUT)) as connection:
            connection.request(method, path, body, self.headers)
            response = connection.getresponse()
            return response.status, response.read().decode()

    def wait(self):
        if not wait_for(self.host, self.port, '/zato/ping', SERVER_TIMEOUT, PAUSE):
            raise TimeoutError('no answer from %s:%s' % (self.host, self.port))

    def invoke(self, service, payload):
        status, text = self.request('POST', '/zato/admin/invoke', json.dumps({
            'name': service, 'payload': base64.b64encode(json.dumps(payload).encode()).decode(), 'channel': 'invoke',
            'data_format': 'json'}))
        if status != 200:
            raise ValueError('%s: HTTP %d %s' % (service, status, text))
        response = json.loads(text)['response']
        return json.loads(base64.b64decode(response)) if response else None

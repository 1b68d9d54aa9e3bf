"""How commands call a running server."""

import http.client
import json
import time
from contextlib import closing

from zato.common import config, crypto, invoke, odb

# Seconds that a command waits for the server to answer, and those between two tries.
SERVER_TIMEOUT = 60
PAUSE = 0.2

# Seconds that one try may take.
TRY_TIMEOUT = 5


def wait_for(host, port, timeout):
    """Whether a server answers in time."""
    end = time.monotonic() + timeout
    while True:
        try:
            with closing(http.client.HTTPConnection(host, port, timeout=TRY_TIMEOUT)) as connection:
                connection.request('GET', '/zato/ping')
                if connection.getresponse().status == 200:
                    return True
        except (OSError, http.client.HTTPException):
            # It is not there yet.
            pass
        if time.monotonic() > end:
            return False
        time.sleep(PAUSE)


class AdminClient:
    """Calls a server as admin.invoke. Address and password come from its directory and its ODB."""

    def __init__(self, path):
        settings, key = config.load_server(path)
        host, self.port = config.bind_address(settings)
        self.host = '127.0.0.1' if host == '0.0.0.0' else host
        row = odb.from_config(settings).row("select password from sec_base where name='admin.invoke'")
        self.credentials = 'admin.invoke', crypto.decrypt_password(key, row.password)

    def wait(self):
        if not wait_for(self.host, self.port, SERVER_TIMEOUT):
            raise TimeoutError('no answer from %s:%s' % (self.host, self.port))

    def invoke(self, service, payload):
        body = invoke.call(service, json.dumps(payload), channel='invoke')
        status, text = invoke.post(self.host, self.port, '/zato/admin/invoke', self.credentials, body, SERVER_TIMEOUT)
        if status != 200:
            raise ValueError('%s: HTTP %d %s' % (service, status, text))
        return invoke.answer(text)

"""How the scheduler calls servers: as admin.invoke, at the address that scheduler.conf has."""

import base64
import http.client
import json
import logging
import ssl
import threading
import time

from zato.common import config

TIMEOUT = 60

# Seconds between two tries to get an answer.
PAUSE = 1

logger = logging.getLogger('zato_scheduler')


class Server:

    def __init__(self, settings):
        self.settings = settings

    def invoke(self, name, payload):
        """The answer of a service; tries until there is one."""
        while True:
            logger.info('Invoking service `%s`', name)
            try:
                encoded = self.post(name, json.dumps(payload))['response']
                answer = json.loads(base64.b64decode(encoded)) if encoded else {}
                return next(iter(answer.values())) if len(answer) == 1 else answer
            except (OSError, http.client.HTTPException, ValueError) as error:
                logger.info('Service invocation error -> `%s` -> %s', name, error)
            time.sleep(PAUSE)

    def run(self, name, payload):
        """In the background and once: what cannot be reached now is lost."""
        threading.Thread(target=self._run, args=(name, payload), daemon=True, name='run').start()

    def _run(self, name, payload):
        try:
            self.post(name, payload, is_async=True)
        except (OSError, http.client.HTTPException, ValueError) as error:
            logger.warning('Invocation error; scheduler -> server -> %s', error)

    def post(self, name, text, **more):
        """ValueError if it is refused."""
        settings = self.settings
        credentials = '%s:%s' % (settings.server_username, settings.server_password)
        headers = {'Authorization': 'Basic ' + base64.b64encode(credentials.encode()).decode()}
        body = dict({'name': name, 'payload': base64.b64encode(text.encode()).decode(), 'data_format': 'json'}, **more)
        host, port = settings.server_host, int(settings.server_port)
        if config.is_true(settings.get('server_use_tls', '')):
            connection = http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=ssl._create_unverified_context())
        else:
            connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT)
        try:
            connection.request('POST', '/zato/admin/invoke', json.dumps(body), headers)
            response = connection.getresponse()
            text = response.read().decode()
        finally:
            connection.close()
        if response.status != 200:
            raise ValueError('%d: %s' % (response.status, text[-300:]))
        return json.loads(text)

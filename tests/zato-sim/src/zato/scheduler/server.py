"""How the scheduler calls servers: as admin.invoke, at the address that scheduler.conf has."""

import http.client
import json
import logging
import threading
import time

from zato.common import config, invoke

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
                answer = invoke.answer(self.post(name, json.dumps(payload))) or {}
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

    def post(self, name, payload, **more):
        """The text that comes back; ValueError if it is refused."""
        settings = self.settings
        host, port = settings.server_host, int(settings.server_port)
        credentials = settings.server_username, settings.server_password
        is_tls = config.is_true(settings.get('server_use_tls', ''))
        status, text = invoke.post(host, port, '/zato/admin/invoke', credentials, invoke.call(name, payload, **more), TIMEOUT, is_tls)
        if status != 200:
            raise ValueError('%d: %s' % (status, text[-300:]))
        return text

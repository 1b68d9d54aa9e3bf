"""What a server has to do with the scheduler: it tells it of changes, and runs services for it."""

import ast
import http.client
import json
import logging
import threading
import time

from zato.common import config, invoke
from zato.server.broadcast import DELAY
from zato.server.service import Request

# Seconds that the scheduler may take to answer, and those between two tries.
TIMEOUT = 5
PAUSE = 3
# Besides, after the first one that failed.
FIRST_PAUSE = 5

# What a service gets whose job has no `extra`: a defect of the real thing.
NOTHING = {'skip_response_elem': True}

logger = logging.getLogger('zato.broker.client')
error_logger = logging.getLogger('zato')


def tell(server, message):
    """On a thread of its own: the change was answered already."""
    threading.Thread(target=deliver, args=(server.config.scheduler, message), daemon=True, name='scheduler').start()


def deliver(settings, message):
    """Until it is taken, without end. What the scheduler took its time for comes again, too, also when there is nobody
    left who wants it: a defect of the real thing."""
    time.sleep(DELAY)
    is_first = True
    while not post(settings, message):
        if is_first:
            logger.info('Waiting for the scheduler to respond (1)')
            time.sleep(FIRST_PAUSE)
            is_first = False
        logger.info('Waiting for the scheduler to respond (2)')
        time.sleep(PAUSE)


def post(settings, message):
    """Whether the scheduler took it."""
    credentials = settings.scheduler_api_username, settings.scheduler_api_password
    host, port = settings.scheduler_host, int(settings.scheduler_port)
    is_tls = config.is_true(settings.get('scheduler_use_tls', ''))
    try:
        return invoke.post(host, port, '/', credentials, message, TIMEOUT, is_tls)[0] < 400
    except (OSError, http.client.HTTPException) as error:
        logger.warning('Scheduler invocation error -> %s (%s:%s)', error, host, port)
        return False


def run(server, name, extra, cid):
    """Runs a service for a job. What fails is only logged."""
    if name not in server.store or name in server.store.deleted:
        raise KeyError(name)
    payload, raw = of_extra(extra)
    threading.Thread(target=_run, args=(server, name, Request(payload, raw), cid), daemon=True, name='job').start()


def _run(server, name, request, cid):
    try:
        server.store.invoke(name, request, cid)
    except Exception:
        error_logger.exception('Could not invoke `%s`, cid:`%s`', name, cid)


def of_extra(text):
    """What `self.request.payload` and `raw_request` are: JSON that has braces, or lines of key=value. With any other text the
    service does not run."""
    if not text:
        return NOTHING, NOTHING
    if '{' in text or '}' in text:
        try:
            return json.loads(text), text
        except ValueError:
            return text.encode(), text
    # As the scheduler sends it: what is not ASCII stays escaped.
    lines = json.dumps(text)[1:-1].replace('\\n', '\n').replace('\\r', '')
    values = dict(key_and_value(line) for line in lines.replace(';', '\n').split('\n')
                  if line and not line.strip().startswith('#'))
    return values, values


def key_and_value(line):
    key, separator, value = line.partition('=')
    if not separator:
        raise ValueError('Each line must be a single key=value entry, not `%s`' % line)
    return key.strip(), simple(value.strip())


def simple(value):
    if value.lower() in ('true', 'yes', 'on', '1'):
        return True
    if value.lower() in ('false', 'no', 'off', '0'):
        return False
    try:
        found = ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return value
    return value if found is None else found

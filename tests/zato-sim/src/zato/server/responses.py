"""Turns what a service returned or raised into a status, headers and a body."""

import json
import traceback
from datetime import datetime, timezone
from decimal import Decimal

from zato.common import config
from zato.common.bunch import Bunch
from zato.common.exception import BadRequest, HTTPException
from zato.common.odb_rows import ADMIN_CHANNEL

# Services whose answer says how the call went.
WITH_ENVIRONMENT = ('zato.ping', 'zato.service.invoke')

# The errors of a service that callers get as a status of their own; the others are a 500.
STATUSES = (400, 401, 403, 404, 405, 429)

JSON, TEXT = 'application/json', 'text/plain'

VERSION = 'Zato 3.2'


def reply(status, body, content_type=None, headers=None, is_cut_off=False):
    """`is_cut_off`: the head of the answer is sent and the body never comes."""
    body = body if isinstance(body, bytes) else body.encode()
    return Bunch(status=status, body=body, content_type=content_type, headers=headers or {}, is_cut_off=is_cut_off)


def not_found(cid):
    return reply(404, 'URL not found (CID:%s)' % cid)


def method_not_supported(cid):
    return reply(405, error_document(cid, 'Unsupported HTTP method'))


def of_service(channel, service):
    """The answer of a service that did not fail. What counts as false is an empty body."""
    response = service.response
    payload = response.payload
    if isinstance(payload, dict) and service.name in WITH_ENVIRONMENT:
        payload = dict(payload, zato_env={'result': 'ZATO_OK', 'cid': service.cid, 'details': ''})
    RequestHandler().set_content_type(response, channel.data_format)
    return reply(response.status_code, to_bytes(payload or None), response.content_type, response.headers)


class RequestHandler:
    """For services: makes of an answer what a channel would send."""

    def set_payload(self, response, _data_format, _transport, _service):
        response.payload = to_bytes(response.payload or None).decode()

    def set_content_type(self, response, data_format):
        response.content_type = response.content_type or (JSON if data_format == 'json' else TEXT)


def to_bytes(payload):
    if isinstance(payload, bytes):
        return payload
    if isinstance(payload, str):
        return payload.encode()
    if payload is None or payload == {}:
        return b''
    return json.dumps(payload, default=written).encode()


def written(value):
    """A value that JSON does not have. Times and models inside of lists cannot be written."""
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError('%r is not JSON serializable' % value)


def of_error(settings, channel, error, cid):
    """Where the channel has no data format, the text of an error is the body. With tracebacks that is a list, and the body
    never comes: a defect of the real thing. The channel of admin.invoke tells all, whatever the settings are."""
    is_admin = channel.name == ADMIN_CHANNEL
    headers, status = {}, 500
    if isinstance(error, HTTPException):
        status = error.status if error.status in STATUSES else 500
        details = error.msg
        if isinstance(error, BadRequest) and not (is_admin or error.needs_msg):
            details = 'Bad request'
        if getattr(error, 'challenge', None):
            headers['WWW-Authenticate'] = error.challenge
    elif is_admin:
        details = pretty(error, cid)
        headers['X-Zato-Message'] = str(error.args).encode('ascii', 'backslashreplace').decode()
    elif config.is_true(settings.misc.return_tracebacks):
        details = [str(item) for item in error.args]
    else:
        details = settings.misc.default_error_message
    if channel.data_format == 'json':
        return reply(status, error_document(cid, details), JSON, headers)
    is_cut_off = isinstance(details, list)
    return reply(status, b'' if is_cut_off else details, headers=headers, is_cut_off=is_cut_off)


def error_document(cid, details):
    document = {'result': 'Error', 'cid': cid}
    if details:
        document['details'] = details
    return json.dumps(document, separators=(',', ':'))


def pretty(error, cid):
    """The cause, where it happened, the traceback; at the end the request's number, the time and the version."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    lines = [
        '··· Error ···', '',
        ">>> %s: '%s'" % (type(error).__name__, error.args[0] if error.args else error.args),
        '>>> File "%s", line %s, in %s' % (frame.filename, frame.lineno, frame.name), '>>>   %s' % frame.line, '',
        '··· Details ···', '',
        ''.join(traceback.format_exception(type(error), error, error.__traceback__)),
        '··· Context ···', '',
        cid, '%s (UTC)' % datetime.now(timezone.utc).replace(tzinfo=None).isoformat(), VERSION]
    return '\n'.join(lines)

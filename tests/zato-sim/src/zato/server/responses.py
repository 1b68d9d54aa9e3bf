"""Turns what a service returned or raised into a status, headers and a body."""

import json
import traceback
from decimal import Decimal

from zato.common import config
from zato.common.bunch import Bunch
from zato.common.exception import HTTPException
from zato.common.odb_rows import ADMIN_CHANNEL, INVOKER_CHANNEL

# Services whose answer says how the call went.
WITH_ENVIRONMENT = ('zato.ping', 'zato.service.invoke')

JSON = 'application/json'


def reply(status, body, content_type='text/plain', headers=None, is_cut_off=False):
    """`is_cut_off`: the head of the answer is sent and the body never comes."""
    body = body if isinstance(body, bytes) else body.encode()
    return Bunch(status=status, body=body, content_type=content_type, headers=headers or {}, is_cut_off=is_cut_off)


def configured(settings, code):
    """The message that server.conf has for a status."""
    section = settings.http_response
    return section['code_%d_message' % code], section['code_%d_content_type' % code]


def refused(settings, status):
    message, content_type = configured(settings, status)
    headers = {'WWW-Authenticate': 'Basic realm="Zato"'} if status == 401 else {}
    return reply(status, message, content_type, headers)


def failure(status, cid, details, headers=None):
    return reply(status, json.dumps({'result': 'Error', 'cid': cid, 'details': details}), JSON, headers)


def of_service(service):
    """The answer of a service that did not fail."""
    response = service.response
    payload = response.payload
    if isinstance(payload, dict) and service.name in WITH_ENVIRONMENT:
        payload = dict(payload, zato_env={'result': 'ZATO_OK', 'cid': service.cid, 'details': ''})
    return reply(response.status_code, to_bytes(payload), response.content_type or JSON, response.headers)


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


def of_error(settings, error, cid, channel):
    """Through /zato/api/invoke an error of a service is a status without a body, unless tracebacks are switched off: a
    defect of the real thing."""
    status = error.status if isinstance(error, HTTPException) else 500
    if channel.name == INVOKER_CHANNEL and status == 500:
        is_cut_off = config.is_true(settings.misc.return_tracebacks)
        return reply(500, b'' if is_cut_off else settings.misc.default_error_message, is_cut_off=is_cut_off)
    if isinstance(error, HTTPException) and status != 500:
        details = error.msg
    elif channel.name == ADMIN_CHANNEL or config.is_true(settings.misc.return_tracebacks):
        details = ''.join(traceback.format_exception(type(error), error, error.__traceback__))
    else:
        details = settings.misc.default_error_message
    is_text = channel.name == ADMIN_CHANNEL or not channel.is_internal
    return failure(status, cid, details if is_text else [details])

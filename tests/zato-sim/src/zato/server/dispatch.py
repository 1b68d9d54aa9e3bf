"""From a request to an answer: finds the channel, checks the credentials, gathers the input, runs the service."""

import json
import logging
import uuid
from urllib.parse import parse_qsl

from zato.common import config
from zato.common.exception import BadRequest
from zato.common.odb_rows import INVOKER_CHANNEL
from zato.server import responses
from zato.server.service import HTTPRequest, Request

logger = logging.getLogger('zato.rest')
error_logger = logging.getLogger('zato')


class Dispatcher:

    def __init__(self, server):
        self.server = server
        self.settings = server.config
        self.unlogged = config.split_list(self.settings.get('logging', {}).get('rest_log_ignore', ''))

    def answer(self, method, target, headers, body):
        cid = uuid.uuid4().hex[:24]
        path, _, query_text = target.partition('?')
        channel, params = self.server.channels.match(method, path)
        if channel is None:
            reply = responses.refused(self.settings, 404)
        elif not self.server.security.is_allowed(channel, headers):
            reply = self.unauthorized(channel, cid)
        elif channel.limit and channel.limit.is_exceeded():
            reply = responses.failure(429, cid, 'Error 429 Too Many Requests')
        else:
            query = dict(parse_qsl(query_text, keep_blank_values=True))
            reply = self.run(channel, HTTPRequest(method, path, query, params, headers), body, cid)
        reply.headers.setdefault('X-Zato-CID', cid)
        if path not in self.unlogged:
            logger.info('REST cha -> cid=%s; %s %s len=%d; %d len=%d', cid, method, path, len(body), reply.status,
                        len(reply.body))
        return reply

    def unauthorized(self, channel, cid):
        if channel.is_internal:
            return responses.refused(self.settings, 401)
        if self.server.security.definition_of(channel).sec_type == 'apikey':
            return responses.failure(401, cid, '401 Unauthorized')
        return responses.failure(401, cid, 'Unauthorized; cid=' + cid, {'WWW-Authenticate': 'Basic realm="zato"'})

    def run(self, channel, http, body, cid):
        try:
            payload = merge(channel, http, parse_body(http, body, cid))
            service = self.server.store.invoke(channel.service_name, Request(payload, body, http), cid)
            return responses.of_service(service)
        except Exception as error:
            error_logger.error('Caught an exception, cid:`%s`', cid, exc_info=error)
            return responses.of_error(self.settings, error, cid, channel)


def parse_body(http, body, cid):
    """The JSON of the body; a request without one has its query string as input."""
    if not body.strip():
        return dict(http.GET)
    try:
        return json.loads(body)
    except ValueError:
        raise BadRequest(cid, 'Could not parse the request') from None


def merge(channel, http, payload):
    """Parameters of the path and of the query string become input where the channel says so."""
    if not channel.merge_url_params_req or not isinstance(payload, dict) or channel.name == INVOKER_CHANNEL:
        return payload
    by_priority = (http.params, http.GET) if channel.url_params_pri == 'qs-over-path' else (http.GET, http.params)
    params = dict(by_priority[0], **by_priority[1])
    if channel.params_pri == 'msg-over-channel-params':
        return dict(params, **payload)
    return dict(payload, **params)

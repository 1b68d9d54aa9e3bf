"""From a request to an answer: finds the channel, checks the credentials, gathers the input, runs the service."""

import json
import logging
import uuid
from urllib.parse import parse_qs, unquote

from zato.common import config
from zato.common.exception import HTTPException, NotFound
from zato.server import matching, responses
from zato.server.service import JSON, HTTPRequest, Request, channel_info

logger = logging.getLogger('zato.rest')


class RateLimitReached(HTTPException):
    status = 429


class Dispatcher:

    def __init__(self, server):
        self.server = server
        self.settings = server.config
        self.unlogged = config.split_list(self.settings.get('logging', {}).get('rest_log_ignore', ''))

    def answer(self, method, target, headers, body, remote_addr=''):
        cid = uuid.uuid4().hex[:24]
        path, _, query = target.partition('?')
        path = unquote(path)
        channel, params = self.server.channels.match(method, path, headers.get('Accept'))
        if method not in matching.METHODS:
            reply = responses.method_not_supported(cid)
        elif channel is None:
            accept = headers.get('Accept')
            logger.warning('URL not found `%s` (Method:%s; Accept:%s; CID:%s)', path, method, accept, cid)
            reply = responses.not_found(cid)
        else:
            http = HTTPRequest(method, path, flattened(query), params, headers, remote_addr)
            reply = self.run(channel, http, body, cid)
        reply.headers.setdefault('X-Zato-CID', cid)
        if path not in self.unlogged:
            logger.info('REST cha -> cid=%s; %s %s len=%d; %d len=%d', cid, method, path, len(body), reply.status,
                        len(reply.body))
        return reply

    def run(self, channel, http, body, cid):
        try:
            if not channel.is_active:
                raise NotFound(cid, 'Channel inactive')
            self.server.channels.check(channel, http.headers, cid)
            if channel.limit and channel.limit.is_exceeded():
                raise RateLimitReached(cid, 'Error 429 Too Many Requests')
            # Before the payload: with priority to the query string, parameters of the path are changed in place.
            params = channel_params(channel, http)
            info = channel_info(channel.name, 'http-soap', self.server.channels.username_of(channel))
            request = Request(payload_of(channel, body), body, http, params, channel.data_format or '', info)
            if channel.service_name in self.server.store.deleted:
                raise KeyError(channel.service_name)
            service = self.server.store.invoke(channel.service_name, request, cid)
            return responses.of_service(channel, service)
        except Exception as error:
            reply = responses.of_error(self.settings, channel, error, cid)
            logger.info('Caught an exception, cid:`%s`, status_code:`%s`', cid, reply.status, exc_info=error)
            return reply


def flattened(query):
    """A name that is there several times has a list."""
    return {name: values if len(values) > 1 else values[0]
            for name, values in parse_qs(query, keep_blank_values=True).items()}


def payload_of(channel, body):
    """What is no JSON stays as it is."""
    if channel.data_format != JSON:
        return body
    if not body:
        return ''
    try:
        return json.loads(body)
    except ValueError:
        return body


def channel_params(channel, http):
    """Parameters of path and query string become input where the channel says so. `params_pri` means nothing."""
    if not channel.merge_url_params_req:
        return {}
    if channel.url_params_pri == 'qs-over-path':
        http.params.update(http.GET)
        return http.params
    return dict(http.GET, **http.params)

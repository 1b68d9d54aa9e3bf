"""How processes call each other: a POST of JSON with basic authentication, and what calls of services and their answers are."""

import base64
import http.client
import json
import ssl
from contextlib import closing


def post(host, port, path, credentials, body, timeout, is_tls=False):
    """Status and text of the answer; OSError or HTTPException without one. `credentials` are a user name and a password."""
    if is_tls:
        connection = http.client.HTTPSConnection(host, port, timeout=timeout, context=ssl._create_unverified_context())
    else:
        connection = http.client.HTTPConnection(host, port, timeout=timeout)
    with closing(connection):
        headers = {'Authorization': 'Basic ' + encoded('%s:%s' % credentials)}
        connection.request('POST', path, json.dumps(body), headers)
        response = connection.getresponse()
        return response.status, response.read().decode()


def call(name, payload, **more):
    """The body that has a service called. The payload is a text."""
    return dict({'name': name, 'payload': encoded(payload), 'data_format': 'json'}, **more)


def answer(text):
    """What a service answered, of the text that came back; None if it was nothing."""
    response = json.loads(text)['response']
    return json.loads(base64.b64decode(response)) if response else None


def encoded(text):
    return base64.b64encode(text.encode()).decode()

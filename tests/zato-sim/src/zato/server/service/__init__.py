"""What services are made of: the base class, its request and response, and the names that services of users import."""

import json
import logging
import re
import traceback
from dataclasses import dataclass
from threading import Thread

from zato.common.bunch import Bunch, bunchify
from zato.common.exception import HTTPException, MethodNotAllowed
from zato.server.service.model import Model
from zato.server.service.sio import AsIs, Bool, Date, DateTime, Decimal, Declaration, DictElement, DictList, Float, Int, \
    ListElement, Text, UUID

JSON = 'json'

Boolean = Bool
Integer = Int
Dict = DictElement
List = ListElement
Opaque = AsIs

__all__ = ['AsIs', 'Bool', 'Boolean', 'Date', 'DateTime', 'Decimal', 'Dict', 'DictList', 'Float', 'Int', 'Integer', 'List',
           'Model', 'Opaque', 'Service', 'Text', 'UUID', 'dataclass']


class HTTPRequest:
    """What of a request is HTTP. Empty for a service that another service invoked."""

    def __init__(self, method='', path='', query=None, params=None, headers=None, remote_addr=''):
        self.method = method
        self.path = path
        self.GET = Bunch(query or {})
        self.params = Bunch(params or {})
        self.headers = headers or {}
        self.user_agent = self.headers.get('User-Agent')
        self.remote_addr = remote_addr

    @classmethod
    def of_environ(cls, environ):
        """What a service gives another one that it invokes."""
        return cls(environ.get('REQUEST_METHOD'), environ.get('PATH_INFO'), environ.get('zato.http.GET'),
                   environ.get('zato.http.path_params'))

    def environ(self):
        """What services see as `self.wsgi_environ`, as far as they are known to look at it."""
        if not self.method:
            return {}
        return {'REQUEST_METHOD': self.method, 'PATH_INFO': self.path, 'CONTENT_TYPE': self.headers.get('Content-Type', '')}


def channel_info(name=None, kind='invoke', username=None):
    """What services see as `self.channel`, as far as they are known to look at it."""
    return Bunch(name=name, type=kind, security=Bunch(username=username))


class Request:
    """`channel_params`: what a channel makes input of besides the body. `channel`: none for a service that another one invoked."""

    def __init__(self, payload=None, raw=b'', http=None, channel_params=None, data_format=JSON, channel=None):
        self.payload = bunchify(payload)
        self.raw_request = raw
        self.http = http or HTTPRequest()
        self.channel_params = channel_params or {}
        self.data_format = data_format
        self.channel = channel or channel_info()
        self.input = Bunch()


class Response:
    """`payload` is a Bunch until a service assigns something else."""

    def __init__(self):
        self.payload = Bunch()
        self.model = None
        self.status_code = 200
        self.content_type = None
        self.headers = {}


class Service:
    """Base class of all services."""

    name = None

    # Whether an answer without its elements is an error. If so, of an error of the service only the traceback is left,
    # as the text of another one.
    output_is_required = False

    def handle(self):
        raise NotImplementedError('handle')

    def invoke(self, name, payload=None, channel='invoke', data_format=None, wsgi_environ=None, channel_params=None,
               set_response_func=None, transport=''):
        """Calls another service of this server; returns its answer: a model as it is, or what `set_response_func` makes of it."""
        if not set_response_func:
            response = self.server.store.invoke(name, Request(payload), self.cid).response
            return response.model or response.payload
        http = HTTPRequest.of_environ(wsgi_environ or {})
        request = Request(json.loads(payload), payload, http, channel_params, data_format, channel_info(kind=channel))
        service = self.server.store.invoke(name, request, self.cid)
        return set_response_func(service, data_format=data_format, transport=transport)

    def invoke_async(self, name, payload=None):
        Thread(target=self.invoke, args=(name, payload), daemon=True).start()
        return self.cid

    @classmethod
    def get_name(cls):
        """Made from the names of the module and the class unless the class has a `name`."""
        if cls.__dict__.get('name'):
            return cls.name
        words = re.sub(r'(?<=[a-z0-9])(?=[A-Z])', '-', cls.__name__)
        return '%s.%s' % (cls.__module__.lower().replace('_', '-'), words.lower().replace('_', '-'))


def declares_output(class_):
    return bool(Declaration(class_).output)


def run(class_, server, request, cid):
    """Makes an instance of the class, handles the request with it, and returns it."""
    service = class_()
    service.server = server
    service.cache = server.cache
    service.cid = cid
    service.name = class_.get_name()
    service.logger = logging.getLogger(service.name)
    service.request = request
    service.channel = request.channel
    service.wsgi_environ = request.http.environ()
    service.response = Response()
    declaration = Declaration(class_)
    if request.data_format != JSON and (declaration.input or declaration.output):
        raise KeyError(request.data_format)
    service.request.input = declaration.parse_input(request.payload, cid, request.channel_params)
    try:
        handler_of(service)()
    except HTTPException:
        raise
    except Exception:
        if service.output_is_required:
            raise Exception(traceback.format_exc()) from None
        raise
    given = service.response.payload
    service.response.model = given if isinstance(given, Model) else None
    service.response.payload = declaration.shape_output(given)
    return service


def handler_of(service):
    """handle_GET, handle_POST and so on, where the class has any of them and the request is HTTP; else `handle`."""
    method = service.request.http.method
    if method and any(name.startswith('handle_') for name in dir(service)):
        if not hasattr(service, 'handle_' + method):
            raise MethodNotAllowed(service.cid, 'Method not allowed')
        return getattr(service, 'handle_' + method)
    return service.handle

"""Services that invoke other services: for admin.invoke, for pubapi and for other servers."""

import base64
import json

from zato.common import config
from zato.common.exception import BadRequest
from zato.common.odb_rows import INVOKER_CHANNEL
from zato.server import broadcast, scheduler
from zato.server.responses import to_bytes, written
from zato.server.service import HTTPRequest, Request, Service, declares_output
from zato.server.service.internal import PREFIXES


class Invoke(Service):
    name = 'zato.service.invoke'
    input = 'name', '-payload', '-channel', '-data_format', '-transport', '-is_async'

    def handle(self):
        encoded = self.request.input.payload
        if self.request.input.is_async:
            extra = base64.b64decode(encoded).decode() if encoded else ''
            scheduler.run(self.server, self.request.input.name, extra, self.cid)
            self.response.payload = {'response': self.cid}
            return
        payload = json.loads(base64.b64decode(encoded)) if encoded else {}
        service = self.server.store.invoke(self.request.input.name, Request(payload), self.cid)
        raw = to_bytes(service.response.payload)
        self.response.payload = {'response': base64.b64encode(raw).decode() if raw else ''}


class ServiceInvoker(Service):
    """/zato/api/invoke/NAME. Internal services are open to it unless the configuration says otherwise."""

    name = 'pub.zato.service.service-invoker'

    def handle(self):
        http = self.request.http
        name = http.params.service_name
        if name not in self.server.store or not self.is_allowed(name):
            raise BadRequest(self.cid, 'No such service `%s`' % name)
        invoked = Request(self.payload(), self.request.raw_request,
                          HTTPRequest(http.method, http.path, http.GET, headers=http.headers))
        service = self.server.store.invoke(name, invoked, self.cid)
        response = service.response
        # Neither the status nor the type that the service set; what nobody set is an empty text.
        self.response.content_type, self.response.headers = 'text/plain', response.headers
        payload = self.unwrapped(name, response.payload)
        is_unset = payload is None or payload == {} and not declares_output(type(service))
        self.response.payload = json.dumps('' if is_unset else payload, default=written)

    def payload(self):
        http, raw = self.request.http, self.request.raw_request
        if http.method == 'GET' and http.GET:
            return http.GET
        return json.loads(raw) if raw else None

    def is_allowed(self, name):
        """The key lists names of services and of channels: with the name of this channel all are allowed."""
        allowed = config.split_list(self.server.config.misc.service_invoker_allow_internal)
        # Without their dots: what begins with such a name is taken for one of Zato's own.
        return not name.startswith(('zato', 'pub.zato')) or name in allowed or INVOKER_CHANNEL in allowed

    @staticmethod
    def unwrapped(name, payload):
        if name.startswith(PREFIXES) and isinstance(payload, dict) and len(payload) == 1:
            element, value = next(iter(payload.items()))
            return value if element.endswith('_response') else payload
        return payload


class ReceiveMessage(Service):
    """A change that another worker or another server made."""

    name = 'zato.service.rpc-service-invoker'

    def handle(self):
        message = dict(self.request.payload.message, is_from_server=self.request.payload.is_from_server)
        broadcast.handle(self.server, message)
        if message['is_from_server']:
            self.server.broadcast.send_to_workers(message)

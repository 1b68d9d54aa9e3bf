"""The services behind /zato/ping."""

from zato.server.service import Service


class Ping(Service):
    name = 'zato.ping'

    def handle(self):
        self.response.payload = {'pong': 'zato'}


class PublicPing(Service):
    name = 'pub.zato.ping'

    def handle(self):
        self.response.payload = {'pong': 'zato'}

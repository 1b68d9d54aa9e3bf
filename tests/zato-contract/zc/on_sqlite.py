"""One server on SQLite with services of the suite, and those services that several groups deploy."""

import os

from . import fernet
from .cases_single import quickstart
from .lib import deploy, free_port

# An error of each kind that callers are told of, or not; and the class form, whose answer has an element around it.
VALUES = '''from zato.common.exception import BadRequest, Forbidden
from zato.server.service import Int, Service

class Attributes(Service):
    name = 'contract.attributes'
    input = 'text', Int('-number')
    output = 'text', Int('-number')

    def handle(self):
        given = self.request.input
        if given.text == 'told':
            raise BadRequest(self.cid, 'told', needs_msg=True)
        if given.text == 'untold':
            raise BadRequest(self.cid, 'untold')
        if given.text == 'forbidden':
            raise Forbidden(self.cid, 'forbidden')
        if given.text == 'otherwise':
            raise ValueError('otherwise')
        self.response.payload = {'text': given.text, 'number': given.number}

class Classes(Service):
    name = 'contract.classes'

    class SimpleIO:
        input_required = 'text'
        output_required = 'text'

    def handle(self):
        self.response.payload.text = self.request.input.text
'''


def on_sqlite(ctx, name, files, **env):
    """A server that is not started yet, with files to deploy and the password of admin.invoke; `env` is of each of its starts."""
    h = quickstart(ctx, name)
    h.name, h.port = name, free_port()
    h.pickup = os.path.join(ctx.root, 'pickup-' + name)
    os.makedirs(h.pickup)
    for file, text in files.items():
        deploy(h.pickup, file, text)
    h.env = dict(env, ZATO_HOT_DEPLOY_DIR=h.pickup)
    stored = h.db.rows("select password from sec_base where name='admin.invoke'")[0][0]
    h.password = fernet.decrypt(h.key, stored[stored.index('gAAAA'):]).decode() if 'gAAAA' in stored else stored
    return h


def start(ctx, h):
    """Starts it, and waits until it answers."""
    h.proc = ctx.start_server(h.server, h.port, h.name, env=h.env)
    ctx.ready(h.proc, h.port)

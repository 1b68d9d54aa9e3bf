"""Uploads of code: /ide-deploy and zato.hot-deploy.create."""

import base64
import os
from threading import Thread

from zato.server.service.internal import AdminService


def deploy(server, name, encoded):
    """Writes and loads the file in the background: the answer says nothing about the outcome."""
    arguments = (os.path.basename(name), base64.b64decode(encoded))
    Thread(target=server.hot_deploy.upload, args=arguments, daemon=True, name='upload').start()


class IDEDeploy(AdminService):
    """`success` is a text. An empty request is a ping."""
    name = 'zato.ide-deploy.create'
    element = 'zato_ide_deploy_create_response'

    def handle(self):
        payload = self.request.payload or {}
        if not payload:
            self.answer({'success': 'True', 'msg': 'Ping succeeded.'})
            return
        missing = [name for name in ('payload_name', 'payload') if not payload.get(name)]
        if missing:
            self.answer({'success': 'False', 'msg': 'Missing %s' % ', '.join(missing)})
            return
        deploy(self.server, payload.payload_name, payload.payload)
        self.answer({'success': 'True', 'msg': 'Deployment started: please check server log for status.'})


class HotDeployCreate(AdminService):
    name = 'zato.hot-deploy.create'
    input = 'payload_name', 'payload'

    def handle(self):
        deploy(self.server, self.request.input.payload_name, self.request.input.payload)

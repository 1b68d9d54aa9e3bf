"""What the files in a server's directory say. The master reads them once; startup callables may change them in place, before
anything of them is used."""

from zato.common import config
from zato.server.service.inference import by_name


class Configuration:

    def __init__(self, directory):
        self.directory = directory
        self.server, self.key = config.load_server(directory)
        self.pickup = self.read('pickup.conf')
        self.sso = self.read('sso.conf')
        self.sio = by_name
        self.sio.load(self.read('simple-io.conf'))

    def read(self, file_name):
        return config.load(config.repo_path(self.directory, file_name))

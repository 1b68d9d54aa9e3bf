"""The load balancer's agent: starts haproxy in the background and opens the agent's port.

The pidfile is haproxy's: `zato stop` ends haproxy alone, the agent stays until SIGTERM.
"""

import json
import os
import subprocess
import sys
from xmlrpc.server import SimpleXMLRPCServer

from zato.common import component, config, logs


def main():
    directory = os.getcwd()
    logs.set_up(directory, 'lb-agent.log')
    with open(config.repo_path(directory, 'lb-agent.conf')) as file:
        settings = json.load(file)
    subprocess.run([settings['haproxy_command'], '-D', '-f', config.repo_path(directory, 'zato.config'),
                    '-p', component.pidfile(directory)], check=True)
    server = SimpleXMLRPCServer((settings['host'], settings['port']), logRequests=False)
    server.register_function(lambda: True, 'ping')
    server.serve_forever()


if __name__ == '__main__':
    sys.exit(main())

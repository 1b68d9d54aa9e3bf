"""The scheduler's process. It answers its probe; it runs no jobs.

It handles no SIGTERM of its own: as PID 1 it would ignore it, a defect of the real thing.
"""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from zato.common import component, config, logs


class Handler(BaseHTTPRequestHandler):
    """Any path, no credentials. A body without an action is an error."""
    protocol_version = 'HTTP/1.1'

    def do_GET(self):
        self.send(200, {'status': 'ok'})

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get('Content-Length') or 0))
        try:
            is_action = 'action' in json.loads(body)
        except (ValueError, TypeError):
            is_action = False
        if is_action:
            self.send(200, {'status': 'ok'})
        else:
            self.send(500, {'status': 'error'})

    def send(self, status, payload):
        body = json.dumps(payload).encode()
        self.send_response(status)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments):
        """One line for each probe would hide all others."""


class Server(ThreadingHTTPServer):
    daemon_threads = True


def main():
    directory = os.getcwd()
    logs.set_up(directory, 'scheduler.log')
    settings = config.load(config.repo_path(directory, 'scheduler.conf'))
    component.write_pidfile(directory)
    Server((settings.bind.host, int(settings.bind.port)), Handler).serve_forever()


if __name__ == '__main__':
    sys.exit(main())

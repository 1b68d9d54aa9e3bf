"""The scheduler's process: it runs services of servers by the jobs that servers tell it.

It handles no SIGTERM of its own: as PID 1 it would ignore it, a defect of the real thing.
"""

import base64
import json
import logging
import os
import sys
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from zato.common import component, config, jobs, logs, odb
from zato.common.bunch import Bunch, bunchify
from zato.scheduler.jobs import Scheduler
from zato.scheduler.server import Server

# Seconds between two looks for a service.
PAUSE = 1

logger = logging.getLogger('zato_scheduler')


class Handler(BaseHTTPRequestHandler):
    """GET: any path, no credentials. POST: a change. All errors are a 500, wrong credentials among them."""
    protocol_version = 'HTTP/1.1'

    def do_GET(self):
        with self.server.scheduler.turn:
            self.send(200, 'ok')

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get('Content-Length') or 0))
        try:
            self.check()
            self.server.scheduler.handle(bunchify(json.loads(body)))
        except Exception:
            logger.warning('Exception in request', exc_info=True)
            self.send(500, 'error')
        else:
            self.send(200, 'ok')

    def check(self):
        clients = self.server.clients
        if not config.is_true(clients.get('auth_required', '')):
            return
        given = base64.b64decode(self.headers.get('Authorization', '').partition(' ')[2]).decode()
        username, _, password = given.partition(':')
        if username == 'auth_required' or clients.get(username) != password:
            raise ValueError('Invalid credentials')

    def send(self, status, text):
        body = json.dumps({'cid': 'zsch' + uuid.uuid4().hex[:24], 'status': text, 'response': {}}).encode()
        self.send_response(status)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments):
        """One line for each probe would hide all others."""


class Listener(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_arguments):
        """The client went away."""


def load(scheduler, rows):
    """Those that are active, without running them."""
    for row in rows:
        if row.is_active:
            with scheduler.turn:
                try:
                    scheduler.create(Bunch(row, service=row.service_name), spawn=False)
                except Exception:
                    logger.exception('Caught exception')


def load_from_odb(scheduler, settings):
    """Waits for services that no server has written yet. The port is not open before."""
    database, cluster_id = odb.from_config(settings), int(settings.cluster.id)
    for name, service, minutes in jobs.OF_ZATO:
        while not (row := database.row('select id from service where name=? and cluster_id=?', service, cluster_id)):
            time.sleep(PAUSE)
            logger.info('Waiting for ODB service `%s` (ODB)', service)
        if database.row('select id from job where name=? and cluster_id=?', name, cluster_id):
            continue
        with database.transaction() as connection:
            job_id = odb.insert(connection, 'job', name=name, is_active=True, job_type=jobs.INTERVAL, start_date=odb.now(),
                                extra=b'', cluster_id=cluster_id, service_id=row.id)
            odb.insert(connection, 'job_interval_based', job_id=job_id, minutes=minutes)
    rows = database.rows(jobs.JOB_SQL, cluster_id)
    load(scheduler, [Bunch(row, extra=(row.extra or b'').decode()) for row in rows])
    scheduler.spawn_all()


def load_from_server(scheduler, server):
    """Too late: they are known then and never run, a defect of the real thing. An edit makes one run again."""
    for name, service, minutes in jobs.OF_ZATO:
        while not server.invoke('zato.service.is-deployed', {'cluster_id': 1, 'name': service})['is_deployed']:
            time.sleep(PAUSE)
        server.invoke('zato.scheduler.job.create', {
            'cluster_id': 1, 'name': name, 'is_active': True, 'job_type': jobs.INTERVAL, 'service': service,
            'start_date': '2023-01-02T11:22:33', 'minutes': minutes, 'should_ignore_existing': True})
    load(scheduler, bunchify(server.invoke('zato.scheduler.job.get-list', {'cluster_id': 1})))


def main():
    directory = os.getcwd()
    logs.set_up(directory, 'scheduler.log')
    settings = config.load(config.repo_path(directory, 'scheduler.conf'))
    component.write_pidfile(directory)
    server = Server(settings.server)
    scheduler = Scheduler(server)
    if config.is_true(settings.server.get('server_prefer_odb_config', 'True')):
        load_from_odb(scheduler, settings)
    else:
        threading.Thread(target=load_from_server, args=(scheduler, server), daemon=True, name='load').start()
    threading.Thread(target=scheduler.serve, daemon=True, name='jobs').start()
    listener = Listener((settings.bind.host, int(settings.bind.port)), Handler)
    listener.scheduler, listener.clients = scheduler, settings.api_clients
    listener.serve_forever()


if __name__ == '__main__':
    sys.exit(main())

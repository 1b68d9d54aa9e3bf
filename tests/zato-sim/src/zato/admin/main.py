"""The dashboard's process: its login page, a login against its database, and one page behind it.

It handles no SIGTERM of its own: as PID 1 it would ignore it, a defect of the real thing.
"""

import json
import os
import secrets
import sys
from datetime import datetime, timedelta, timezone
from html import escape
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

from zato.common import component, config, crypto, logs, odb

LOGIN = '/accounts/login/'
SESSION_DAYS = 14

PAGE = '<!DOCTYPE html><html><head><title>Zato</title></head><body>%s</body></html>'
FORM = '''<form method="post" action="/accounts/login/">
<input type="hidden" name="csrfmiddlewaretoken" value="%s"><input name="username"><input name="password" type="password">
<input type="hidden" name="next" value="%s"><button>Log in</button></form>'''


class Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def do_GET(self):
        path = self.path.split('?')[0]
        if path == LOGIN:
            self.login_form('/zato/')
        elif path == '/':
            self.redirect('/zato/')
        elif not self.server.has_session(self.cookie('sessionid')):
            self.redirect(LOGIN + '?next=' + path)
        else:
            self.send(200, PAGE % 'Welcome to Zato')

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get('Content-Length') or 0)).decode()
        form = {name: values[-1] for name, values in parse_qs(body, keep_blank_values=True).items()}
        token = form.get('csrfmiddlewaretoken')
        if self.path.split('?')[0] != LOGIN or not token or token != self.cookie('csrftoken'):
            self.send(403, PAGE % 'CSRF verification failed')
        elif self.server.is_user(form.get('username', ''), form.get('password', '')):
            self.redirect(form.get('next') or '/zato/', 'sessionid=%s; HttpOnly; Path=/' % self.server.new_session())
        else:
            self.login_form(form.get('next') or '/zato/')

    def login_form(self, target):
        token = self.cookie('csrftoken') or secrets.token_urlsafe(24)
        self.send(200, PAGE % (FORM % (escape(token), escape(target))), 'csrftoken=%s; Path=/' % token)

    def redirect(self, target, cookie=None):
        self.send(302, '', cookie, {'Location': target})

    def send(self, status, text, cookie=None, headers=None):
        body = text.encode()
        self.send_response(status)
        self.send_header('Content-Type', 'text/html; charset=utf-8')
        self.send_header('Content-Length', str(len(body)))
        if cookie:
            self.send_header('Set-Cookie', cookie)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def cookie(self, name):
        morsel = SimpleCookie(self.headers.get('Cookie', '')).get(name)
        return morsel.value if morsel else None

    def log_message(self, *_arguments):
        """One line for each probe would hide all others."""


class Dashboard(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, settings):
        super().__init__((settings['host'], settings['port']), Handler)
        self.odb = odb.from_dashboard(settings)

    def is_user(self, username, password):
        row = self.odb.row('select password from auth_user where username=? and is_active', username)
        return bool(row) and crypto.verify_password(password, row.password)

    def new_session(self):
        key = secrets.token_hex(16)
        expires = datetime.now(timezone.utc) + timedelta(days=SESSION_DAYS)
        self.odb.execute('insert into django_session values (?, ?, ?)', key, '', expires.strftime('%Y-%m-%d %H:%M:%S'))
        return key

    def has_session(self, key):
        return bool(key) and bool(self.odb.row(
            'select 1 as found from django_session where session_key=? and expire_date > ?', key, odb.now()))


def main():
    directory = os.getcwd()
    logs.set_up(directory, 'web-admin.log')
    with open(config.repo_path(directory, 'web-admin.conf')) as file:
        settings = json.load(file)
    component.write_pidfile(directory)
    Dashboard(settings).serve_forever()


if __name__ == '__main__':
    sys.exit(main())

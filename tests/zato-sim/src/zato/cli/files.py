"""Writes the directories of the components."""

import json
import os
import uuid
from urllib.parse import urlsplit

from zato.cli import templates
from zato.common import component, crypto

SERVER_DIRECTORIES = (
    'config/repo', 'logs', 'work', 'profiler', 'pickup/incoming/services', 'pickup/incoming/json', 'pickup/incoming/xml',
    'pickup/incoming/csv', 'pickup/incoming/static', 'pickup/incoming/user-conf')


def is_empty(path):
    return not os.listdir(path)


def write(path, *parts, text, mode=0o644):
    target = os.path.join(path, *parts)
    with open(target, 'w') as file:
        file.write(text)
    os.chmod(target, mode)


def write_json(path, name, value):
    write(path, 'config/repo', name, text=json.dumps(value, indent=2) + '\n')


def address(text, default_port):
    """Host, port and whether to use TLS. Without a scheme TLS is on: a trap of the real thing."""
    parts = urlsplit(text if '//' in text else '//' + text)
    return parts.hostname, parts.port or default_port, parts.scheme != 'http'


def write_server(path, settings):
    """Returns the token of the new server."""
    token = uuid.uuid4().hex
    for name in SERVER_DIRECTORIES:
        os.makedirs(os.path.join(path, name), exist_ok=True)
    host, port, use_tls = address(settings.scheduler_address, 31530)
    write(path, 'config/repo/server.conf', text=templates.SERVER_CONF.format(
        scheduler_host=host, scheduler_port=port, scheduler_use_tls=use_tls, **settings))
    encrypted = lambda text: crypto.encrypt(settings.key, text)
    write(path, 'config/repo/secrets.conf', text=templates.SECRETS_CONF.format(
        key=settings.key, token=encrypted(token), well_known_data=encrypted('3.14159'), kvdb_password=encrypted(''),
        jwt_secret=encrypted(settings.jwt_secret), odb_password=encrypted(settings.odb_password or '')))
    for name, text in templates.PLAIN_FILES.items():
        write(path, 'config/repo', name, text=text)
    write(path, 'pickup/incoming/services/demo.py', text=templates.DEMO)
    component.write_info(path, 'SERVER')
    return token


def prepare(path):
    for name in ('config/repo', 'logs'):
        os.makedirs(os.path.join(path, name), exist_ok=True)


def write_scheduler(path, settings):
    prepare(path)
    host, port, use_tls = address(settings.server_address, 17010)
    write(path, 'config/repo/scheduler.conf', text=templates.SCHEDULER_CONF.format(
        server_host=host, server_port=port, server_use_tls=use_tls, **settings))
    component.write_info(path, 'SCHEDULER')


def write_web_admin(path, database, odb_password, key, admin_invoke_password):
    prepare(path)
    write_json(path, 'web-admin.conf', {
        'host': '0.0.0.0', 'port': 8183, 'db_type': database.kind, 'DATABASE_NAME': database.db_name,
        'DATABASE_USER': database.username, 'DATABASE_PASSWORD': crypto.encrypt(key, odb_password or ''),
        'DATABASE_HOST': database.host, 'DATABASE_PORT': database.port, 'zato_secret_key': key, 'ADMIN_INVOKE_NAME': 'admin.invoke', 'ADMIN_INVOKE_PASSWORD': admin_invoke_password,
        'ADMIN_INVOKE_PATH': '/zato/admin/invoke', 'TIME_ZONE': 'America/New_York'})
    component.write_info(path, 'WEB_ADMIN')


def write_load_balancer(path):
    prepare(path)
    write(path, 'config/repo/zato.config', text=templates.LOAD_BALANCER_CONF.format(
        stats_password=crypto.random_password()))
    write_json(path, 'lb-agent.conf', {'host': 'localhost', 'port': 20151, 'haproxy_command': 'haproxy'})
    component.write_info(path, 'LOAD_BALANCER')

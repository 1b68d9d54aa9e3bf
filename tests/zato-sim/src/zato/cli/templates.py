"""The text of the files that the `create` commands write."""

SERVER_CONF = '''[main]
gunicorn_bind=0.0.0.0:{http_port}
gunicorn_workers={workers}
gunicorn_graceful_timeout=1
ipc_host=127.0.0.1
ipc_port_start={ipc_port_start}
work_dir=../../work
deployment_lock_timeout=180
token=zato+secret://zato.server_conf.main.token
debugger_enabled=False

[odb]
engine={odb.engine}
host={odb.host}
port={odb.port}
username={odb.username}
db_name={odb.db_name}
password=zato+secret://zato.server_conf.odb.password
pool_size=60
extra=echo=False

[scheduler]
scheduler_host={scheduler_host}
scheduler_port={scheduler_port}
scheduler_use_tls={scheduler_use_tls}
scheduler_api_username={scheduler_username}
scheduler_api_password={scheduler_password}

[hot_deploy]
pickup_dir=../../pickup/incoming/services
delete_after_pick_up=False

[misc]
startup_callable=
service_invoker_allow_internal="pub.zato.ping", "/zato/api/invoke/{{service_name}}"
http_server_header=Apache
return_tracebacks=True
return_internal_objects=False
default_error_message="An error has occurred"
jwt_secret=zato+secret://zato.server_conf.misc.jwt_secret
initial_cluster_name={cluster_name}
initial_server_name={server_name}

[http_response]
server_header=Zato
code_400_message=Bad request
code_400_content_type=text/plain
code_401_message=Unauthorized
code_401_content_type=text/plain
code_404_message=URL not found
code_404_content_type=text/plain
code_500_message=Internal server error
code_500_content_type=text/plain

[kvdb]
host=
port=6379
password=zato+secret://zato.server_conf.kvdb.password

[preferred_address]
address=
ip=10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, eth0
allow_loopback=False

[startup_services_first_worker]
zato.sso.cleanup.cleanup=300
zato.updates.check-updates=

[component_enabled]
sso=True
slow_response=True
stats=False

[deploy_patterns_allowed]
order=1
*=True

[logging]
rest_log_ignore=

[os_environ]
'''

SECRETS_CONF = '''[secret_keys]
key1={key}

[zato]
well_known_data={well_known_data}
server_conf.kvdb.password={kvdb_password}
server_conf.main.token={token}
server_conf.misc.jwt_secret={jwt_secret}
server_conf.odb.password={odb_password}
'''

# The other files of a server's directory: pickup.conf and simple-io.conf count, and of sso.conf most; the others are not read.
PLAIN_FILES = {
    'sso.conf': '''[main]
encrypt_email=True
encrypt_password=True

[hash_secret]
rounds=120000
salt_size=64

[apps]
all=CRM
default=CRM
signup_allowed=
login_allowed=CRM
inform_if_app_invalid=True

[session]
expiry=60

[password]
expiry=730
about_to_expire_threshold=30
min_length=8
max_length=256
reject_list=111111, 123456, letmein, password, qwerty

[user_validation]
reject_username=zato, admin, root, system, sso
''',
    'pickup.conf': '''# Directories whose services run in place:
#[hot-deploy.user.local-dev]
#pickup_from=/a/directory

[user_conf]
pickup_from=./pickup/incoming/user-conf
patterns=*.ini, *.conf
''',
    'simple-io.conf': '''[bool]
exact=
prefix=by_, has_, is_, may_, needs_, should_
suffix=

[int]
exact=id
prefix=
suffix=_count, _id, _size, _size_min, _size_max, _timeout

[secret]
exact=auth_data, auth_token, password, password1, password2, secret_key, tls_pem_passphrase, token, api_key, apiKey, xApiKey
prefix=
suffix=
''',
    'logging.conf': 'version: 1\nroot:\n    level: INFO\n',
    'sql.conf': '',
    'user.conf': '',
    'service-sources.txt': '../../work/hot-deploy/current\n',
}

DEMO = '''from zato.server.service import Service


class MyService(Service):
    """ Greets whoever is named. """
    name = 'demo.my-service'
    input = '-name'

    def handle(self):
        self.response.payload = {'salutation': 'Howdy %s!' % (self.request.input.name or 'there')}
'''

SCHEDULER_CONF = '''[bind]
host={bind_host}
port={bind_port}

[cluster]
id={cluster_id}

[server]
server_host={server_host}
server_port={server_port}
server_use_tls={server_use_tls}
server_username={server_username}
server_password={server_password}
server_prefer_odb_config=False

[misc]
initial_sleep_time=0.1

[odb]
engine={odb.engine}
db_name={odb.db_name}
host={odb.host}
port={odb.port}
username={odb.username}
password={odb_password}

[secret_keys]
key1={key}

[api_clients]
auth_required=True
{client_username}={client_password}
'''

LOAD_BALANCER_CONF = '''global
    maxconn 1000
    stats timeout 10s

defaults
    mode http
    option httpclose
    option forwardfor
    stats enable
    stats auth admin1:{stats_password}
    timeout connect 15s
    timeout client 15s
    timeout server 15s

backend bck_http_plain
    balance roundrobin

# ZATO begin backend bck_http_plain
# ZATO end backend bck_http_plain

frontend front_http_plain
    bind 0.0.0.0:11223
    monitor-uri /zato-lb-alive
    default_backend bck_http_plain
'''

SCRIPT = '''#!/bin/sh
# To {verb} all the components of this environment.
set -e
cd "$(dirname "$0")"
{lines}
'''

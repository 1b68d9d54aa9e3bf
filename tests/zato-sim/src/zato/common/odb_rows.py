"""The rows that `create cluster` writes: security definitions, internal services, their
channels, and caches."""

from zato.common import crypto
from zato.common.odb import insert

# name, username, realm
DEFINITIONS = (
    ('admin.invoke', 'admin.invoke', 'Zato admin invoke'),
    ('pubapi', 'pubapi', 'Zato public API'),
    ('zato.internal.invoke', 'zato.internal.invoke.user', 'Zato internal invoker'),
    ('ide_publisher', 'ide_publisher', 'ide_publisher'),
    ('zato.ping.plain_http.basic_auth', 'zato.ping.plain_http.basic_auth', 'Zato ping'),
    ('zato.default.cache.client', 'zato.cache', 'Zato cache'),
    ('zato.default.crypto.client', 'zato.crypto', 'Zato crypto'),
    ('pub.zato.pubsub.default', 'zato.pubsub', 'Zato pub/sub'),
)

# Services that pubapi reaches at /zato/json/NAME.
JSON_SERVICES = (
    'zato.hot-deploy.create', 'zato.ide-deploy.create', 'zato.service.invoke', 'pub.zato.service.service-invoker',
    'zato.security.jwt.auto-clean-up', 'zato.security.jwt.change-password', 'zato.security.jwt.create',
    'zato.security.jwt.delete', 'zato.security.jwt.edit', 'zato.security.jwt.get-list', 'zato.security.jwt.log-in',
    'zato.security.jwt.log-out')

# At /zato/sso/PATH; the channels are named by their paths.
SSO_SERVICES = {
    'user/create': 'user.create', 'user/signup': 'user.signup', 'user/approve': 'user.approve',
    'user/reject': 'user.reject', 'user/login': 'user.login', 'user/logout': 'user.logout', 'user': 'user.user',
    'user/password': 'user.password', 'user/search': 'user.search', 'user/totp': 'user.totp', 'user/lock': 'user.lock',
    'user/linked': 'user.linked-auth', 'user/session': 'session.session', 'user/session/list': 'session.session-list',
    'user/attr': 'user-attr.user-attr', 'user/attr/exists': 'user-attr.user-attr-exists',
    'user/attr/names': 'user-attr.user-attr-names', 'session/attr': 'session-attr.session-attr',
    'session/attr/exists': 'session-attr.session-attr-exists', 'session/attr/names': 'session-attr.session-attr-names',
    'password/reset': 'password-reset.password-reset'}

ADMIN_CHANNEL = 'admin.invoke.json'
INVOKER_CHANNEL = '/zato/api/invoke/{service_name}'

# name, URL path, service, security definition, data format
CHANNELS = (
    ('admin.ide-deploy.create', '/ide-deploy', 'zato.ide-deploy.create', None, 'json'),
    (ADMIN_CHANNEL, '/zato/admin/invoke', 'zato.service.invoke', 'admin.invoke', 'json'),
    ('zato.internal.invoke', '/zato/internal/invoke', 'zato.service.invoke', 'zato.internal.invoke', 'json'),
    (INVOKER_CHANNEL, INVOKER_CHANNEL, 'pub.zato.service.service-invoker', 'pubapi', None),
    ('zato.ping', '/zato/ping', 'zato.ping', None, 'json'),
) + tuple((name + '.json', '/zato/json/' + name, name, 'pubapi', 'json') for name in JSON_SERVICES) + tuple(
    ('/zato/sso/' + path, '/zato/sso/' + path, 'zato.sso.' + name, None, 'json') for path, name in SSO_SERVICES.items())

# Channels whose users come from a role and not from a security definition of the row.
ROLE_CHANNELS = {'admin.ide-deploy.create': 'ide_publisher'}

# name, extend_expiry_on_get
CACHES = (('default', True), ('zato.bearer.token', False))


def add_cluster(connection, database, name, lb_host, lb_port, lb_agent_port):
    return insert(connection, 'cluster', name=name, odb_type=database.kind, odb_host=database.host or None,
                  odb_port=database.port or None, odb_user=database.username or None, odb_db_name=database.db_name,
                  broker_host='broker-host-unused', broker_port=998877, lb_host=lb_host, lb_port=lb_port,
                  lb_agent_port=lb_agent_port)


def add_definitions(connection, cluster_id, key, admin_invoke_password):
    """Returns the id of each. The password of admin.invoke is stored as it was given; the others are random."""
    ids = {}
    for name, username, realm in DEFINITIONS:
        password = crypto.encrypt_password(key, crypto.random_password())
        if name == 'admin.invoke':
            password = admin_invoke_password
        ids[name] = insert(connection, 'sec_base', name=name, username=username, password=password, is_active=True,
                           sec_type='basic_auth', cluster_id=cluster_id)
        insert(connection, 'sec_basic_auth', id=ids[name], realm=realm)
    return ids


def add_channels(connection, cluster_id, definition_ids):
    service_ids = {}
    for name, url_path, service, definition, data_format in CHANNELS:
        if service not in service_ids:
            service_ids[service] = insert(connection, 'service', name=service, is_active=True, impl_name=service,
                                          is_internal=True, slow_threshold=99999, cluster_id=cluster_id)
        by_role = name in ROLE_CHANNELS
        insert(connection, 'http_soap', name=name, is_active=True, is_internal=True, connection='channel',
               transport='plain_http', url_path=url_path, soap_action='', data_format=data_format,
               serialization_type='suds', timeout=10, merge_url_params_req=True, url_params_pri='qs-over-path',
               params_pri='channel-params-over-msg', has_rbac=by_role, sec_use_rbac=by_role, cache_expiry=0,
               security_id=definition_ids.get(definition), service_id=service_ids[service], cluster_id=cluster_id)


def add_caches(connection, cluster_id):
    for name, extend_on_get in CACHES:
        cache_id = insert(connection, 'cache', name=name, is_active=True, is_default=True, cache_type='builtin',
                          cluster_id=cluster_id)
        insert(connection, 'cache_builtin', cache_id=cache_id, max_size=10000, max_item_size=10000,
               extend_expiry_on_get=extend_on_get, extend_expiry_on_set=True, sync_method='in-background',
               persistent_storage='sql')

"""zato.http-soap.*: REST channels. Outgoing connections, which the real services have as well, are not there."""

import json

from zato.common import config, odb
from zato.common.exception import BadRequest, ServiceMissingException
from zato.server import rate_limit
from zato.server.channels import CHANNEL_SQL, from_row
from zato.server.security import opaque_of
from zato.server.service import AsIs, Bool, Text
from zato.server.service.internal import AdminService, constraints

NO_SECURITY = ('ZATO_NONE', 'ZATO_SEC_USE_RBAC')

# Booleans without a column, and texts that are stored without one.
OPAQUE_FLAGS = ('is_audit_log_received_active', 'is_audit_log_sent_active', 'is_rate_limit_active', 'is_wrapper',
                'match_slash', 'rate_limit_check_parent_def', 'should_parse_on_input', 'should_return_errors',
                'should_validate')
OPAQUE_TEXTS = ('http_accept', 'json_path', 'max_bytes_per_message_received', 'max_bytes_per_message_sent',
                'max_len_messages_received', 'max_len_messages_sent', 'rate_limit_def', 'rate_limit_type', 'service',
                'service_whitelist', 'wrapper_type')

TEXTS = ('service', 'method', 'data_format', 'host', 'ping_method', 'url_params_pri', 'params_pri', 'content_type',
         'content_encoding', 'soap_action', 'soap_version', 'transport') + OPAQUE_TEXTS

INPUT = ('name', 'url_path', 'connection', '-service_id', '-cluster_id', '-pool_size', '-timeout', '-is_active',
         AsIs('-security_id'), AsIs('-security_groups'), AsIs('-cache_id'), AsIs('-cache_expiry'),
         Bool('-merge_url_params_req'))
INPUT += tuple(Text('-' + name) for name in TEXTS) + tuple(Bool('-' + name) for name in OPAQUE_FLAGS)

# What rows of lists have at first; the rest follows by name.
FIRST = ('id', 'is_active', 'is_internal', 'name', 'url_path')
COLUMNS = ('cache_expiry', 'cache_id', 'connection', 'content_encoding', 'content_type', 'data_format', 'has_rbac',
           'host', 'method', 'params_pri', 'sec_type', 'sec_use_rbac', 'security_id', 'security_name',
           'serialization_type', 'service_id', 'service_name', 'soap_action', 'soap_version', 'transport', 'url_params_pri')

LIST_SQL = """select h.*, s.name as service_name, b.name as security_name, b.sec_type, b.username from http_soap h
    left join service s on s.id = h.service_id left join sec_base b on b.id = h.security_id where h.cluster_id=?"""

# Without internal objects, what is internal is known by the beginning of its name alone, in small or capital letters,
# and whoever made it; and not all that is internal is known by it: a defect of the real thing.
HIDDEN = ('zato', '/zato/sso/', 'pub.zato.service.service-invoker')


def listed(row):
    """Some numbers and booleans are texts."""
    opaque = opaque_of(row)
    rest = {name: row[name] for name in COLUMNS}
    rest.update(cache_name=None, cache_type=None, merge_url_params_req=str(row.merge_url_params_req is not False),
                ping_method='HEAD' if row.ping_method is None else row.ping_method, pool_size=row.pool_size or 20,
                sec_tls_ca_cert_id='ZATO_NONE' if opaque else 'ZATO_DEFAULT', security_group_count=0,
                security_group_member_count=0, timeout=str(row.timeout), username=row.username)
    rest.update((name, value) for name, value in opaque.items() if name != 'service')
    if 'service_whitelist' in rest:
        rest['service_whitelist'] = [rest['service_whitelist']]
    return dict({name: row[name] for name in FIRST}, **dict(sorted(rest.items())))


class GetList(AdminService):
    """All in one answer."""
    name = 'zato.http-soap.get-list'
    element = 'zato_http_soap_get_list_response'
    input = '-cluster_id', Text('-connection'), Text('-transport'), Text('-data_format')

    def handle(self):
        given, sql, parameters = self.request.input, LIST_SQL, [self.cluster_id()]
        for name in ('connection', 'transport', 'data_format'):
            if given[name]:
                sql += ' and h.%s=?' % name
                parameters.append(given[name])
        if not config.is_true(self.server.config.misc.get('return_internal_objects', '')):
            sql += ' and not h.name like ?' * len(HIDDEN)
            parameters += [beginning + '%' for beginning in HIDDEN]
        self.answer([listed(row) for row in self.server.odb.rows(sql + ' order by h.name', *parameters)])


class Get(AdminService):
    name = 'zato.http-soap.get'
    element = 'zato_http_soap_get_response'
    input = '-cluster_id', '-id', Text('-name')

    def handle(self):
        column = 'id' if self.request.input.id else 'name'
        row = self.one(LIST_SQL + ' and h.%s=?' % column, self.cluster_id(), self.request.input[column])
        self.answer(listed(row))


class Writer:
    """What making and editing have in common: what is not given is reset."""

    def prepare(self, given):
        """The text of a limit is looked at whether it is used or not."""
        rate_limit.parse(given.rate_limit_def)
        if given.content_encoding and given.content_encoding != 'gzip':
            raise Exception('Content encoding must be empty or equal to `gzip`')
        if given.security_groups:
            raise NotImplementedError('The stand-in has no security groups')
        if given.security_id in NO_SECURITY:
            given.security_id = None
        given.cluster_id = self.cluster_id()
        given.transport = given.transport or 'plain_http'
        for name in ('name', 'url_path', 'host', 'ping_method', 'content_type'):
            if given[name]:
                given[name] = given[name].strip()

    def same_name(self, given, channel_id=0):
        return self.server.odb.row(
            'select * from http_soap where cluster_id=? and name=? and connection=? and transport=? and id != ?',
            given.cluster_id, given.name, given.connection, given.transport, channel_id)

    def service_of(self, given):
        if not (given.service or given.service_id):
            raise Exception('Either service or service_id is required on input')
        column = 'name' if given.service else 'id'
        row = self.server.odb.row('select * from service where cluster_id=? and %s=?' % column, given.cluster_id,
                                  given.service or given.service_id)
        if row is None:
            # The text is in the wrong place: a defect of the real thing.
            raise ServiceMissingException('Service `%s` does not exist in this cluster' % given.service)
        return row

    def check_security(self, given):
        if given.security_id:
            self.one('select id from sec_base where id=?', given.security_id)

    @staticmethod
    def columns(given, service):
        """All but whether parameters are merged, of which an edit and a new channel have other ideas."""
        opaque = {name: given[name] for name in OPAQUE_FLAGS + OPAQUE_TEXTS}
        opaque.update(data_encoding='utf-8', hl7_version='hl7-v2', security_groups=[],
                      sec_tls_ca_cert_verify_strategy=False)
        names = ('name', 'is_active', 'connection', 'transport', 'host', 'url_path', 'method', 'content_encoding',
                 'soap_action', 'data_format', 'content_type', 'ping_method', 'cluster_id')
        return dict(
            {name: given[name] for name in names}, soap_version=given.soap_version or None,
            pool_size=given.pool_size or 20, serialization_type='string', timeout=given.timeout or 10,
            url_params_pri=given.url_params_pri or 'qs-over-path',
            params_pri=given.params_pri or 'channel-params-over-msg', has_rbac=False, sec_use_rbac=False,
            cache_expiry=given.cache_expiry or 0, opaque1=json.dumps(opaque), security_id=given.security_id or None,
            cache_id=given.cache_id or None, service_id=service.id)

    def publish(self, channel_id, old=None, **changed):
        row = self.server.odb.row(CHANNEL_SQL + ' and h.id=?', channel_id)
        self.server.broadcast.publish({
            'action': 'channel-write', 'name': row.name, 'old': old, 'channel': dict(from_row(row), **changed)})


def old_of(row):
    return {'method': row.method, 'http_accept': opaque_of(row).get('http_accept'), 'url_path': row.url_path}


class Create(Writer, AdminService):
    """What the database has for some values that were not given counts after the next start only."""
    name = 'zato.http-soap.create'
    element = 'zato_http_soap_create_response'
    input = INPUT + ('-is_internal',)
    output_is_required = True

    def handle(self):
        given = self.request.input
        self.prepare(given)
        if self.same_name(given):
            raise Exception('An object of that name `%s` already exists in this cluster' % given.name)
        service = self.service_of(given)
        self.check_security(given)
        self.check_path(given)
        with constraints(), self.server.odb.transaction() as connection:
            channel_id = odb.insert(connection, 'http_soap', is_internal=given.is_internal, merge_url_params_req=True,
                                    **self.columns(given, service))
        self.publish(channel_id, merge_url_params_req=given.merge_url_params_req, url_params_pri=given.url_params_pri)
        self.answer({'id': channel_id, 'name': given.name, 'url_path': given.url_path})

    def check_path(self, given):
        """Headers are compared as texts: an empty one and `*/*` are another, but answer at the same place."""
        rows = self.server.odb.rows("""select * from http_soap where cluster_id=? and url_path=? and soap_action=?
            and connection='channel'""", given.cluster_id, given.url_path, given.soap_action)
        for row in rows:
            if opaque_of(row).get('http_accept') == given.http_accept and row.method == given.method:
                raise Exception(
                    'Such a channel already exists (%s); url_path:`%s`, http_accept:`%s`, http_method:`%s`, '
                    'soap_action:`%s` (src:%s)' % (row.name, given.url_path, given.http_accept, given.method,
                                                   given.soap_action, 'chk1' if given.method else 'chk2'))


class Edit(Writer, AdminService):
    """Whether the path is that of another channel is not looked at: a defect of the real thing."""
    name = 'zato.http-soap.edit'
    element = 'zato_http_soap_edit_response'
    input = INPUT + ('id',)

    def handle(self):
        given = self.request.input
        self.prepare(given)
        other = self.same_name(given, given.id)
        if other:
            raise Exception('A channel of that name:`%s` already exists in this cluster; path: `%s` (id:%s)' % (
                given.name, other.url_path, other.id))
        service = self.service_of(given)
        self.check_security(given)
        row = self.one('select * from http_soap where id=?', given.id)
        columns = dict(self.columns(given, service), merge_url_params_req=given.merge_url_params_req)
        sql = 'update http_soap set %s where id=?' % ', '.join('%s=?' % name for name in columns)
        with constraints():
            self.server.odb.execute(sql, *columns.values(), row.id)
        self.publish(row.id, old_of(row))
        self.answer({'id': row.id, 'name': given.name})


class Delete(AdminService):
    """By id, or by name and connection. What is not there is no error."""
    name = 'zato.http-soap.delete'
    element = 'zato_http_soap_delete_response'
    input = '-id', Text('-name'), Text('-connection'), '-should_raise_if_missing'

    def handle(self):
        given = self.request.input
        if not (given.id or given.name and given.connection):
            raise Exception('Either ID or name/connection are required on input')
        sql = 'select * from http_soap where ' + ('id=?' if given.id else 'name=? and connection=?')
        row = self.server.odb.row(sql, *((given.id,) if given.id else (given.name, given.connection)))
        if row is None:
            if given.should_raise_if_missing:
                raise BadRequest(self.cid, 'Could not find an object based on input -> `%s`' % given)
            self.answer({'details': 'No such object'})
            return
        self.server.odb.execute('delete from http_soap where id=?', row.id)
        self.server.broadcast.publish({'action': 'channel-delete', 'name': row.name, 'old': old_of(row)})
        self.answer({'details': 'OK, deleted'})

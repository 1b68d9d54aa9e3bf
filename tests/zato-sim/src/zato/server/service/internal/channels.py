"""zato.http-soap.*: REST channels."""

import json

from zato.common import odb
from zato.server.service.internal import AdminService, later

NO_SECURITY = 'ZATO_NONE'

COLUMNS = ('id', 'name', 'is_active', 'is_internal', 'connection', 'transport', 'url_path', 'method', 'data_format',
           'security_id', 'service_id', 'service_name', 'url_params_pri', 'params_pri')

# What has no column of its own.
OPAQUE = {'http_accept': '', 'match_slash': False, 'security_groups': [], 'is_rate_limit_active': False,
          'rate_limit_type': '', 'rate_limit_def': '', 'rate_limit_check_parent_def': False}


def announce(service, channel_id):
    later(service.server, {'action': 'channel', 'id': channel_id}, lambda: service.server.channels.refresh(channel_id))


class GetList(AdminService):
    """Without what begins with `zato`, whoever made it. One boolean is a text."""
    name = 'zato.http-soap.get-list'
    element = 'zato_http_soap_get_list_response'
    input = 'cluster_id', '-connection', '-transport'

    def handle(self):
        given = self.request.input
        rows = self.server.odb.rows(
            """select h.*, s.name as service_name from http_soap h left join service s on s.id = h.service_id
            where h.cluster_id=? and h.connection=? and h.transport=? and h.name not like 'zato%'
            and h.name not like '/zato/sso/%' and h.name not like 'pub.zato.service.service-invoker%' order by h.name""",
            given.cluster_id, given.connection or 'channel', given.transport or 'plain_http')
        self.answer([self.listed(row) for row in rows])

    @staticmethod
    def listed(row):
        opaque = dict(OPAQUE, **json.loads(row.opaque1 or '{}'))
        return dict({name: row[name] for name in COLUMNS}, merge_url_params_req=str(bool(row.merge_url_params_req)),
                    timeout=str(row.timeout), **opaque)


class Writer(AdminService):
    """What is not given is reset. Not the converted input: the text ZATO_NONE is no integer, in spite of its name."""

    def values(self, given):
        if not given.get('service'):
            raise ValueError('Either service or service_id is required on input')
        service = self.server.odb.row('select id from service where name=?', given.service)
        if service is None:
            raise LookupError('Service `%s` does not exist in this cluster' % given.service)
        security_id = given.get('security_id')
        security_id = None if security_id in (None, '', NO_SECURITY) else int(security_id)
        if security_id is not None:
            self.one('select id from sec_base where id=?', security_id)
        opaque = {name: given.get(name) or default for name, default in OPAQUE.items()}
        return dict(
            name=given.name.strip(), is_active=bool(given.get('is_active')), url_path=given.url_path,
            method=given.get('method') or '', data_format=given.get('data_format') or '',
            merge_url_params_req=bool(given.get('merge_url_params_req')),
            url_params_pri=given.get('url_params_pri') or 'qs-over-path',
            params_pri=given.get('params_pri') or 'channel-params-over-msg', security_id=security_id,
            service_id=service.id, opaque1=json.dumps(opaque))

    def others(self, values, channel_id=0):
        sql = "select * from http_soap where connection='channel' and transport='plain_http' and id != ?"
        return self.server.odb.rows(sql, channel_id)


class Create(Writer):
    """Channels only: an outgoing connection has no service."""
    name = 'zato.http-soap.create'
    element = 'zato_http_soap_create_response'
    input = 'name', 'connection', 'url_path'

    def handle(self):
        given = self.request.payload
        values = self.values(given)
        accept = json.loads(values['opaque1'])['http_accept']
        for row in self.others(values):
            if row.name == values['name']:
                raise ValueError('An object of that name `%s` already exists in this cluster' % row.name)
            same = row.url_path == values['url_path'] and (row.method or '') == values['method']
            if same and json.loads(row.opaque1 or '{}').get('http_accept', '') == accept:
                raise ValueError('Such a channel already exists (%s); url_path:`%s`, http_accept:`%s`, http_method:`%s`' % (
                    row.name, row.url_path, accept, row.method))
        with self.server.odb.transaction() as connection:
            channel_id = odb.insert(
                connection, 'http_soap', connection=given.connection, transport=given.get('transport') or 'plain_http',
                is_internal=bool(given.get('is_internal')), soap_action='', serialization_type='suds', timeout=10,
                has_rbac=False, sec_use_rbac=False, cluster_id=given.get('cluster_id') or self.server.cluster_id, **values)
        announce(self, channel_id)
        self.answer({'id': channel_id, 'name': values['name'], 'url_path': values['url_path']})


class Edit(Writer):
    """Whether the path is another one's is not looked at: a defect of the real thing."""
    name = 'zato.http-soap.edit'
    element = 'zato_http_soap_edit_response'
    input = 'id', 'name', 'url_path', 'connection'

    def handle(self):
        given = self.request.payload
        row = self.one('select id from http_soap where id=?', int(given.id))
        values = self.values(given)
        if any(other.name == values['name'] for other in self.others(values, row.id)):
            raise ValueError('A channel of that name:`%s` already exists in this cluster' % values['name'])
        columns = ', '.join('%s=?' % name for name in values)
        self.server.odb.execute('update http_soap set %s where id=?' % columns, *values.values(), row.id)
        announce(self, row.id)
        self.answer({'id': row.id, 'name': values['name']})


class Delete(AdminService):
    name = 'zato.http-soap.delete'
    element = 'zato_http_soap_delete_response'
    input = 'id'

    def handle(self):
        row = self.server.odb.row('select id from http_soap where id=?', self.request.input.id)
        if row is None:
            return self.answer({'details': 'No such object'})
        self.server.odb.execute('delete from http_soap where id=?', row.id)
        announce(self, row.id)
        return self.answer({'details': 'OK, deleted'})

"""zato.channel.web-socket.*: WebSocket channels."""

import json

from zato.common import odb
from zato.common.exception import BadRequest
from zato.server.security import opaque_of
from zato.server.service import AsIs, Bool, Int, Text
from zato.server.service.internal import AdminService, constraints
from zato.server.web_sockets import WEB_SOCKET_SQL, from_row

COLUMNS = ('name', 'is_active', 'is_internal', 'address', 'data_format', 'new_token_wait_time', 'token_ttl')
LIMITS = ('max_bytes_per_message_received', 'max_bytes_per_message_sent', 'max_len_messages_received', 'max_len_messages_sent')
FLAGS = ('is_audit_log_received_active', 'is_audit_log_sent_active')
OPAQUE = ('extra_properties', 'security', 'ping_interval', 'pings_missed_threshold', 'service_name') + LIMITS + FLAGS

INPUT = (Text('name'), Text('address'), Text('service_name'), Bool('is_active'), Bool('is_internal'), Text('data_format'),
         Int('new_token_wait_time'), Int('token_ttl'), '-cluster_id', Text('-security'), AsIs('-security_id'),
         Int('-ping_interval'), Int('-pings_missed_threshold'), AsIs('-extra_properties'))
INPUT += tuple(AsIs('-' + name) for name in LIMITS) + tuple(Bool('-' + name) for name in FLAGS)


def listed(row):
    opaque = opaque_of(row)
    out = dict({name: row[name] for name in ('id', *COLUMNS)}, opaque1=row.opaque1, sec_type=row.sec_type,
               security_id=row.security_id, service_name=row.service_name)
    if row.security_id is not None:
        out['security_name'] = row.security_name
    out.update({name: opaque.get(name) for name in LIMITS + FLAGS + ('ping_interval', 'pings_missed_threshold')})
    return out


class GetList(AdminService):
    """All in one answer."""
    name = 'zato.channel.web-socket.get-list'
    element = 'zato_channel_web_socket_get_list_response'
    input = '-cluster_id'

    def handle(self):
        rows = self.server.odb.rows(WEB_SOCKET_SQL + ' where c.cluster_id=? order by c.name', self.cluster_id())
        self.answer([listed(row) for row in rows])


class Writer:
    """What making and editing have in common: what is not given is reset, who may call as well."""

    def columns(self, given):
        service = self.server.odb.row('select id from service where cluster_id=? and name=?', self.cluster_id(),
                                      given.service_name)
        if service is None:
            raise ValueError('Service not found `%s`' % given.service_name)
        security_id = given.security_id or None
        if given.security:
            # A name that there is not opens the channel: a defect of the real thing.
            definition = self.server.odb.row('select id from sec_base where name=?', given.security)
            security_id = definition.id if definition else None
        opaque = {name: given[name] for name in OPAQUE}
        return dict({name: given[name] for name in COLUMNS}, cluster_id=self.cluster_id(), service_id=service.id,
                    security_id=security_id, opaque1=json.dumps(opaque))

    def check_name(self, given, text, channel_id=0):
        if self.server.odb.row('select 1 from channel_web_socket where name=? and id != ?', given.name, channel_id):
            raise BadRequest(self.cid, text % given.name)

    def publish(self, channel_id, old_name):
        row = self.server.odb.row(WEB_SOCKET_SQL + ' where c.id=?', channel_id)
        self.server.broadcast.publish({'action': 'web-socket-write', 'name': row.name, 'old_name': old_name,
                                       'channel': from_row(row)})
        self.answer({'id': row.id, 'name': row.name, 'service_name': row.service_name, 'address': row.address})


class Create(Writer, AdminService):
    name = 'zato.channel.web-socket.create'
    element = 'zato_channel_web_socket_create_response'
    input = INPUT

    def handle(self):
        given = self.request.input
        self.check_name(given, 'A WebSocket channel `%s` already exists in this cluster')
        columns = self.columns(given)
        with constraints(), self.server.odb.transaction() as connection:
            channel_id = odb.insert(connection, 'channel_web_socket', is_out=False, **columns)
        self.publish(channel_id, None)


class Edit(Writer, AdminService):
    name = 'zato.channel.web-socket.edit'
    element = 'zato_channel_web_socket_edit_response'
    input = INPUT + ('id',)

    def handle(self):
        given = self.request.input
        self.check_name(given, 'No such A WebSocket channel `%s` in this cluster', given.id)
        row = self.one('select * from channel_web_socket where id=?', given.id)
        columns = self.columns(given)
        sql = 'update channel_web_socket set %s where id=?' % ', '.join('%s=?' % name for name in columns)
        with constraints():
            self.server.odb.execute(sql, *columns.values(), row.id)
        self.publish(row.id, row.name)


class Delete(AdminService):
    """By id or name. What is not there is no error."""
    name = 'zato.channel.web-socket.delete'
    element = 'zato_channel_web_socket_delete_response'
    input = '-id', Text('-name'), '-cluster_id'

    def handle(self):
        given = self.request.input
        column = 'id' if given.id else 'name'
        row = self.server.odb.row('select * from channel_web_socket where %s=?' % column, given[column])
        if row:
            self.server.odb.execute('delete from channel_web_socket where id=?', row.id)
            self.server.broadcast.publish({'action': 'web-socket-delete', 'name': row.name, 'old_name': row.name})
        self.answer({})

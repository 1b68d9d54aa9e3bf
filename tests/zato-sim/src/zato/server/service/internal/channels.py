"""zato.http-soap.*: REST channels."""

from zato.common import odb
from zato.server.service.internal import AdminService

NO_SECURITY = 'ZATO_NONE'

COLUMNS = ('id', 'name', 'is_active', 'is_internal', 'connection', 'transport', 'url_path', 'method', 'data_format',
           'security_id', 'service_id', 'service_name', 'merge_url_params_req', 'url_params_pri', 'params_pri')


def announce(service, channel_id):
    service.server.channels.refresh(channel_id)
    service.server.broadcast.send({'action': 'channel', 'id': channel_id})


class GetList(AdminService):
    name = 'zato.http-soap.get-list'
    element = 'zato_http_soap_get_list_response'
    input = 'cluster_id', '-connection', '-transport'

    def handle(self):
        given = self.request.input
        rows = self.server.odb.rows(
            """select h.*, s.name as service_name from http_soap h left join service s on s.id = h.service_id
            where h.cluster_id=? and h.connection=? and h.transport=? order by h.name""",
            given.cluster_id, given.connection or 'channel', given.transport or 'plain_http')
        self.answer([{name: row[name] for name in COLUMNS} for row in rows])


class Create(AdminService):
    """Channels only: an outgoing connection has no service."""
    name = 'zato.http-soap.create'
    element = 'zato_http_soap_create_response'
    input = 'cluster_id', 'name', 'is_active', 'connection', 'transport', 'url_path', 'service'

    def handle(self):
        # Not the converted input: the text ZATO_NONE is no integer, in spite of the name security_id.
        given = self.request.payload
        service = self.one('select id from service where name=?', given.service)
        security_id = given.get('security_id')
        with self.server.odb.transaction() as connection:
            channel_id = odb.insert(
                connection, 'http_soap', name=given.name, is_active=bool(given.is_active), connection=given.connection,
                is_internal=bool(given.get('is_internal')), transport=given.transport, url_path=given.url_path,
                method=given.get('method') or '', data_format=given.get('data_format'), soap_action='',
                serialization_type='suds', timeout=10, merge_url_params_req=bool(given.get('merge_url_params_req')),
                url_params_pri=given.get('url_params_pri') or 'qs-over-path',
                params_pri=given.get('params_pri') or 'channel-params-over-msg', has_rbac=False, sec_use_rbac=False,
                security_id=None if security_id in (None, NO_SECURITY) else int(security_id), service_id=service.id,
                cluster_id=given.cluster_id)
        announce(self, channel_id)
        self.answer({'id': channel_id, 'name': given.name})


class Delete(AdminService):
    name = 'zato.http-soap.delete'
    input = 'id'

    def handle(self):
        row = self.one('select id from http_soap where id=?', self.request.input.id)
        self.server.odb.execute('delete from http_soap where id=?', row.id)
        announce(self, row.id)

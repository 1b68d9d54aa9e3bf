"""zato.server.*: the rows of the cluster's servers."""

from zato.server.service.internal import AdminService

COLUMNS = ('id', 'name', 'host', 'bind_host', 'bind_port', 'preferred_address', 'crypto_use_tls', 'last_join_status',
           'last_join_mod_date', 'last_join_mod_by', 'up_status', 'up_mod_date')


class GetList(AdminService):
    """All the rows, those of servers that are gone or were never started as well."""
    name = 'zato.server.get-list'
    element = 'zato_server_get_list_response'
    input = 'cluster_id'

    def handle(self):
        rows = self.server.odb.rows('select * from server where cluster_id=? order by name', self.request.input.cluster_id)
        self.answer([{name: row[name] for name in COLUMNS} for row in rows])


class Delete(AdminService):
    name = 'zato.server.delete'
    input = 'id'

    def handle(self):
        row = self.one('select id from server where id=?', self.request.input.id)
        if row.id == self.server.id:
            raise ValueError('A server cannot delete itself')
        with self.server.odb.transaction() as connection:
            connection.execute('delete from deployed_service where server_id=?', (row.id,))
            connection.execute('delete from server where id=?', (row.id,))

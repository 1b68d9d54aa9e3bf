"""zato.service.*: what a server knows of its services."""

import base64
import json

from zato.server.service.internal import AdminService
from zato.server.store import delete_services


def as_listed(row):
    return {'id': row.id, 'name': row.name, 'is_active': row.is_active, 'impl_name': row.impl_name,
            'is_internal': row.is_internal, 'may_be_deleted': not row.is_internal, 'usage': 0,
            'slow_threshold': row.slow_threshold}


class GetList(AdminService):
    """`query` is taken and not honoured."""
    name = 'zato.service.get-list'
    element = 'zato_service_get_list_response'
    input = 'cluster_id', '-query'

    def handle(self):
        rows = self.server.odb.rows('select * from service where cluster_id=? order by name', self.request.input.cluster_id)
        self.answer([as_listed(row) for row in rows])


class GetByName(AdminService):
    """Works on SQLite, and only there: a defect of the real thing."""
    name = 'zato.service.get-by-name'
    element = 'zato_service_get_by_name_response'
    input = 'cluster_id', 'name'

    def handle(self):
        given = self.request.input
        if self.server.odb.kind == 'postgresql':
            raise TypeError("'NoneType' object is not iterable")
        self.answer(as_listed(self.one('select * from service where cluster_id=? and name=?', given.cluster_id, given.name)))


class GetSourceInfo(AdminService):
    """Of the server that is asked. The hash is that of the file when it was loaded last, whatever code was run."""
    name = 'zato.service.get-source-info'
    element = 'zato_service_get_source_info_response'
    input = 'cluster_id', 'name'

    def handle(self):
        given = self.request.input
        row = self.one("""select d.*, s.id as service_id from deployed_service d join service s on s.id = d.service_id
            where d.server_id=? and s.cluster_id=? and s.name=?""", self.server.id, given.cluster_id, given.name)
        self.answer({
            'service_id': row.service_id, 'server_name': self.server.name, 'source_path': row.source_path,
            'source': base64.b64encode(row.source).decode(), 'source_hash': row.source_hash,
            'source_hash_method': row.source_hash_method})


class GetDeploymentInfoList(AdminService):
    name = 'zato.service.get-deployment-info-list'
    element = 'zato_service_get_deployment_info_list_response'
    input = 'id'

    def handle(self):
        rows = self.server.odb.rows("""select d.details, v.id as server_id, v.name as server_name from deployed_service d
            join server v on v.id = d.server_id where d.service_id=?""", self.request.input.id)
        out = []
        for row in rows:
            details = json.loads(row.details)
            out.append({'server_id': row.server_id, 'server_name': row.server_name, 'details': details,
                        'fs_location': details['fs_location'], 'line_number': details['line_number']})
        self.answer(out)


class IsDeployed(AdminService):
    name = 'zato.service.is-deployed'
    element = 'zato_service_is_deployed_response'
    input = 'name'

    def handle(self):
        self.answer({'is_deployed': self.request.input.name in self.server.store})


class Delete(AdminService):
    """Only the rows go, those of its channels and jobs as well: running servers go on serving, but not through these."""
    name = 'zato.service.delete'
    input = 'id'

    def handle(self):
        row = self.one('select * from service where id=?', self.request.input.id)
        if row.is_internal:
            raise ValueError('Cannot delete an internal service: %s' % row.name)
        with self.server.odb.transaction() as connection:
            delete_services(connection, 'select id from service where id=?', (row.id,))
        self.server.broadcast.publish({'action': 'service-delete', 'name': row.name})


class GetSlowResponseList(AdminService):
    """Nothing is slow here."""
    name = 'zato.service.slow-response.get-list'
    element = 'zato_service_slow_response_get_list_response'

    def handle(self):
        self.answer([])

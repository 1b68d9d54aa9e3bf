"""zato.security.basic-auth.*: definitions and their passwords."""

from zato.common import crypto, odb
from zato.server.service.internal import AdminService


def announce(service, definition_id):
    """The change counts here at once, and on the other workers and servers."""
    service.server.security.refresh(definition_id)
    service.server.broadcast.send({'action': 'security', 'id': definition_id})


class GetList(AdminService):
    name = 'zato.security.basic-auth.get-list'
    element = 'zato_security_basic_auth_get_list_response'
    input = 'cluster_id'

    def handle(self):
        self.answer(self.server.odb.rows(
            """select b.id, b.name, b.is_active, b.username, a.realm from sec_base b join sec_basic_auth a on a.id = b.id
            where b.cluster_id=? and b.sec_type='basic_auth' order by b.name""", self.request.input.cluster_id))


class Create(AdminService):
    """The password is random until it is changed."""
    name = 'zato.security.basic-auth.create'
    element = 'zato_security_basic_auth_create_response'
    input = 'cluster_id', 'name', 'is_active', 'username', 'realm'

    def handle(self):
        given = self.request.input
        with self.server.odb.transaction() as connection:
            definition_id = odb.insert(
                connection, 'sec_base', name=given.name, username=given.username, is_active=given.is_active,
                sec_type='basic_auth', cluster_id=given.cluster_id,
                password=crypto.encrypt_password(self.server.key, crypto.random_password()))
            odb.insert(connection, 'sec_basic_auth', id=definition_id, realm=given.realm)
        announce(self, definition_id)
        self.answer({'id': definition_id, 'name': given.name})


class Delete(AdminService):
    name = 'zato.security.basic-auth.delete'
    input = 'id'

    def handle(self):
        row = self.one('select id from sec_base where id=?', self.request.input.id)
        with self.server.odb.transaction() as connection:
            connection.execute('delete from http_soap where security_id=?', (row.id,))
            connection.execute('delete from sec_basic_auth where id=?', (row.id,))
            connection.execute('delete from sec_base where id=?', (row.id,))
        announce(self, row.id)


class ChangePassword(AdminService):
    name = 'zato.security.basic-auth.change-password'
    element = 'zato_security_basic_auth_change_password_response'
    input = 'id', 'password1', 'password2'

    def handle(self):
        given = self.request.input
        if given.password1 != given.password2:
            raise ValueError('Passwords need to be the same')
        row = self.one('select id from sec_base where id=?', given.id)
        self.server.odb.execute('update sec_base set password=? where id=?',
                                crypto.encrypt_password(self.server.key, given.password1), row.id)
        announce(self, row.id)
        self.answer({'id': row.id})

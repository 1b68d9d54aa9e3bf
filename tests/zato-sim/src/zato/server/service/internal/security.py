"""zato.security.basic-auth.* and zato.security.apikey.*: definitions of who may call, and their passwords."""

import json
import uuid

from zato.common import crypto, odb
from zato.server.service.internal import AdminService

API_KEY_HEADER = 'X-API-Key'


def announce(service, definition_id):
    """The change counts here at once, and on the other workers and servers."""
    service.server.security.refresh(definition_id)
    service.server.broadcast.send({'action': 'security', 'id': definition_id})


class Definitions(AdminService):
    """What both kinds have. A name is of one definition of the kind."""

    kind = title = None

    def check_name(self, name, definition_id=0):
        sql = 'select 1 from sec_base where name=? and sec_type=? and id != ?'
        if self.server.odb.row(sql, name, self.kind, definition_id):
            raise ValueError('%s `%s` already exists in this cluster' % (self.title, name))

    def found(self):
        return self.one('select * from sec_base where id=? and sec_type=?', int(self.request.payload.id), self.kind)


class BasicAuth:
    kind, title = 'basic_auth', 'HTTP Basic Auth definition'


class ApiKey:
    kind, title = 'apikey', 'API key'


class GetList(AdminService):
    name = 'zato.security.basic-auth.get-list'
    element = 'zato_security_basic_auth_get_list_response'
    input = 'cluster_id'

    def handle(self):
        self.answer(self.server.odb.rows(
            """select b.id, b.name, b.is_active, b.username, a.realm from sec_base b join sec_basic_auth a on a.id = b.id
            where b.cluster_id=? and b.sec_type='basic_auth' order by b.name""", self.request.input.cluster_id))


class Create(BasicAuth, Definitions):
    """The password is random until it is changed."""
    name = 'zato.security.basic-auth.create'
    element = 'zato_security_basic_auth_create_response'
    input = 'cluster_id', 'name', 'is_active', 'username', 'realm'

    def handle(self):
        given = self.request.input
        self.check_name(given.name)
        with self.server.odb.transaction() as connection:
            definition_id = odb.insert(
                connection, 'sec_base', name=given.name, username=given.username, is_active=given.is_active,
                sec_type=self.kind, cluster_id=given.cluster_id,
                password=crypto.encrypt_password(self.server.key, crypto.random_password()))
            odb.insert(connection, 'sec_basic_auth', id=definition_id, realm=given.realm)
        announce(self, definition_id)
        self.answer({'id': definition_id, 'name': given.name})


class Edit(BasicAuth, Definitions):
    """The password stays."""
    name = 'zato.security.basic-auth.edit'
    element = 'zato_security_basic_auth_edit_response'
    input = 'id', 'name', 'is_active', 'username', 'realm'

    def handle(self):
        given, row = self.request.input, self.found()
        self.check_name(given.name, row.id)
        with self.server.odb.transaction() as connection:
            connection.execute('update sec_base set name=?, is_active=?, username=? where id=?',
                               (given.name, given.is_active, given.username, row.id))
            connection.execute('update sec_basic_auth set realm=? where id=?', (given.realm, row.id))
        announce(self, row.id)
        self.answer({'id': row.id, 'name': given.name})


class ListKeys(AdminService):
    name = 'zato.security.apikey.get-list'
    element = 'zato_security_apikey_get_list_response'
    input = 'cluster_id'

    def handle(self):
        rows = self.server.odb.rows("select * from sec_base where cluster_id=? and sec_type='apikey' order by name",
                                    self.request.input.cluster_id)
        self.answer([dict({name: row[name] for name in ('id', 'name', 'is_active', 'username')},
                          header=json.loads(row.opaque1)['header']) for row in rows])


class CreateKey(ApiKey, Definitions):
    """The key is random until it is changed."""
    name = 'zato.security.apikey.create'
    element = 'zato_security_apikey_create_response'
    input = 'name', 'is_active', '-cluster_id', '-header'

    def handle(self):
        given = self.request.input
        self.check_name(given.name)
        header = given.header or API_KEY_HEADER
        with self.server.odb.transaction() as connection:
            definition_id = odb.insert(
                connection, 'sec_base', name=given.name, username='Zato-Not-Used-' + uuid.uuid4().hex,
                is_active=given.is_active, sec_type=self.kind, cluster_id=given.cluster_id or self.server.cluster_id,
                opaque1=json.dumps({'header': header}),
                password=crypto.encrypt_password(self.server.key, crypto.random_password()))
            odb.insert(connection, 'sec_apikey', id=definition_id)
        announce(self, definition_id)
        self.answer({'id': definition_id, 'name': given.name, 'header': header})


class EditKey(ApiKey, Definitions):
    """The key stays."""
    name = 'zato.security.apikey.edit'
    element = 'zato_security_apikey_edit_response'
    input = 'id', 'name', 'is_active', '-cluster_id', '-header'

    def handle(self):
        given, row = self.request.input, self.found()
        self.check_name(given.name, row.id)
        header = given.header or API_KEY_HEADER
        self.server.odb.execute('update sec_base set name=?, is_active=?, opaque1=? where id=?', given.name,
                                given.is_active, json.dumps({'header': header}), row.id)
        announce(self, row.id)
        self.answer({'id': row.id, 'name': given.name, 'header': header})


class Deleter(Definitions):
    """The channels that need it go with it."""

    def handle(self):
        row = self.found()
        with self.server.odb.transaction() as connection:
            connection.execute('delete from http_soap where security_id=?', (row.id,))
            for table in ('sec_basic_auth', 'sec_apikey', 'sec_base'):
                connection.execute('delete from %s where id=?' % table, (row.id,))
        announce(self, row.id)


class Delete(BasicAuth, Deleter):
    name = 'zato.security.basic-auth.delete'
    input = 'id'


class DeleteKey(ApiKey, Deleter):
    name = 'zato.security.apikey.delete'
    input = 'id'


class PasswordChanger(Definitions):

    def handle(self):
        given = self.request.input
        if given.password1 != given.password2:
            raise ValueError('Passwords need to be the same')
        row = self.found()
        self.server.odb.execute('update sec_base set password=? where id=?',
                                crypto.encrypt_password(self.server.key, given.password1), row.id)
        announce(self, row.id)
        self.answer({'id': row.id})


class ChangePassword(BasicAuth, PasswordChanger):
    name = 'zato.security.basic-auth.change-password'
    element = 'zato_security_basic_auth_change_password_response'
    input = 'id', 'password1', 'password2'


class ChangeKey(ApiKey, PasswordChanger):
    name = 'zato.security.apikey.change-password'
    element = 'zato_security_apikey_change_password_response'
    input = 'id', 'password1', 'password2'

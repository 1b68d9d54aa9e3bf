"""zato.security.basic-auth.* and zato.security.apikey.*: definitions of who may call, and their passwords.

Each is there for both kinds. What they share is in classes that are no services of their own."""

import json
import uuid

from zato.common import crypto, odb
from zato.common.bunch import Bunch
from zato.server.security import API_KEY, API_KEY_HEADER, BASIC_AUTH, DEFINITION_SQL, environment_name, opaque_of
from zato.server.service import Bool, Int
from zato.server.service.internal import AdminService, constraints

BASIC = Bunch(type=BASIC_AUTH, title='HTTP Basic Auth definition', model='HTTPBasicAuth', table='sec_basic_auth')
KEY = Bunch(type=API_KEY, title='API key', model='APIKeySecurity', table='sec_apikey')

# Are kept, and act on nothing here.
RATE_LIMIT = ('-is_rate_limit_active', '-rate_limit_type', '-rate_limit_def', Bool('-rate_limit_check_parent_def'))
RATE_LIMIT_NAMES = ('is_rate_limit_active', 'rate_limit_check_parent_def', 'rate_limit_def', 'rate_limit_type')

# Seconds that a new definition may take to be known here. The answer waits for that.
KNOWN_TIMEOUT = 10


class Definitions:
    kind = None

    def check_name(self, name, where, definition_id=0):
        sql = 'select 1 from sec_base where name=? and sec_type=? and id != ?'
        if self.server.odb.row(sql, name, self.kind.type, definition_id):
            raise Exception('%s `%s` already exists %s this cluster' % (self.kind.title, name, where))

    def found(self, column, value):
        return self.one('%s where b.%s=? and b.sec_type=?' % (DEFINITION_SQL, column), value, self.kind.type)

    def opaque(self, given):
        names = RATE_LIMIT_NAMES + (('header',) if self.kind is KEY else ())
        return json.dumps({name: given[name] for name in names})

    def publish(self, action, name, old_name=None, **definition):
        return self.server.broadcast.publish({
            'action': 'security-' + action, 'name': name, 'old_name': old_name or name,
            'definition': dict(definition, name=name, sec_type=self.kind.type)})


class List(Definitions):
    input = 'cluster_id'

    def handle(self):
        given = self.request.input
        rows = self.server.odb.rows(DEFINITION_SQL + ' where b.cluster_id=? and b.sec_type=? order by b.name',
                                    given.cluster_id, self.kind.type)
        self.answer([self.listed(row) for row in rows])

    def listed(self, row):
        """Passwords are not told."""
        own = {'realm': row.realm} if self.kind is BASIC else {}
        return dict({name: row[name] for name in ('id', 'is_active', 'name', 'username')}, **own, **opaque_of(row))


class Maker(Definitions):
    """The password is random until it is changed."""
    output_is_required = True

    def handle(self):
        given = self.request.input
        self.check_name(given.name, 'in')
        password = crypto.random_password()
        if self.kind is KEY:
            given.username = 'Zato-Not-Used-' + uuid.uuid4().hex
            given.header = given.header or API_KEY_HEADER
        with constraints(), self.server.odb.transaction() as connection:
            given.id = odb.insert(
                connection, 'sec_base', name=given.name, username=given.username, is_active=given.is_active,
                sec_type=self.kind.type, cluster_id=self.cluster_id(), opaque1=self.opaque(given),
                password=crypto.encrypt_password(self.server.key, password))
            own = {'realm': given.realm or None} if self.kind is BASIC else {}
            odb.insert(connection, self.kind.table, id=given.id, **own)
        self.publish('create', given.name, id=given.id, username=given.username, realm=given.get('realm'),
                     header=environment_name(given.get('header', '')), password=password).wait(KNOWN_TIMEOUT)
        header = {'header': given.header} if self.kind is KEY else {}
        self.answer(dict(header, id=given.id, name=given.name))


class Editor(Definitions):
    """The password stays. Of an API key the answer has the header that it had before."""
    output_is_required = True

    def handle(self):
        given = self.request.input
        if not given.id:
            # Without one the name alone is found, which is a definition that exists already.
            raise Exception('%s `%s` already exists on this cluster' % (self.kind.title, given.name))
        self.check_name(given.name, 'on' if self.kind is BASIC else 'in', given.id)
        row = self.found('id', given.id)
        if self.kind is KEY:
            given.username, given.header = row.username, given.header or API_KEY_HEADER
        with constraints(), self.server.odb.transaction() as connection:
            connection.execute('update sec_base set name=?, is_active=?, username=?, opaque1=? where id=?',
                               (given.name, given.is_active, given.username, self.opaque(given), row.id))
            if self.kind is BASIC:
                connection.execute('update sec_basic_auth set realm=? where id=?', (given.realm or None, row.id))
        self.publish('edit', given.name, old_name=row.name, id=row.id, username=given.username,
                     realm=given.get('realm'), header=environment_name(given.get('header', '')))
        header = {'header': opaque_of(row).get('header')} if self.kind is KEY else {}
        self.answer(dict(header, id=row.id, name=given.name))


class Deleter(Definitions):
    """The rows of channels that need it go with it."""
    input = 'id'

    def handle(self):
        given = self.request.input
        row = self.found('id', given.id)
        with self.server.odb.transaction() as connection:
            connection.execute('delete from http_soap where security_id=?', (row.id,))
            connection.execute('delete from %s where id=?' % self.kind.table, (row.id,))
            connection.execute('delete from sec_base where id=?', (row.id,))
        self.publish('delete', row.name)


class PasswordChanger(Definitions):
    """By id or name. The answer has the id that was given. An empty password is taken, every login fails then."""
    input = 'password1', 'password2', Int('-id'), '-name', '-type_'
    output_is_required = True

    def handle(self):
        given = self.request.input
        if given.password1 != given.password2:
            raise Exception('Passwords need to be the same')
        if not (given.id or given.name):
            raise Exception('Either ID or name are required on input')
        column = 'id' if given.id else 'name'
        sql = 'select * from sec_base where sec_type=? and %s=?' % column
        row = self.server.odb.row(sql, self.kind.type, given[column])
        if row is None:
            model = "<class 'zato.common.odb.model.%s'>" % self.kind.model
            raise Exception('Could not find instance with id:`%s` and name:`%s` (%s)' % (given.id, given.name, model))
        self.server.odb.execute('update sec_base set password=? where id=?',
                                crypto.encrypt_password(self.server.key, given.password1), row.id)
        self.publish('password', row.name, password=given.password1)
        self.answer({'id': given.id})


class GetBasic(List, AdminService):
    kind = BASIC
    name = 'zato.security.basic-auth.get-list'
    element = 'zato_security_basic_auth_get_list_response'


class CreateBasic(Maker, AdminService):
    kind = BASIC
    name = 'zato.security.basic-auth.create'
    element = 'zato_security_basic_auth_create_response'
    input = ('name', 'is_active', 'username', 'realm', '-cluster_id') + RATE_LIMIT


class EditBasic(Editor, AdminService):
    kind = BASIC
    name = 'zato.security.basic-auth.edit'
    element = 'zato_security_basic_auth_edit_response'
    input = ('name', 'is_active', 'username', 'realm', '-id', '-cluster_id') + RATE_LIMIT


class DeleteBasic(Deleter, AdminService):
    kind = BASIC
    name = 'zato.security.basic-auth.delete'


class ChangeBasic(PasswordChanger, AdminService):
    kind = BASIC
    name = 'zato.security.basic-auth.change-password'
    element = 'zato_security_basic_auth_change_password_response'


class GetKeys(List, AdminService):
    kind = KEY
    name = 'zato.security.apikey.get-list'
    element = 'zato_security_apikey_get_list_response'


class CreateKey(Maker, AdminService):
    kind = KEY
    name = 'zato.security.apikey.create'
    element = 'zato_security_apikey_create_response'
    input = ('name', 'is_active', '-cluster_id', '-header') + RATE_LIMIT


class EditKey(Editor, AdminService):
    kind = KEY
    name = 'zato.security.apikey.edit'
    element = 'zato_security_apikey_edit_response'
    input = ('id', 'name', 'is_active', '-cluster_id', '-header') + RATE_LIMIT


class DeleteKey(Deleter, AdminService):
    kind = KEY
    name = 'zato.security.apikey.delete'


class ChangeKey(PasswordChanger, AdminService):
    kind = KEY
    name = 'zato.security.apikey.change-password'
    element = 'zato_security_apikey_change_password_response'

"""zato.sso.user-attr.* and zato.sso.session-attr.*: attributes of users and of sessions. Only super-users have any of it.

What all of them share is in classes that are no services of their own."""

import json
import uuid

from zato.common import config, odb
from zato.common.sso import codes, values
from zato.common.sso.codes import Refused
from zato.server.sso import SSOService


class OfUser:
    required = ('current_app', 'ust')

    def owner(self, given):
        """User and session that the attributes are of."""
        self.caller(given.ust, unless_super_user=codes.NOT_ALLOWED)
        if not self.server.sso.users.find('user_id', given.get('user_id')):
            raise Refused(codes.NOT_ALLOWED)
        return given.user_id, None


class OfSession:
    required = ('current_app', 'target_ust')

    def owner(self, given):
        self.caller(given.get('current_ust'), unless_super_user=codes.NOT_ALLOWED)
        target = self.session(given.target_ust)
        return target.owner_id, target.ust


class Attributes:

    def where(self, given):
        user_id, ust = self.owner(given)
        return 'where user_id=? and _ust_string=?', (user_id, ust or '')

    def rows(self, given):
        where, parameters = self.where(given)
        rows = self.server.odb.rows('select * from zato_sso_attr %s order by name' % where, *parameters)
        return [row for row in rows if values.of_row(row.expiration_time or values.NEVER) > values.now()]

    def row(self, given):
        """None if there is none of the name."""
        return next((row for row in self.rows(given) if row.name == given.name), None)


class Attribute(Attributes):
    """Values are texts, whatever came, and none as well. Encrypted ones are refused."""

    def on_GET(self, given):
        row = self.row(given)
        if not row:
            return {'found': False}
        times = {name: values.outward(row[name]) for name in ('creation_time', 'last_modified', 'expiration_time')}
        return dict(times, found=True, is_encrypted=row.is_encrypted, name=row.name, value=json.loads(row.value))

    def on_POST(self, given):
        items = given.get('data') or [given]
        for item in items:
            self.create(given, item)

    def create(self, given, item):
        user_id, ust = self.owner(given)
        check(given, item)
        if self.row(dict_of(given, item)):
            raise Refused(codes.ATTRIBUTE_EXISTS)
        now = values.to_row(values.now())
        with self.server.odb.transaction() as connection:
            odb.insert(
                connection, 'zato_sso_attr', user_id=user_id, ust=ust, _ust_string=ust or '', name=item.name,
                is_session_attr=bool(ust), is_encrypted=False, serial_method='json', value=written(item),
                creation_time=now, last_modified=now, expiration_time=end_of(item, now), opaque1='null')

    def on_PUT(self, given):
        if self.row(given):
            return self.on_PATCH(given)
        return self.on_POST(given)

    def on_PATCH(self, given):
        """One that is not there is no error."""
        where, parameters = self.where(given)
        check(given, given)
        now = values.to_row(values.now())
        self.server.odb.execute(
            'update zato_sso_attr set value=?, last_modified=?, expiration_time=? %s and name=?' % where,
            written(given), now, end_of(given, now), *parameters, given.name)

    def on_DELETE(self, given):
        where, parameters = self.where(given)
        self.server.odb.execute('delete from zato_sso_attr %s and name=?' % where, *parameters, given.name)


class Exists(Attributes):
    """The answer is a text, as is the list of names."""

    def on_GET(self, given):
        return {'result': str(bool(self.row(given)))}


class Names(Attributes):

    def on_GET(self, given):
        return {'result': str([row.name for row in self.rows(given)])}


class UserAttr(OfUser, Attribute, SSOService):
    name = 'zato.sso.user-attr.user-attr'


class UserAttrExists(OfUser, Exists, SSOService):
    name = 'zato.sso.user-attr.user-attr-exists'


class UserAttrNames(OfUser, Names, SSOService):
    name = 'zato.sso.user-attr.user-attr-names'


class SessionAttr(OfSession, Attribute, SSOService):
    name = 'zato.sso.session-attr.session-attr'


class SessionAttrExists(OfSession, Exists, SSOService):
    name = 'zato.sso.session-attr.session-attr-exists'


class SessionAttrNames(OfSession, Names, SSOService):
    name = 'zato.sso.session-attr.session-attr-names'


def check(given, item):
    if not item.get('name') or config.is_true(item.get('encrypt')) or config.is_true(given.get('encrypt')):
        raise Refused(codes.REFUSED)


def dict_of(given, item):
    return type(given)(given, name=item.name)


def written(item):
    return json.dumps(str(item['value'] if 'value' in item else 'invalid.' + uuid.uuid4().hex))


def end_of(item, now):
    return values.after(now, seconds=int(item.expiration)) if item.get('expiration') else values.NEVER

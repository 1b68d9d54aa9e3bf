"""Security definitions: what a worker keeps in memory of table sec_base, and whether what a caller sends is enough.

It is read at boot and changed by messages. A row that somebody changes in the database itself is not noticed until the
server is started again. That a definition is not active means nothing: a defect of the real thing."""

import base64
import hmac
import json

from zato.common import crypto
from zato.common.bunch import Bunch
from zato.common.exception import Unauthorized

BASIC_AUTH, API_KEY = 'basic_auth', 'apikey'

DEFINITION_SQL = 'select b.*, a.realm from sec_base b left join sec_basic_auth a on a.id = b.id'

API_KEY_HEADER = 'X-API-Key'


def opaque_of(row):
    """What a row has without a column for it. Rows that a real server has written again are a text within a text."""
    found = json.loads(row.opaque1 or 'null')
    return (json.loads(found) if isinstance(found, str) else found) or {}


class Security:
    """`definitions`: by kind and name."""

    def __init__(self, odb, key):
        self.odb = odb
        self.key = key
        self.definitions = {BASIC_AUTH: {}, API_KEY: {}}

    def load(self):
        for row in self.odb.rows(DEFINITION_SQL):
            self.definitions[row.sec_type][row.name] = Bunch(
                id=row.id, name=row.name, username=row.username, realm=row.realm, sec_type=row.sec_type,
                header=environment_name(opaque_of(row).get('header') or API_KEY_HEADER),
                password=crypto.decrypt_password(self.key, row.password))

    def by_name(self, name):
        return self.definitions[BASIC_AUTH][name]

    def apply(self, message, channels):
        """Takes a change over. Channels have copies of their definitions, which change with them."""
        change = Bunch(message['definition'])
        known, old_name = self.definitions[change.sec_type], message['old_name']
        if message['action'] == 'security-delete':
            channels.drop_one_of(change.sec_type, old_name)
            del known[old_name]
            channels.drop_guards_of(change.sec_type, old_name)
            return
        if message['action'] == 'security-edit':
            previous = known.pop(old_name)
            # The key of an API key is forgotten: channels that are made or edited after this take any key at all.
            if change.sec_type == BASIC_AUTH:
                change.password = previous.password
        if message['action'] == 'security-password':
            known[old_name].password = change.password
        else:
            known[change.name] = change
        channels.update_guards_of(change.sec_type, old_name, change)


def environment_name(header):
    """Headers are looked for by this name, so that _ and - are the same, and so are small and capital letters."""
    return 'HTTP_' + header.upper().replace('-', '_')


def check(definition, headers, cid):
    """Raises an error unless the headers of a request open what the definition closes."""
    if definition.sec_type == API_KEY:
        given = {environment_name(name): value for name, value in headers.items()}
        expected = definition.get('password')
        if definition.header not in given or expected and given[definition.header] != expected:
            raise Unauthorized(cid, '401 Unauthorized')
    elif not is_basic_auth(definition, headers.get('Authorization')):
        raise Unauthorized(cid, 'Unauthorized; cid=%s' % cid, 'Basic realm="%s"' % definition.realm)


def is_basic_auth(definition, header):
    """What cannot be read is an error of the server, not of the caller."""
    if not header or not header.startswith('Basic '):
        return False
    _, encoded = header.split('Basic ')
    username, password = base64.b64decode(encoded.strip()).decode().split(':', 1)
    if not username or not is_equal(username, definition.username):
        return False
    if not definition.password:
        raise TypeError('No password to compare with')
    return is_equal(password, definition.password)


def is_equal(one, other):
    return hmac.compare_digest(one.encode(), other.encode())

"""What a worker keeps in memory of the ODB: security definitions and REST channels.

It is read at boot and changed by messages. A row that somebody changes in the database itself is not noticed until the
server is started again.
"""

import base64
import binascii
import hmac
import re

from zato.common import crypto
from zato.common.odb_rows import ROLE_CHANNELS

CHANNEL_SQL = """select h.*, s.name as service_name from http_soap h join service s on s.id = h.service_id
    where h.connection = 'channel' and h.transport = 'plain_http'"""


class Security:

    def __init__(self, odb, key):
        self.odb = odb
        self.key = key
        self.definitions = {}

    def load(self):
        for row in self.odb.rows('select id from sec_base'):
            self.refresh(row.id)

    def refresh(self, definition_id):
        """Takes one row over as it is now, or forgets it if it is gone."""
        row = self.odb.row('select * from sec_base where id=?', definition_id)
        if row is None:
            self.definitions.pop(definition_id, None)
            return
        row.password = crypto.decrypt_password(self.key, row.password)
        self.definitions[definition_id] = row

    def by_name(self, name):
        return next((row for row in self.definitions.values() if row.name == name), None)

    def is_allowed(self, channel, authorization):
        """Whether the value of an Authorization header opens the channel."""
        definition = self.definition_of(channel)
        if definition is None:
            return True
        return definition.is_active and _matches(definition, authorization)

    def definition_of(self, channel):
        if channel.name in ROLE_CHANNELS:
            return self.by_name(ROLE_CHANNELS[channel.name])
        return self.definitions.get(channel.security_id)


def _matches(definition, authorization):
    scheme, _, encoded = (authorization or '').partition(' ')
    if scheme.lower() != 'basic':
        return False
    try:
        given = base64.b64decode(encoded)
    except binascii.Error:
        return False
    return hmac.compare_digest(given, ('%s:%s' % (definition.username, definition.password)).encode())


class Channels:

    def __init__(self, odb):
        self.odb = odb
        self.rows = {}

    def load(self):
        for row in self.odb.rows(CHANNEL_SQL):
            self.add(row)

    def refresh(self, channel_id):
        row = self.odb.row(CHANNEL_SQL + ' and h.id=?', channel_id)
        if row is None:
            self.rows.pop(channel_id, None)
        else:
            self.add(row)

    def add(self, row):
        # {name} stands for one segment of the path.
        parts = re.split(r'\{(\w+)\}', row.url_path)
        row.pattern = re.compile(''.join(
            '(?P<%s>[^/]+)' % part if index % 2 else re.escape(part) for index, part in enumerate(parts)))
        self.rows[row.id] = row

    def match(self, method, path):
        """The active channel of the path and its path parameters; a path without parameters comes first."""
        found = []
        for row in list(self.rows.values()):
            match = row.pattern.fullmatch(path)
            if match and row.is_active and (not row.method or row.method == method):
                found.append((row, match.groupdict()))
        return min(found, key=lambda item: len(item[1])) if found else (None, {})

"""What a worker keeps in memory of the ODB: security definitions and REST channels.

It is read at boot and changed by messages. A row that somebody changes in the database itself is not noticed until the
server is started again.
"""

import base64
import binascii
import hmac
import json
import re
import time
from urllib.parse import unquote

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

    def is_allowed(self, channel, headers):
        """Whether what a caller sends opens the channel. Whether its definition is active does not count: a defect of the
        real thing."""
        definition = self.definition_of(channel)
        if definition is None:
            return True
        if definition.sec_type == 'apikey':
            given = headers.get(json.loads(definition.opaque1)['header']) or ''
            return hmac.compare_digest(given.encode(), definition.password.encode())
        return _matches(definition, headers.get('Authorization'))

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
        opaque = json.loads(row.opaque1 or '{}')
        # {name} stands for one part of the path, of these characters.
        value = '(?P<%s>[\\w $.:|=~^/-]+)' if opaque.get('match_slash') else '(?P<%s>[\\w $.:|=~^-]+)'
        parts = re.split(r'\{(\w+)\}', row.url_path)
        row.pattern = re.compile(''.join(value % part if index % 2 else part for index, part in enumerate(parts)))
        row.limit = Limit(opaque.get('rate_limit_def')) if opaque.get('is_rate_limit_active') else None
        self.rows[row.id] = row

    def match(self, method, path):
        """The active channel of the path and its path parameters: those of users come first, then the first by name."""
        for row in sorted(self.rows.values(), key=lambda row: (row.is_internal, row.name)):
            match = row.pattern.fullmatch(unquote(path))
            if match and row.is_active and (not row.method or row.method == method):
                return row, match.groupdict()
        return None, {}


SECONDS = {'m': 60, 'h': 3600, 'd': 86400}


class Limit:
    """So many requests in a minute, an hour or a day, from anywhere."""

    def __init__(self, definition):
        count, unit = definition.split('=')[1].strip().split('/')
        self.count, self.seconds = int(count), SECONDS[unit.strip()]
        self.window = self.used = 0

    def is_exceeded(self):
        window = int(time.time() // self.seconds)
        if window != self.window:
            self.window, self.used = window, 0
        self.used += 1
        return self.used > self.count

"""REST channels: what a worker keeps in memory of table http_soap, and which one a request is for.

They are read at boot and changed by messages, as definitions are. What a message changes is found by the target that
the channel had: of channels with the same target the wrong one may go, and the one that is left may be an error. That is
a defect of the real thing."""

import logging
import threading

from zato.common.bunch import Bunch
from zato.common.odb_rows import ROLE_CHANNELS
from zato.server import security
from zato.server.matching import Matcher, target_of, target_of_channel
from zato.server.rate_limit import Limit

CHANNEL_SQL = """select h.*, s.name as service_name, b.name as security_name, b.sec_type from http_soap h
    join service s on s.id = h.service_id left join sec_base b on b.id = h.security_id
    where h.connection = 'channel' and h.transport = 'plain_http'"""

logger = logging.getLogger('zato.rest')


def from_row(row):
    opaque = security.opaque_of(row)
    return Bunch(row, http_accept=opaque.get('http_accept'), match_slash=opaque.get('match_slash'),
                 is_rate_limit_active=opaque.get('is_rate_limit_active'), rate_limit_def=opaque.get('rate_limit_def'))


class Channels:
    """`guards`: by target, the copy of a definition; None where everybody may call. `seen`: channels by the targets of
    requests for paths without parameters, which are not looked for a second time."""

    def __init__(self, odb, definitions):
        self.odb = odb
        self.definitions = definitions
        self.channels = []
        self.guards = {}
        self.seen = {}
        self.lock = threading.RLock()

    def load(self):
        for row in self.odb.rows(CHANNEL_SQL):
            self.add(from_row(row))

    def apply(self, message):
        with self.lock:
            if message.get('old'):
                self.remove(message['old'])
            if message['action'] == 'channel-write':
                self.add(Bunch(message['channel']))

    def add(self, channel):
        channel.target = target_of_channel(channel)
        channel.matcher = Matcher(channel.target, channel.match_slash)
        channel.limit = Limit(channel.rate_limit_def) if channel.is_rate_limit_active else None
        self.channels.append(channel)
        self.guards[channel.target] = self.guard_of(channel)
        self.forget(channel.target)
        self.sort()

    def remove(self, old):
        """`old` has the method, http_accept and url_path that the channel had."""
        target = target_of_channel(old)
        self.forget(target)
        same = [channel for channel in self.channels if channel.target == target]
        if same:
            self.channels.remove(same[-1])
        del self.guards[target]
        self.sort()

    def forget(self, target):
        """A KeyError if two channels have the target and a request was for them: nothing changes then."""
        gone = [seen for seen in self.seen for channel in self.channels
                if channel.target == target and channel.matcher.match(seen) is not None]
        for seen in gone:
            del self.seen[seen]

    def sort(self):
        self.channels.sort(key=lambda channel: (bool(channel.is_internal), channel.name))

    def guard_of(self, channel):
        if channel.name in ROLE_CHANNELS:
            return self.definitions.by_name(ROLE_CHANNELS[channel.name])
        if not channel.security_name:
            return None
        return Bunch(self.definitions.definitions[channel.sec_type][channel.security_name])

    def match(self, method, path, accept):
        """The first channel by name, those of users before internal ones, and its path parameters."""
        target = target_of(method, accept, path)
        with self.lock:
            if target in self.seen:
                return self.seen[target], {}
            for channel in self.channels:
                if channel.matcher.is_internal and not path.startswith('/zato'):
                    continue
                params = channel.matcher.match(target)
                if params is not None:
                    if not channel.matcher.names:
                        self.seen[target] = channel
                    return channel, params
        return None, {}

    def check(self, channel, headers, cid):
        """Raises an error unless the caller may call. A channel whose guard is gone is an error, too."""
        definition = self.guards[channel.target]
        if definition is not None:
            security.check(definition, headers, cid)

    def username_of(self, channel):
        definition = self.guards[channel.target]
        return definition and definition.username

    def guarded_by(self, sec_type, name):
        return [target for target, guard in self.guards.items()
                if guard is not None and (guard.sec_type, guard.name) == (sec_type, name)]

    def update_guards_of(self, sec_type, name, change):
        with self.lock:
            for target in self.guarded_by(sec_type, name):
                self.guards[target].update(change)

    def drop_one_of(self, sec_type, name):
        """Of several channels only the last one goes; the others are errors from now on."""
        with self.lock:
            of_it = [channel for channel in self.channels
                     if (channel.sec_type, channel.security_name) == (sec_type, name)]
            if of_it:
                self.channels.remove(of_it[-1])

    def drop_guards_of(self, sec_type, name):
        with self.lock:
            for target in self.guarded_by(sec_type, name):
                del self.guards[target]

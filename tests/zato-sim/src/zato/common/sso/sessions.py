"""Rows of zato_sso_session: who is logged in. Outside, a token is encrypted with key1."""

import json

from cryptography.fernet import InvalidToken

from zato.common import crypto, odb
from zato.common.sso import values

SESSION_SQL = """select s.*, u.user_id as owner_id, u.is_super_user from zato_sso_session s
    join zato_sso_user u on u.id = s.user_id where s.ust=?"""


class Sessions:

    def __init__(self, database, key, settings):
        self.database = database
        self.key = key
        self.minutes = int(settings.session.expiry)

    def begin(self, user, remote_addr, user_agent):
        """Returns the new row. Without a `user_agent` the database refuses it."""
        now = values.to_row(values.now())
        row = {'ust': values.new_id('zust'), 'creation_time': now, 'expiration_time': values.after(now, minutes=self.minutes),
               'remote_addr': remote_addr, 'user_agent': user_agent, 'auth_type': 'default',
               'auth_principal': user.username, 'ext_session_id': '', 'user_id': user.id,
               'opaque1': history(remote_addr, user_agent, now)}
        with self.database.transaction() as connection:
            odb.insert(connection, 'zato_sso_session', **row)
        return row

    def find(self, token):
        """The session of a token from outside, with the user's `owner_id` and `is_super_user`; None if there is none, or
        its time is over."""
        ust = self.opened(token)
        row = ust and self.database.row(SESSION_SQL, ust)
        return row if row and values.of_row(row.expiration_time) > values.now() else None

    def opened(self, token):
        try:
            return crypto.decrypt(self.key, token)
        except (InvalidToken, AttributeError):
            return None

    def token_of(self, ust):
        return crypto.encrypt(self.key, ust)

    def renew(self, ust):
        """Returns the new end. A session that is not there is no error."""
        end = values.after(values.to_row(values.now()), minutes=self.minutes)
        self.database.execute('update zato_sso_session set expiration_time=? where ust=?', end, ust)
        return end

    def end(self, ust):
        self.database.execute('delete from zato_sso_session where ust=?', ust)


def history(remote_addr, user_agent, now):
    """A JSON text within a JSON text."""
    change = {'remote_addr': remote_addr, 'user_agent': user_agent, 'timestamp_utc': values.outward(now),
              'ctx_source': 'login', 'idx': 1}
    inner = json.dumps({'session_state_change_list': [change]}, separators=(',', ':'))
    return json.dumps(inner.replace('/', '\\/'))

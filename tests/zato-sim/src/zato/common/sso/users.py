"""Rows of zato_sso_user. Passwords, e-mails and what belongs to one-time codes are Fernet tokens of key1; SQLite keeps them
as BLOBs, because bytes are what is written, and PostgreSQL as what its bytea_output makes of them."""

from cryptography.fernet import Fernet

from zato.common import config, crypto, odb
from zato.common.sso import codes, hashes, totp, values
from zato.common.sso.codes import Refused

APPROVED, BEFORE_DECISION, REJECTED = 'approved', 'before_decision', 'rejected'
CONFIRMED = 'final'
DEFAULT_LABEL = '<default-label>'
NAMES = ('first_name', 'middle_name', 'last_name')


class Users:
    """`settings`: sso.conf."""

    def __init__(self, database, key, settings):
        self.database = database
        self.key = key
        self.settings = settings

    def find(self, column, value):
        return self.database.row('select * from zato_sso_user where %s=?' % column, value)

    def seal(self, text):
        return None if text is None else Fernet(self.key).encrypt(text.encode())

    def open(self, token):
        """Other databases, and rows that somebody moved, have text."""
        if token is None:
            return None
        return crypto.decrypt(self.key, token.decode() if isinstance(token, bytes) else token)

    def check_password(self, password):
        rules = self.settings.password
        if len(password) < int(rules.min_length):
            raise Refused(codes.PASSWORD_TOO_SHORT)
        if len(password) > int(rules.max_length):
            raise Refused(codes.PASSWORD_TOO_LONG)
        if password in config.split_list(rules.reject_list):
            raise Refused(codes.PASSWORD_KNOWN)

    def is_password(self, user, password):
        return hashes.matches(password or '', self.hash_of(user.password))

    def hash_of(self, stored):
        """What PostgreSQL makes of bytes where nobody told it otherwise is no token, and no hash either: the error is that of
        the hash."""
        return stored if isinstance(stored, str) and stored.startswith('\\x') else self.open(stored)

    def password_columns(self, password, now):
        hashed = hashes.make(password, int(self.settings.hash_secret.rounds))
        return {'password': self.seal(hashed), 'password_is_set': True, 'password_must_change': False,
                'password_last_set': now, 'password_expiry': values.after(now, days=int(self.settings.password.expiry))}

    def create(self, username, password, approved_by, is_approved=True, **given):
        """Returns the row. `given` are columns, with secrets and names as they came."""
        if not username:
            raise Refused(codes.USERNAME_INVALID)
        password = password or crypto.random_password()
        self.check_password(password)
        if self.find('username', username):
            raise Refused(codes.USERNAME_TAKEN)
        now = values.to_row(values.now())
        row = {
            'user_id': values.new_id('zusr'), 'username': username, 'is_active': True, 'is_internal': False,
            'is_super_user': False, 'is_locked': False, 'creation_ctx': 'null', 'opaque1': 'null',
            'approval_status': APPROVED if is_approved else BEFORE_DECISION, 'approval_status_mod_time': now,
            'approval_status_mod_by': approved_by, 'sign_up_status': CONFIRMED, 'sign_up_time': now,
            'is_rate_limit_active': False, 'rate_limit_check_parent_def': False, 'is_totp_enabled': False}
        row.update(self.password_columns(password, now))
        row.update(given)
        row.update(named(given))
        row.update(email=self.seal(given.get('email') or None), totp_key=self.seal(given.get('totp_key') or totp.new_key()),
                   totp_label=self.seal(given.get('totp_label') or DEFAULT_LABEL))
        with self.database.transaction() as connection:
            odb.insert(connection, 'zato_sso_user', **row)
        return self.find('username', username)

    def update(self, user_id, **columns):
        """A user who is not there is no error."""
        self.database.execute('update zato_sso_user set %s where user_id=?' % ', '.join(name + '=?' for name in columns),
                              *columns.values(), user_id)

    def set_password(self, user_id, password):
        self.check_password(password)
        self.update(user_id, **self.password_columns(password, values.to_row(values.now())))

    def set_locked(self, user_id, is_locked, by):
        """Time and name are those of the last change, an unlocking as well."""
        self.update(user_id, is_locked=is_locked, locked_time=values.to_row(values.now()), locked_by=by)

    def set_approval(self, user_id, status, by):
        self.update(user_id, approval_status=status, approval_status_mod_time=values.to_row(values.now()),
                    approval_status_mod_by=by)

    def delete(self, user_id):
        """SQLite minds no foreign keys: what belongs to the user stays."""
        self.database.execute('delete from zato_sso_user where user_id=?', user_id)


def named(given):
    """The columns of names. A display name that is made of the others is not there in capital letters."""
    out = {}
    for name in NAMES + ('display_name',):
        value = (given.get(name) or '').strip() or None
        out[name], out[name + '_upper'] = value, value and value.upper()
    if not out['display_name']:
        out['display_name'] = ' '.join(out[name] for name in NAMES if out[name])
    return out


def load_settings(directory):
    return config.load(config.repo_path(directory, 'sso.conf'))

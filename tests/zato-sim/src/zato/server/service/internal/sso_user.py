"""zato.sso.user.*: logging in and out, and accounts. Most of it is for super-users."""

from zato.common import config
from zato.common.sso import codes, values
from zato.common.sso.codes import Refused
from zato.common.sso.users import APPROVED, NAMES, REJECTED
from zato.server.sso import SSOService

# Of a user's row: what is told to the user, and what to a super-user and to who made it.
OWN = ('display_name', 'first_name', 'is_totp_enabled', 'last_name', 'middle_name', 'username')
STATE = OWN + (
    'approval_status', 'approval_status_mod_by', 'approval_status_mod_time', 'is_active', 'is_internal', 'is_locked',
    'is_super_user', 'password_expiry', 'password_is_set', 'password_last_set', 'password_must_change', 'sign_up_status',
    'sign_up_time', 'user_id')
ALL = STATE + ('creation_ctx', 'locked_by', 'locked_time')
TIMES = ('approval_status_mod_time', 'locked_time', 'password_expiry', 'password_last_set', 'sign_up_time')

# What users may change of themselves, and what only super-users may change.
EDITABLE = NAMES + ('display_name', 'email')
PROTECTED = ('approval_status', 'is_locked', 'is_super_user', 'is_totp_enabled')

TEXTS = NAMES + ('display_name', 'email', 'totp_key', 'totp_label')
FLAGS = ('is_locked', 'is_totp_enabled', 'password_must_change')


def told(row, names):
    out = {name: values.outward(row[name]) if name in TIMES else row[name] for name in names}
    if 'approval_status' in out:
        out['is_approval_needed'] = row.approval_status != APPROVED
    return out


def as_text(stored):
    return stored.decode() if isinstance(stored, bytes) else stored


class Login(SSOService):
    name = 'zato.sso.user.login'
    required = ('current_app', 'password', 'username')

    def answer(self, given):
        if given.current_app not in config.split_list(self.server.sso.settings.apps.login_allowed):
            raise Refused(codes.UNKNOWN_APP)
        http = self.request.http
        remote_addr = given.get('remote_addr') or http.headers.get('X-Forwarded-For') or http.remote_addr
        warning, token = self.server.sso.log_in(given, remote_addr, given.get('user_agent') or http.headers.get('User-Agent'))
        return dict({'status': 'warning', 'sub_status': [warning]} if warning else {}, ust=token)


class Logout(SSOService):
    """Of a session that is not there as well."""
    name = 'zato.sso.user.logout'
    required = ('current_app', 'ust')

    def answer(self, given):
        self.server.sso.sessions.end(self.server.sso.sessions.opened(given.ust))


class User(SSOService):
    name = 'zato.sso.user.user'
    required = ('current_app', 'ust')

    def on_GET(self, given):
        caller = self.caller(given.ust)
        user_id = given.get('user_id') or caller.owner_id
        if user_id != caller.owner_id and not caller.is_super_user:
            raise Refused(codes.NOT_ALLOWED)
        users = self.server.sso.users
        user = users.find('user_id', user_id)
        if not user:
            raise Refused(codes.NOT_ALLOWED)
        return dict(told(user, ALL if caller.is_super_user else OWN), email=users.open(user.email), totp_label='')

    def on_POST(self, given):
        """The label is told as it is stored, which helps nobody."""
        caller = self.caller(given.ust, unless_super_user=codes.NOT_ALLOWED)
        users = self.server.sso.users
        columns = {name: given[name] for name in TEXTS if given.get(name)}
        columns.update({name: config.is_true(given[name]) for name in FLAGS if name in given})
        if given.get('sign_up_status'):
            columns['sign_up_status'] = given.sign_up_status
        user = users.create(
            given.get('username'), given.get('password'), caller.owner_id, config.is_true(given.get('auto_approve')),
            rate_limit_type='EXACT', sign_up_confirm_token=values.new_token(), **columns)
        email = {'email': given.email} if given.get('email') else {}
        return dict(told(user, STATE), totp_label=as_text(user.totp_label), **email)

    def on_PATCH(self, given):
        caller = self.caller(given.ust)
        user_id = given.get('user_id') or caller.owner_id
        changed = {name: given[name] for name in EDITABLE + PROTECTED if name in given}
        is_other = user_id != caller.owner_id or any(name in PROTECTED for name in changed)
        if is_other and not caller.is_super_user:
            raise Refused(codes.REFUSED)
        if not changed:
            raise Refused(codes.NOTHING_GIVEN)
        users = self.server.sso.users
        if 'approval_status' in changed:
            users.set_approval(user_id, changed.pop('approval_status'), caller.owner_id)
        for name, value in changed.items():
            users.update(user_id, **{name: users.seal(value) if name == 'email' else value})
            if name in EDITABLE and name != 'email':
                users.update(user_id, **{name + '_upper': value and value.upper()})

    def on_DELETE(self, given):
        """One who is not there is an error of the service."""
        caller = self.caller(given.ust, unless_super_user=codes.NOT_ALLOWED)
        user = self.server.sso.users.find('user_id', given.get('user_id'))
        if user.user_id == caller.owner_id:
            raise Refused(codes.OWN_ACCOUNT)
        self.server.sso.users.delete(user.user_id)


class Approve(SSOService):
    """A user who is not there is no error: here, in the next ones and where a password is changed."""
    name = 'zato.sso.user.approve'
    required = ('current_app', 'user_id', 'ust')

    def on_POST(self, given):
        caller = self.caller(given.ust, unless_super_user=codes.REFUSED)
        self.server.sso.users.set_approval(given.user_id, APPROVED, caller.owner_id)


class Reject(SSOService):
    name = 'zato.sso.user.reject'
    required = ('current_app', 'user_id', 'ust')

    def on_POST(self, given):
        caller = self.caller(given.ust, unless_super_user=codes.REFUSED)
        self.server.sso.users.set_approval(given.user_id, REJECTED, caller.owner_id)


class Lock(SSOService):
    name = 'zato.sso.user.lock'
    required = ('current_app', 'user_id', 'ust')

    def on_POST(self, given):
        caller = self.caller(given.ust, unless_super_user=codes.NOT_ALLOWED)
        self.server.sso.users.set_locked(given.user_id, True, caller.owner_id)

    def on_DELETE(self, given):
        caller = self.caller(given.ust, unless_super_user=codes.NOT_ALLOWED)
        self.server.sso.users.set_locked(given.user_id, False, caller.owner_id)


class Password(SSOService):
    """Super-users need not know the old password of others. Of one's own nothing is told but that it was not changed."""
    name = 'zato.sso.user.password'
    required = ('current_app', 'new_password', 'ust')

    def on_PATCH(self, given):
        caller = self.caller(given.ust)
        users = self.server.sso.users
        if given.get('user_id', caller.owner_id) != caller.owner_id:
            if not caller.is_super_user:
                raise Refused(codes.REFUSED)
            users.set_password(given.user_id, given.new_password)
            return
        if not users.is_password(users.find('user_id', caller.owner_id), given.get('old_password')):
            raise Refused(codes.NOT_ALLOWED)
        try:
            users.set_password(caller.owner_id, given.new_password)
        except Refused:
            raise Refused(codes.NOT_ALLOWED) from None

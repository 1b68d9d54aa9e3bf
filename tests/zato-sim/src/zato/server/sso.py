"""Single sign-on of a server: users and sessions, and what its REST services have in common.

Nothing is kept in memory: rows that somebody else writes count at once."""

from zato.common import config
from zato.common.exception import BadRequest
from zato.common.sso import codes, totp, values
from zato.common.sso.codes import Refused
from zato.common.sso.sessions import Sessions
from zato.common.sso.users import APPROVED, CONFIRMED, Users
from zato.server.service import Service
from zato.server.service.internal import constraints

# What accounts can be linked to.
LINKED_TYPES = ('zato.basic_auth', 'zato.jwt')


class SSO:
    """`settings`: sso.conf, with what startup callables made of it."""

    def __init__(self, odb, key, settings):
        self.settings = settings
        self.odb = odb
        self.users = Users(odb, key, settings)
        self.sessions = Sessions(odb, key, settings)

    def load(self):
        """A linked account of another type keeps the server from starting."""
        for row in self.odb.rows('select auth_type from zato_sso_linked_auth'):
            if row.auth_type not in LINKED_TYPES:
                raise KeyError(row.auth_type)

    def log_in(self, given, remote_addr, user_agent):
        """Returns the code of a warning, or None, and the token of the new session."""
        user = self.admitted(given)
        warning = None
        if user.password_must_change:
            if not given.get('new_password'):
                raise Refused(codes.PASSWORD_MUST_CHANGE)
            self.users.set_password(user.user_id, given.new_password)
        elif self.is_about_to_expire(user):
            warning = codes.PASSWORD_ABOUT_TO_EXPIRE
        with constraints():
            session = self.sessions.begin(user, remote_addr, user_agent)
        return warning, self.sessions.token_of(session['ust'])

    def admitted(self, given):
        """The user, unless something keeps him or her out: what comes first is told. One who is not approved is not there
        at all, and whether a user is active does not count."""
        user = self.users.find('username', given.username)
        if not user or user.approval_status != APPROVED or not self.users.is_password(user, given.password):
            raise Refused(codes.NOT_ALLOWED)
        if user.is_totp_enabled:
            if not given.get('totp_code'):
                raise Refused(codes.TOTP_MISSING)
            if not totp.matches(self.users.open(user.totp_key), given.totp_code):
                raise Refused(codes.NOT_ALLOWED)
        if user.is_locked:
            raise Refused(codes.LOCKED)
        if user.sign_up_status != CONFIRMED:
            raise Refused(codes.NOT_CONFIRMED)
        if values.of_row(user.password_expiry) <= values.now():
            raise Refused(codes.NOT_ALLOWED)
        return user

    def is_about_to_expire(self, user):
        left = values.of_row(user.password_expiry) - values.now()
        return left.days < int(self.settings.password.about_to_expire_threshold)


class SSOService(Service):
    """`required` is what the input must have. Subclasses have a method for each HTTP method, which returns what the answer
    has beyond its status."""

    required = ()

    def handle(self):
        given = self.request.input
        if any(name not in given for name in self.required):
            raise BadRequest(self.cid)
        answer = {'cid': self.cid, 'status': 'ok', 'sub_status': []}
        try:
            self.check_app(given.current_app)
            answer.update(self.answer(given) or {})
        except Refused as refused:
            answer.update(status='error', sub_status=[refused.code])
            self.response.status_code = refused.status
        self.response.payload = dict(sorted(answer.items()))

    def answer(self, given):
        return getattr(self, 'on_' + self.request.http.method)(given)

    def check_app(self, name):
        """Of an unknown application the status says that all is well."""
        apps = self.server.sso.settings.apps
        if name not in config.split_list(apps.all):
            is_told = config.is_true(apps.inform_if_app_invalid)
            raise Refused(codes.UNKNOWN_APP if is_told else codes.NOT_ALLOWED, 200)

    def session(self, token):
        found = self.server.sso.sessions.find(token)
        if not found:
            raise Refused(codes.NO_SESSION)
        return found

    def caller(self, token, unless_super_user=None):
        """The session of who calls. With a code: it must be that of a super-user."""
        found = self.session(token)
        if unless_super_user and not found.is_super_user:
            raise Refused(unless_super_user)
        return found

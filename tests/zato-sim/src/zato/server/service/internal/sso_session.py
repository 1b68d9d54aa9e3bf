"""zato.sso.session.session: looks at a session, by a super-user who names his or her own one again as `current_ust`."""

from zato.common.sso import codes, values
from zato.server.sso import SSOService


class Session(SSOService):
    name = 'zato.sso.session.session'
    required = ('current_app',)

    def on_GET(self, given):
        self.check_caller(given)
        target = self.session(given.get('target_ust'))
        return {'creation_time': values.outward(target.creation_time),
                'expiration_time': values.outward(target.expiration_time),
                'remote_addr': target.remote_addr, 'user_agent': target.user_agent}

    def on_POST(self, given):
        self.check_caller(given)
        return {'is_valid': bool(self.server.sso.sessions.find(given.get('target_ust')))}

    def on_PATCH(self, given):
        """Nobody asks who calls, nor whether there is such a session."""
        sessions = self.server.sso.sessions
        return {'expiration_time': values.outward(sessions.renew(sessions.opened(given.get('target_ust'))))}

    def check_caller(self, given):
        self.caller(given.get('current_ust'), unless_super_user=codes.NOT_ALLOWED)

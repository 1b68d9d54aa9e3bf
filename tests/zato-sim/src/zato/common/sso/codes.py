"""The codes that answers have in `sub_status`."""

USERNAME_INVALID = 'E001001'
USERNAME_TAKEN = 'E001002'
PASSWORD_KNOWN = 'E003001'
PASSWORD_TOO_SHORT = 'E003002'
PASSWORD_TOO_LONG = 'E003003'
PASSWORD_ABOUT_TO_EXPIRE = 'W003005'
PASSWORD_MUST_CHANGE = 'E003007'
UNKNOWN_APP = 'E004001'
# Whatever the caller is not to be told.
NOT_ALLOWED = 'E005001'
LOCKED = 'E005002'
NOT_CONFIRMED = 'E005003'
TOTP_MISSING = 'E005008'
NO_SESSION = 'E007001'
OWN_ACCOUNT = 'E008001'
REFUSED = 'E008002'
NOTHING_GIVEN = 'E008003'
ATTRIBUTE_EXISTS = 'E009001'


class Refused(Exception):

    def __init__(self, code, status=403):
        super().__init__(code)
        self.code, self.status = code, status

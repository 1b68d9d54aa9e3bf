"""The exceptions of a service that become HTTP statuses. Services of users import them from here."""


class HTTPException(Exception):
    """`needs_msg`: whether callers get the text of a 400, which they do not get otherwise."""
    status = 500

    def __init__(self, cid=None, msg='', status=None, needs_msg=False):
        super().__init__(msg)
        self.cid = cid
        self.msg = msg
        self.status = status or self.status
        self.needs_msg = needs_msg


class BadRequest(HTTPException):
    status = 400

    def __init__(self, cid=None, msg='Bad request', needs_msg=False):
        super().__init__(cid, msg, needs_msg=needs_msg)


class Unauthorized(HTTPException):
    """`challenge` is the value of WWW-Authenticate."""
    status = 401

    def __init__(self, cid=None, msg='', challenge=None):
        super().__init__(cid, msg)
        self.challenge = challenge


class Forbidden(HTTPException):
    status = 403

    def __init__(self, cid=None, msg='You are not allowed to access this resource', *_arguments, **_more):
        super().__init__(cid, msg)


class NotFound(HTTPException):
    status = 404


class MethodNotAllowed(HTTPException):
    status = 405


class Conflict(HTTPException):
    """Its status is lost on the way to the caller."""
    status = 409


class TooManyRequests(HTTPException):
    status = 429


class InternalServerError(HTTPException):
    status = 500


class ServiceUnavailable(HTTPException):
    """Its status is lost on the way to the caller."""
    status = 503


class ZatoException(Exception):
    """Its text has an address that is another one each time."""

    def __init__(self, cid=None, msg=None):
        super().__init__(msg or cid)
        self.cid, self.msg = cid, msg

    def __str__(self):
        return '<%s at %s cid:`%s`, msg:`%s`>' % (type(self).__name__, hex(id(self)), self.cid, self.msg)


class ServiceMissingException(ZatoException):
    pass

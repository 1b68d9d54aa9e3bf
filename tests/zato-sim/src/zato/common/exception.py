"""The exceptions of a service that become HTTP statuses. Services of users import them from here."""


class HTTPException(Exception):
    status = 500

    def __init__(self, cid=None, msg='', status=None):
        super().__init__(msg)
        self.cid = cid
        self.msg = msg
        self.status = status or self.status


class BadRequest(HTTPException):
    status = 400


class Unauthorized(HTTPException):
    status = 401


class Forbidden(HTTPException):
    status = 403


class NotFound(HTTPException):
    status = 404


class MethodNotAllowed(HTTPException):
    status = 405


class Conflict(HTTPException):
    status = 409


class InternalServerError(HTTPException):
    status = 500


class ServiceUnavailable(HTTPException):
    status = 503

"""Numbers and times as the rows have them, and as they go out."""

import secrets
import uuid
from datetime import datetime, timedelta, timezone

# The letters and digits that nobody takes for one another.
ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'

FORMAT = '%Y-%m-%d %H:%M:%S.%f'

NEVER = '9999-12-31 00:00:00.000000'


def new_id(prefix):
    number, digits = uuid.uuid4().int, ''
    while number:
        number, digit = divmod(number, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return prefix + digits


def new_token():
    """Bytes: SQLite keeps it as a BLOB."""
    return secrets.token_urlsafe(24).encode()


def now():
    return datetime.now(timezone.utc).replace(tzinfo=None)


def to_row(time):
    return time.strftime(FORMAT)


def of_row(text):
    return datetime.fromisoformat(text)


def after(text, **duration):
    """The time that is so much later."""
    return to_row(of_row(text) + timedelta(**duration))


def outward(text):
    return of_row(text).isoformat() if text else text

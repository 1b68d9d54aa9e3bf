"""Hashes of passwords as the rows have them: PBKDF2 with SHA-512; base64 with `.` in the place of `+`, without padding."""

import base64
import hashlib
import hmac
import os

PREFIX = '$pbkdf2-sha512$'
SALT_SIZE = 64


def make(password, rounds):
    salt = os.urandom(SALT_SIZE)
    return '%s%d$%s$%s' % (PREFIX, rounds, encoded(salt), encoded(digest(password, salt, rounds)))


def matches(password, stored):
    if not stored.startswith(PREFIX):
        raise ValueError('not a valid pbkdf2_sha512 hash')
    rounds, salt, expected = stored[len(PREFIX):].split('$')
    return hmac.compare_digest(digest(password, decoded(salt), int(rounds)), decoded(expected))


def digest(password, salt, rounds):
    return hashlib.pbkdf2_hmac('sha512', password.encode(), salt, rounds)


def encoded(raw):
    return base64.b64encode(raw, b'./').decode().rstrip('=')


def decoded(text):
    return base64.b64decode(text + '=' * (-len(text) % 4), b'./')

"""One-time codes: six digits out of a key and the time. Only the code of the current 30 seconds is good, as often as it
is given."""

import base64
import hashlib
import hmac
import os
import struct
import time

KEY_SIZE = 20
STEP = 30


def new_key():
    return base64.b32encode(os.urandom(KEY_SIZE)).decode()


def code(key, when):
    raw = base64.b32decode(key + '=' * (-len(key) % 8), casefold=True)
    digest = hmac.new(raw, struct.pack('>Q', int(when) // STEP), hashlib.sha1).digest()
    start = digest[-1] & 15
    number = struct.unpack('>I', digest[start:start + 4])[0] & 0x7fffffff
    return '%06d' % (number % 1000000)


def matches(key, given):
    return bool(key) and hmac.compare_digest(code(key, time.time()).encode(), str(given).encode())

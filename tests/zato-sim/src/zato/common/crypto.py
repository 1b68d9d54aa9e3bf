"""Keys and passwords: Fernet tokens of key1, and the password hashes of the dashboard."""

import base64
import hashlib
import hmac
import secrets

from cryptography.fernet import Fernet

# What stands before an encrypted password in table sec_base.
PREFIX = 'zato.secf.'

ITERATIONS = 600_000


def new_key():
    return Fernet.generate_key().decode()


def random_password():
    return secrets.token_hex(16)


def encrypt(key, text):
    return Fernet(key).encrypt(text.encode()).decode()


def decrypt(key, token):
    """Raises cryptography's InvalidToken if the token was made with another key."""
    return Fernet(key).decrypt(token.encode()).decode()


def encrypt_password(key, text):
    return PREFIX + encrypt(key, text)


def decrypt_password(key, stored):
    """Passwords are stored encrypted or, that of admin.invoke after `create cluster`, in clear text."""
    if stored and stored.startswith(PREFIX):
        return decrypt(key, stored[len(PREFIX):])
    return stored


def hash_password(text):
    """In the format that Django has in table auth_user."""
    salt = secrets.token_hex(11)
    return 'pbkdf2_sha256$%d$%s$%s' % (ITERATIONS, salt, _digest(text, salt, ITERATIONS))


def verify_password(text, stored):
    _algorithm, iterations, salt, digest = stored.split('$')
    return hmac.compare_digest(digest, _digest(text, salt, int(iterations)))


def _digest(text, salt, iterations):
    raw = hashlib.pbkdf2_hmac('sha256', text.encode(), salt.encode(), iterations)
    return base64.b64encode(raw).decode()

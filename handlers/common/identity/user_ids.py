"""User ids: a hash of an identity provider's issuer and subject, or a keyed hash of a subject that is a login.

A user id fits into tags, object keys and table keys, whose characters and length are limited. A subject may not fit.
The subject cannot be computed from the user id. But anyone who knows a subject can compute its user id, unless the hash
has a key.
"""

import base64
import hashlib
import hmac

USER_ID_LENGTH = 32
"""Number of base32 characters. They hold 160 bits, so two users never have the same id."""
USER_ID_PATTERN = r"[A-Z2-7]{32}"
DEFAULT_OWNER = "everybody"
"""Owner of all records of an API without an authorizer. It does not match the pattern of user ids."""


def derive_user_id(issuer: str, subject: str) -> str:
    """Return the user id of an issuer's subject."""
    if "\n" in issuer:
        raise ValueError("the issuer must not contain a line break, because two users could then have the same user id")
    return _encode(hashlib.sha256(f"{issuer}\n{subject}".encode()).digest())


def derive_keyed_user_id(key: str, subject: str) -> str:
    """Return the user id of a subject. Only those who have the key can compute it."""
    return _encode(hmac.digest(key.encode(), subject.encode(), "sha256"))


def _encode(digest: bytes) -> str:
    return base64.b32encode(digest).decode()[:USER_ID_LENGTH]

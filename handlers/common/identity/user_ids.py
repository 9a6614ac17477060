"""User ids: hashes that identify users in tags, object keys and table keys.

The subject by which an identity provider identifies a user may be too long for these places, or have characters that
they do not allow. The subject cannot be computed from the user id. Anyone who knows issuer and subject can compute the
user id, unless the hash has a secret key. Guests (users with unauthenticated Cognito credentials) have a keyed hash,
because their subject, a Cognito identity id, works like a password.
"""

import base64
import hashlib
import hmac

USER_ID_LENGTH = 32
"""Number of base32 characters. They hold 160 bits, so two users never have the same id."""
USER_ID_PATTERN = r"[A-Z2-7]{32}"
DEFAULT_OWNER = "everybody"
"""Owner of all records of an API without an authorizer. It is no valid user id, so it belongs to no user."""


def derive_user_id(issuer: str, subject: str) -> str:
    """Return the user id of an issuer's subject."""
    if "\n" in issuer:
        raise ValueError("the issuer must not contain a line break, because two users could then have the same user id")
    return _encode(hashlib.sha256(f"{issuer}\n{subject}".encode()).digest())


def derive_keyed_user_id(key: str, subject: str) -> str:
    """Return the user id of a subject. It cannot be computed without the key."""
    return _encode(hmac.digest(key.encode(), subject.encode(), "sha256"))


def _encode(digest: bytes) -> str:
    return base64.b32encode(digest).decode()[:USER_ID_LENGTH]

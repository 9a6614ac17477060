"""User ids: a hash of an identity provider's issuer and subject.

A user id fits into tags, object keys and table keys, whose characters and length are limited. A subject may not fit.
The subject cannot be computed from the user id. But anyone who knows a subject can compute its user id.
"""

import base64
import hashlib

USER_ID_LENGTH = 32
"""Number of base32 characters. They hold 160 bits, so two users never have the same id."""
USER_ID_PATTERN = r"[A-Z2-7]{32}"
DEFAULT_OWNER = "everybody"
"""Owner of all records of an API without an authorizer. It does not match the pattern of user ids."""


def derive_user_id(issuer: str, subject: str) -> str:
    """Return the user id of an issuer's subject."""
    if "\n" in issuer:
        raise ValueError("the issuer must not contain a line break, because two users could then have the same user id")
    digest = hashlib.sha256(f"{issuer}\n{subject}".encode()).digest()
    return base64.b32encode(digest).decode()[:USER_ID_LENGTH]

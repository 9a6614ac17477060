"""Ids, user ids, the current time and the format of timestamps, with the pydantic types of identifiers.

Entry points pass `now` and `new_id` as arguments to the logic, so that tests can replace them.

A ULID is an id that contains its creation time and sorts by it.

A user id is a hash that identifies a user in tags, object keys and table keys. The subject by which an identity provider
identifies a user may be too long for these places, or have characters that they do not allow. The subject cannot be
computed from the user id. Anyone who knows issuer and subject can compute the user id, unless the hash has a secret key.
Guests (users with unauthenticated Cognito credentials) have a keyed hash, because their subject, a Cognito identity id,
works like a password.
"""

import base64
import hashlib
import hmac
import re
import secrets
import time
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import StringConstraints

from handlers.common.json_models import TextForm


def now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


def now_ms() -> int:
    """Return the current time in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def timestamp(moment: datetime) -> str:
    """Return a time in UTC as ISO 8601 with milliseconds and `Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base32."""
ULID_PATTERN = r"[0-7][0-9A-HJKMNP-TV-Z]{25}"
RANDOM_BITS = 80
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def ulid(moment: datetime, randomness: int) -> str:
    """Return the ULID for a creation time and a random number of 80 bits."""
    number = ((moment - _EPOCH) // _MILLISECOND) << RANDOM_BITS | randomness
    return "".join(ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))


def parse_ulid_time(text: str) -> datetime:
    """Return the creation time of a ULID. Raises ValueError for any other text."""
    if not re.fullmatch(ULID_PATTERN, text):
        raise ValueError("the text is not a ULID")
    number = 0
    for letter in text:
        number = number << 5 | ALPHABET.index(letter)
    return _EPOCH + (number >> RANDOM_BITS) * _MILLISECOND


def new_id() -> str:
    """Return a new ULID with secure random bits, so that it cannot be guessed."""
    return ulid(now(), secrets.randbits(RANDOM_BITS))


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


Ulid = Annotated[
    str,
    TextForm(
        rf"^{ULID_PATTERN}$", "must be a ULID: 26 digits and capital letters without I, L, O and U, from 0 to 7 first"
    ),
]
UserId = Annotated[str, StringConstraints(pattern=rf"^{USER_ID_PATTERN}$")]
"""Hash of a user's identity (`derive_user_id`)."""
LanguageCode = Annotated[str, TextForm(r"^[a-z]{2,3}-[A-Z]{2}$", "must be a language code such as en-US")]
"""Language code of Amazon Transcribe, for example `en-US`. Only the form is checked, because AWS adds languages."""
ModelId = Annotated[
    str,
    TextForm(r"^[a-z0-9.:-]{1,256}$", "must be the id of a Bedrock model or inference profile: a-z, 0-9, ., : and -"),
]
"""Id of a Bedrock model or inference profile."""

"""ULIDs: ids that contain their creation time and sort by it. The caller provides the time and the random bits."""

import re
from datetime import UTC, datetime, timedelta

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

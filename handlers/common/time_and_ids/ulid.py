"""Ids that sort by the time they were made, and tell it: ULIDs. Pure; clock and randomness are the caller's."""

import re
from datetime import UTC, datetime, timedelta

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
PATTERN = r"[0-7][0-9A-HJKMNP-TV-Z]{25}"
RANDOM_BITS = 80
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def ulid(moment: datetime, randomness: int) -> str:
    """An id made at `moment`; `randomness` has 80 bits."""
    number = ((moment - _EPOCH) // _MILLISECOND) << RANDOM_BITS | randomness
    return "".join(ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))


def moment_of(one: str) -> datetime:
    """When an id was made."""
    if not re.fullmatch(PATTERN, one):
        raise ValueError("not a ULID")
    number = 0
    for letter in one:
        number = number << 5 | ALPHABET.index(letter)
    return _EPOCH + (number >> RANDOM_BITS) * _MILLISECOND

"""Functions that return the current time or a new random id.

Entry points pass these functions as arguments to the logic, so that tests can replace them.
"""

import secrets
import time
from datetime import UTC, datetime

from handlers.common.time_and_ids.ulid import RANDOM_BITS, ulid


def now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


def now_ms() -> int:
    """Return the current time in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def new_id() -> str:
    """Return a new ULID with secure random bits, so that it cannot be guessed."""
    return ulid(now(), secrets.randbits(RANDOM_BITS))

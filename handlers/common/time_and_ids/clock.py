"""The clock and fresh ids, for where a function is put together: whoever works in it takes them as arguments."""

import secrets
import time
from datetime import UTC, datetime

from handlers.common.time_and_ids.ulid import RANDOM_BITS, ulid


def now() -> datetime:
    """In UTC."""
    return datetime.now(UTC)


def now_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def new_id() -> str:
    """A ULID that nobody can guess."""
    return ulid(now(), secrets.randbits(RANDOM_BITS))

"""New random ids. Entry points pass `new_id` as an argument to the logic, so that tests can replace it."""

import secrets

from handlers.common.time_and_ids import clock
from handlers.common.time_and_ids.ulid import RANDOM_BITS, ulid


def new_id() -> str:
    """Return a new ULID with secure random bits, so that it cannot be guessed."""
    return ulid(clock.now(), secrets.randbits(RANDOM_BITS))

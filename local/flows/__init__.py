"""What each subsystem does, driven from outside as its users would: for the demo, and for the end-to-end tests."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
Tell = Callable[[str], None]
"""Hears what was just done."""
PATIENCE_SECONDS = 20
POLL_SECONDS = 0.05
POLL_SHARE = 0.1
"""The longer it has waited, the more seldom it asks: who asks takes the processor from those who work."""


class NotInTime(Exception):
    """Something that should have happened did not."""


def eventually(found: Callable[[], T | None], what: str, seconds: float = PATIENCE_SECONDS) -> T:
    """The first thing that `found` finds. The one place that waits: the platform works on after it answered."""
    began = time.monotonic()
    while (value := found()) is None:
        waited = time.monotonic() - began
        if waited > seconds:
            raise NotInTime(f"{what}: not in {seconds:g} s")
        time.sleep(max(POLL_SECONDS, waited * POLL_SHARE))
    return value

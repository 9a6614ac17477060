"""What each subsystem does, driven from outside as its users would: for the demo, and for the end-to-end tests."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
Tell = Callable[[str], None]
"""Hears what was just done."""
PATIENCE_SECONDS = 20
POLL_SECONDS = 0.05


class NotInTime(Exception):
    """Something that should have happened did not."""


def eventually(found: Callable[[], T | None], what: str, seconds: float = PATIENCE_SECONDS) -> T:
    """The first thing that `found` finds. The one place that waits: the platform works on after it answered."""
    deadline = time.monotonic() + seconds
    while (value := found()) is None:
        if time.monotonic() > deadline:
            raise NotInTime(f"{what}: not in {seconds:g} s")
        time.sleep(POLL_SECONDS)
    return value

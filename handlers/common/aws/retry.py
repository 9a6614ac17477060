"""Tries again what may pass by itself, as long as there is time. Clock, pauses and chance are the caller's.

A pause grows with each attempt and has a random length, so that those who were throttled together do not come back
together. No attempt begins that could not end in time.

An operation that says how long it takes, and takes longer, is tried once more and then given back, however much time is left:
it was done all the same, and paid for.
"""

import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from handlers.common.aws.service_faults import Fault, ServiceFailed

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 8.0
MOST_LATE = 2
T = TypeVar("T")


@dataclass(frozen=True)
class Timing:
    """The clock, what waits, and what is random from 0 to 1."""

    now: Callable[[], float] = time.monotonic
    wait: Callable[[float], None] = time.sleep
    share: Callable[[], float] = random.random


@dataclass(frozen=True)
class Patience:
    """How long there is."""

    timing: Timing
    deadline: float

    def call(self, operation: Callable[[], T], seconds: float = 0.0) -> T:
        """What the operation gives, which takes so many seconds at most; raises ServiceFailed."""
        attempt = late = 0
        if self.timing.now() + seconds > self.deadline:
            raise ServiceFailed(Fault.TIMED_OUT)
        while True:
            try:
                return operation()
            except ServiceFailed as error:
                pause = self._pause(attempt)
                late += seconds > 0 and error.fault is Fault.TIMED_OUT
                if not error.passes or late == MOST_LATE or self.timing.now() + pause + seconds > self.deadline:
                    raise
            self.timing.wait(pause)
            attempt += 1

    def _pause(self, attempt: int) -> float:
        longest = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * math.pow(2, attempt))
        # Half of it at least: throttling does not pass at once.
        return longest * (1 + self.timing.share()) / 2

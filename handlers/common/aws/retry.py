"""Retries of AWS calls that failed with a transient fault, until a deadline.

Pauses double with each attempt up to a maximum. They have a random part, so that callers which were throttled at the
same time do not retry at the same time. An attempt only starts if it can end before the deadline. Tests replace clock,
pauses and randomness through `RetryTiming`.

A call with a known maximum duration is retried at most once after a timeout, even if time is left, because the service
may have completed and billed each timed-out call.
"""

import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from handlers.common.aws.service_faults import ServiceFailed, ServiceFault, find_fault

FIRST_PAUSE_SECONDS = 0.5
MAX_PAUSE_SECONDS = 8.0
MAX_TIMEOUTS = 2
"""Number of timeouts after which a call with a known maximum duration fails."""
LIVE_RETRY_SECONDS = 9.0
"""Time in which `retry_live_calls` makes its attempts."""
LIVE_ATTEMPT_SECONDS = 4.0
"""Maximum duration of an attempt whose first call times out, with `LIVE_CONFIG`. Two attempts fit into
`LIVE_RETRY_SECONDS`."""
T = TypeVar("T")


@dataclass(frozen=True)
class RetryTiming:
    """Clock, sleep function and source of random numbers."""

    now: Callable[[], float] = time.monotonic
    """Return the time in seconds."""
    wait: Callable[[float], None] = time.sleep
    """Sleep for a number of seconds."""
    share: Callable[[], float] = random.random
    """Return a random number from 0 to 1: the share of a pause's random part that is waited."""


@dataclass(frozen=True)
class Retrier:
    """Retries of operations until a deadline, which is a time of `timing.now`."""

    timing: RetryTiming
    deadline: float
    """Time by which the last attempt must have ended."""

    def call(self, operation: Callable[[], T], seconds: float = 0.0) -> T:
        """Return the operation's result. Raises ServiceFailed if attempts or time run out, or for a lasting fault.

        `seconds` is the maximum duration of one attempt, or 0 if the duration is negligible.
        """
        attempt = timeouts = 0
        if self.timing.now() + seconds > self.deadline:
            raise ServiceFailed(ServiceFault.TIMED_OUT)
        while True:
            try:
                return operation()
            except ServiceFailed as error:
                pause = self._pause(attempt)
                timeouts += seconds > 0 and error.fault is ServiceFault.TIMED_OUT
                if not error.is_transient or timeouts == MAX_TIMEOUTS:
                    raise
                if self.timing.now() + pause + seconds > self.deadline:
                    raise
            self.timing.wait(pause)
            attempt += 1

    def _pause(self, attempt: int) -> float:
        longest = min(MAX_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * math.pow(2, attempt))
        # Half of this attempt's longest pause is random. The other half is always waited, because throttling lasts for
        # a while.
        return longest * (1 + self.timing.share()) / 2


def retry_live_calls(operation: Callable[[], T], timing: RetryTiming) -> T:
    """Return the result of an operation that no caller repeats soon, and whose boto3 clients have `LIVE_CONFIG`.

    Transient failures are retried for some seconds. Raises ServiceFailed if that does not help, or for a lasting fault.
    """

    def attempt() -> T:
        try:
            return operation()
        except (ClientError, BotoCoreError) as error:
            fault = find_fault(error)
        raise ServiceFailed(fault)

    return Retrier(timing, timing.now() + LIVE_RETRY_SECONDS).call(attempt, LIVE_ATTEMPT_SECONDS)

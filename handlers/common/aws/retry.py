"""Retries of AWS calls that failed with a transient fault, until a deadline.

The pause doubles with each attempt up to a maximum. It has a random part, so that callers which were throttled at the
same time do not retry at the same time. An attempt only starts if it can end before the deadline.

If the caller states how long a call may take, the call fails after its second timeout, even if time is left. The reason
is that the service may have completed and billed each call that timed out.
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
"""Number of timeouts after which a call with a stated maximum duration fails."""
LIVE_RETRY_SECONDS = 9.0
"""Time in which `retry_live_calls` makes its attempts."""
LIVE_ATTEMPT_SECONDS = 4.0
"""Maximum duration that `retry_live_calls` expects of an attempt. A boto3 call that gets no response takes less,
including botocore's own retry, if it has the short timeouts of `SHORT_TIMEOUT_CONFIG` (`client_config`)."""
T = TypeVar("T")


@dataclass(frozen=True)
class RetryTiming:
    """Clock, sleep function and source of random numbers."""

    now: Callable[[], float] = time.monotonic
    """Return the time in seconds."""
    wait: Callable[[float], None] = time.sleep
    """Sleep for a number of seconds."""
    share: Callable[[], float] = random.random
    """Return a random number from 0 to 1, by which the random part of a pause is multiplied."""


@dataclass(frozen=True)
class Retrier:
    """Caller of operations that retries transient faults until a deadline."""

    timing: RetryTiming
    deadline: float
    """Time by which the last attempt must have ended, as a value of `timing.now`."""

    def call(self, operation: Callable[[], T], seconds: float = 0.0) -> T:
        """Return the operation's result. `seconds` is the maximum duration of one attempt, or 0 if it is negligible.

        Raises ServiceFailed for a lasting fault, after MAX_TIMEOUTS timeouts if `seconds` is not 0, and if no further
        attempt could end before the deadline.
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
        # Half of the longest pause is always waited, because throttling lasts for a while. The other half is random.
        return longest * (1 + self.timing.share()) / 2


def retry_live_calls(operation: Callable[[], T], timing: RetryTiming) -> T:
    """Return the result of an operation whose boto3 clients have `SHORT_TIMEOUT_CONFIG`. Transient failures are retried.

    Use this for an operation that nothing else repeats soon, for example because SQS redelivers its message only after
    minutes. Raises ServiceFailed for a lasting fault, or if transient failures do not end within LIVE_RETRY_SECONDS.
    """

    def attempt() -> T:
        try:
            return operation()
        except (ClientError, BotoCoreError) as error:
            fault = find_fault(error)
        raise ServiceFailed(fault)

    return Retrier(timing, timing.now() + LIVE_RETRY_SECONDS).call(attempt, LIVE_ATTEMPT_SECONDS)

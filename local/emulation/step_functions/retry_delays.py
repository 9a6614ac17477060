"""Corrects how long a failed state of a workflow waits before its next attempt.

A state's definition contains retriers: entries with the errors that they retry, the number of attempts and the pauses.
The emulator ignores their `MaxDelaySeconds` and `JitterStrategy`, and never waits longer than 60 seconds. So a task
that should retry for hours would fail much earlier.
https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
"""

import random
from collections.abc import Mapping, Sequence
from typing import Any

from ministack.services import stepfunctions

from local.emulation import get_private, wrap_function

Retrier = Mapping[str, Any]
LONGEST_DELAY_SECONDS = 31_536_000
"""Maximum pause if a retrier has no `MaxDelaySeconds`. It is the maximum duration of an execution."""


def install() -> None:
    """Replace `stepfunctions._find_matching_retrier`, which the emulator calls after each failed attempt of a state."""
    wrap_function(stepfunctions, "_find_matching_retrier", _wait_for_next_attempt)


def _wait_for_next_attempt(
    original: Any, retriers: Sequence[Retrier], error: str, retry_counts: Mapping[int, int]
) -> tuple[Retrier | None, int]:
    """Find the retrier for an error, and wait for its pause, multiplied by the emulator's factor for all waits.

    The interval of the returned retrier is 0, so that the emulator does not wait again.
    """
    retrier, index = original(retriers, error, retry_counts)
    if retrier is None:
        return None, index
    get_private(stepfunctions, "_scaled_sleep")(retry_delay_seconds(retrier, retry_counts.get(index, 0)))
    return {**retrier, "IntervalSeconds": 0}, index


def retry_delay_seconds(retrier: Retrier, earlier_retries: int) -> float:
    """Return the pause before the next attempt, after this number of earlier retries.

    With full jitter, it is a random time up to the computed pause.
    """
    try:
        delay = retrier.get("IntervalSeconds", 1) * float(retrier.get("BackoffRate", 2.0)) ** earlier_retries
    except OverflowError:
        delay = LONGEST_DELAY_SECONDS
    delay = min(delay, retrier.get("MaxDelaySeconds", LONGEST_DELAY_SECONDS))
    return random.uniform(0, delay) if retrier.get("JitterStrategy") == "FULL" else delay

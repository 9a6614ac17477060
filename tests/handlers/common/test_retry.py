"""Tests of retries of a failed service call: transient faults, growing pauses, timeouts and the deadline."""

from dataclasses import dataclass, field

import pytest

from handlers.common.aws import MAX_PAUSE_SECONDS, TRANSIENT_FAULTS, Retrier, RetryTiming, ServiceFailed, ServiceFault


@dataclass
class Clock:
    """Clock that advances only during pauses."""

    seconds: float = 0.0
    pauses: list[float] = field(default_factory=list)

    def now(self) -> float:
        return self.seconds

    def wait(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.seconds += seconds


def create_failures(times: int, fault: ServiceFault = ServiceFault.THROTTLED) -> list[ServiceFailed]:
    return [ServiceFailed(fault)] * times


def call_with_failures(
    clock: Clock, failures: list[ServiceFailed], deadline: float, seconds: float = 0, random_share: float = 1.0
) -> str:
    """Call an operation that fails with each of the failures, from last to first, and then returns `done`.

    `seconds` is the maximum duration of one call, or 0 if it is negligible. `random_share` is the random number from 0
    to 1 that decides the length of each pause, from half of the full length to all of it.
    """
    remaining_failures = list(failures)

    def operation() -> str:
        if remaining_failures:
            raise remaining_failures.pop()
        return "done"

    return Retrier(RetryTiming(clock.now, clock.wait, lambda: random_share), deadline).call(operation, seconds)


def test_pauses_grow_up_to_the_maximum() -> None:
    clock = Clock()
    assert call_with_failures(clock, create_failures(7), 1_000) == "done"
    assert clock.pauses == [0.5, 1, 2, 4, MAX_PAUSE_SECONDS, MAX_PAUSE_SECONDS, MAX_PAUSE_SECONDS]


def test_pauses_have_a_random_length() -> None:
    clock = Clock()
    assert call_with_failures(clock, create_failures(2), 1_000, random_share=0.0) == "done"
    assert clock.pauses == [0.25, 0.5], "half of the full pauses of 0.5 and 1 seconds"


@pytest.mark.parametrize("fault", sorted(set(ServiceFault) - TRANSIENT_FAULTS))
def test_a_permanent_fault_is_not_retried(fault: ServiceFault) -> None:
    clock = Clock()
    with pytest.raises(ServiceFailed):
        call_with_failures(clock, create_failures(1, fault), 1_000)
    assert clock.pauses == []


def test_a_timed_out_call_is_retried_only_once() -> None:
    """A call that timed out may have succeeded, and may be billed."""
    clock = Clock()
    assert call_with_failures(clock, create_failures(1, ServiceFault.TIMED_OUT), 1_000, seconds=50) == "done"
    with pytest.raises(ServiceFailed) as caught:
        call_with_failures(clock, [*create_failures(2, ServiceFault.TIMED_OUT), *create_failures(1)], 1_000, seconds=50)
    assert caught.value.fault is ServiceFault.TIMED_OUT


def test_a_call_of_negligible_duration_is_retried_after_every_timeout() -> None:
    """For example, the write of a model's result is repeated, because asking the model again would cost more."""
    assert call_with_failures(Clock(), create_failures(5, ServiceFault.TIMED_OUT), 1_000) == "done"


def test_no_attempt_starts_that_could_end_after_the_deadline() -> None:
    clock = Clock()
    with pytest.raises(ServiceFailed) as caught:
        call_with_failures(clock, create_failures(99), 60, seconds=50)
    assert caught.value.fault is ServiceFault.THROTTLED
    assert clock.seconds <= 10, "the last attempt takes up to 50 of the 60 seconds"
    assert len(clock.pauses) == 4, "after 0.5, 1, 2 and 4 seconds, another pause would end too late"

    with pytest.raises(ServiceFailed) as caught:
        call_with_failures(Clock(seconds=11), [], 60, seconds=50)
    assert caught.value.fault is ServiceFault.TIMED_OUT

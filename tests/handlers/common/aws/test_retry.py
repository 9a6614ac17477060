"""Tests of retries: transient faults, growing pauses, timeouts and the deadline."""

from dataclasses import dataclass, field

import pytest

from handlers.common.aws.retry import MAX_PAUSE_SECONDS, Retrier, RetryTiming
from handlers.common.aws.service_faults import TRANSIENT_FAULTS, ServiceFailed, ServiceFault


@dataclass
class Clock:
    at: float = 0.0
    waits: list[float] = field(default_factory=list)

    def now(self) -> float:
        return self.at

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.at += seconds


def create_failures(times: int, fault: ServiceFault = ServiceFault.THROTTLED) -> list[ServiceFailed]:
    return [ServiceFailed(fault)] * times


def call_with_failures(
    clock: Clock, failures: list[ServiceFailed], deadline: float, seconds: float = 0, share: float = 1.0
) -> str:
    left = list(failures)

    def operation() -> str:
        if left:
            raise left.pop()
        return "done"

    return Retrier(RetryTiming(clock.now, clock.wait, lambda: share), deadline).call(operation, seconds)


def test_pauses_grow_up_to_the_maximum() -> None:
    clock = Clock()
    assert call_with_failures(clock, create_failures(7), 1_000) == "done"
    assert clock.waits == [0.5, 1, 2, 4, MAX_PAUSE_SECONDS, MAX_PAUSE_SECONDS, MAX_PAUSE_SECONDS]


def test_pauses_have_a_random_length() -> None:
    clock = Clock()
    assert call_with_failures(clock, create_failures(2), 1_000, share=0.0) == "done"
    assert clock.waits == [0.25, 0.5]


@pytest.mark.parametrize("fault", sorted(set(ServiceFault) - TRANSIENT_FAULTS))
def test_a_lasting_fault_is_not_retried(fault: ServiceFault) -> None:
    clock = Clock()
    with pytest.raises(ServiceFailed):
        call_with_failures(clock, create_failures(1, fault), 1_000)
    assert clock.waits == []


def test_a_timed_out_call_is_retried_only_once() -> None:
    """Each attempt may be billed."""
    clock = Clock()
    assert call_with_failures(clock, create_failures(1, ServiceFault.TIMED_OUT), 1_000, seconds=50) == "done"
    with pytest.raises(ServiceFailed) as caught:
        call_with_failures(clock, [*create_failures(2, ServiceFault.TIMED_OUT), *create_failures(1)], 1_000, seconds=50)
    assert caught.value.fault is ServiceFault.TIMED_OUT


def test_a_call_without_known_duration_is_retried_until_the_deadline() -> None:
    """A model's result is written although the table fails twice, because asking the model again would cost more."""
    assert call_with_failures(Clock(), create_failures(5, ServiceFault.TIMED_OUT), 1_000) == "done"


def test_no_attempt_starts_that_could_end_after_the_deadline() -> None:
    clock = Clock()
    with pytest.raises(ServiceFailed) as caught:
        call_with_failures(clock, create_failures(99), 60, seconds=50)
    assert caught.value.fault is ServiceFault.THROTTLED
    assert clock.at <= 10
    assert len(clock.waits) == 4

    late = Clock(at=11)
    with pytest.raises(ServiceFailed) as caught:
        call_with_failures(late, [], 60, seconds=50)
    assert caught.value.fault is ServiceFault.TIMED_OUT

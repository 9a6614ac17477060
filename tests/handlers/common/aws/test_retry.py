"""What may pass is tried again while there is time, with growing pauses; the rest is not."""

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


def failing(times: int, fault: ServiceFault = ServiceFault.THROTTLED) -> list[ServiceFailed]:
    return [ServiceFailed(fault)] * times


def tried(clock: Clock, failures: list[ServiceFailed], deadline: float, seconds: float = 0, share: float = 1.0) -> str:
    left = list(failures)

    def operation() -> str:
        if left:
            raise left.pop()
        return "done"

    return Retrier(RetryTiming(clock.now, clock.wait, lambda: share), deadline).call(operation, seconds)


def test_pauses_grow_up_to_a_longest_one() -> None:
    clock = Clock()
    assert tried(clock, failing(7), 1_000) == "done"
    assert clock.waits == [0.5, 1, 2, 4, MAX_PAUSE_SECONDS, MAX_PAUSE_SECONDS, MAX_PAUSE_SECONDS]


def test_pauses_have_a_random_length() -> None:
    clock = Clock()
    assert tried(clock, failing(2), 1_000, share=0.0) == "done"
    assert clock.waits == [0.25, 0.5]


@pytest.mark.parametrize("fault", sorted(set(ServiceFault) - TRANSIENT_FAULTS))
def test_what_does_not_pass_is_not_tried_again(fault: ServiceFault) -> None:
    clock = Clock()
    with pytest.raises(ServiceFailed):
        tried(clock, failing(1, fault), 1_000)
    assert clock.waits == []


def test_what_took_too_long_is_tried_once_more_however_much_time_is_left() -> None:
    """It is paid for each time."""
    clock = Clock()
    assert tried(clock, failing(1, ServiceFault.TIMED_OUT), 1_000, seconds=50) == "done"
    with pytest.raises(ServiceFailed) as caught:
        tried(clock, [*failing(2, ServiceFault.TIMED_OUT), *failing(1)], 1_000, seconds=50)
    assert caught.value.fault is ServiceFault.TIMED_OUT


def test_what_takes_no_time_worth_saying_is_tried_as_long_as_there_is_some() -> None:
    """What a model found is kept, though the table is slow twice: asking the model again would cost more."""
    assert tried(Clock(), failing(5, ServiceFault.TIMED_OUT), 1_000) == "done"


def test_no_attempt_begins_that_could_not_end_in_time() -> None:
    clock = Clock()
    with pytest.raises(ServiceFailed) as caught:
        tried(clock, failing(99), 60, seconds=50)
    assert caught.value.fault is ServiceFault.THROTTLED
    assert clock.at <= 10
    assert len(clock.waits) == 4

    late = Clock(at=11)
    with pytest.raises(ServiceFailed) as caught:
        tried(late, [], 60, seconds=50)
    assert caught.value.fault is ServiceFault.TIMED_OUT

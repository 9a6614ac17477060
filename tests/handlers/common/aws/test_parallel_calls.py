"""Many calls at once, each failing by itself."""

import threading

import pytest

from handlers.common.aws.parallel_calls import ParallelCalls


def halved(number: int) -> int:
    if number % 2:
        raise ValueError(number)
    return number // 2


@pytest.mark.parametrize("workers", [1, 4])
def test_each_gives_or_raises_for_itself_in_the_order_asked(workers: int) -> None:
    found = ParallelCalls(workers).call_each(halved, range(6))
    assert [item if isinstance(item, int) else str(item) for item in found] == [0, "1", 1, "3", 2, "5"]


@pytest.mark.parametrize("workers", [1, 4])
def test_all_makes_every_call_before_it_raises(workers: int) -> None:
    called: list[int] = []

    def noted(number: int) -> int:
        called.append(number)
        return halved(number)

    with pytest.raises(ValueError, match="1"):
        ParallelCalls(workers).call_all(noted, range(6))
    assert sorted(called) == list(range(6))


def test_calls_really_run_at_once() -> None:
    meeting = threading.Barrier(4, timeout=5)
    assert len(ParallelCalls(4).call_all(lambda _: meeting.wait(), range(4))) == 4


def test_one_worker_is_the_callers_own_thread() -> None:
    assert ParallelCalls(1).call_all(lambda _: threading.get_ident(), [0]) == [threading.get_ident()]

"""Tests of parallel calls and their separate failures."""

import threading

import pytest

from handlers.common.aws import ParallelCalls


def halve(number: int) -> int:
    """Return half of an even number. Raise an exception for an odd one."""
    if number % 2:
        raise ValueError(number)
    return number // 2


@pytest.mark.parametrize("workers", [1, 4])
def test_call_each_returns_results_and_exceptions_in_order(workers: int) -> None:
    results = ParallelCalls(workers).call_each(halve, range(6))
    assert [item if isinstance(item, int) else str(item) for item in results] == [0, "1", 1, "3", 2, "5"]


@pytest.mark.parametrize("workers", [1, 4])
def test_call_all_makes_every_call_before_it_raises(workers: int) -> None:
    called: list[int] = []

    def record_call(number: int) -> int:
        called.append(number)
        return halve(number)

    with pytest.raises(ValueError, match="1"):
        ParallelCalls(workers).call_all(record_call, range(6))
    assert sorted(called) == list(range(6))


def test_calls_run_in_parallel() -> None:
    barrier = threading.Barrier(4, timeout=5)
    assert len(ParallelCalls(4).call_all(lambda _: barrier.wait(), range(4))) == 4


def test_a_single_worker_runs_in_the_callers_thread() -> None:
    assert ParallelCalls(1).call_all(lambda _: threading.get_ident(), [0]) == [threading.get_ident()]

"""Builders, workflows and sweepers killed at every call: no file is lost or processed by two manifests."""

from contextlib import suppress

import pytest

from tests.handlers.ingestion.conftest import NOW
from tests.handlers.ingestion.fake_cloud import Cloud
from tests.handlers.ingestion.ingestion_harness import (
    IngestionHarness,
    Killed,
    announce,
    check_final_state,
    check_invariants,
)

NAMES = ("a", "b", "c", "d")


def new_harness(start: str = "") -> IngestionHarness:
    """Return a harness in which the next start of an execution has this outcome."""
    harness = IngestionHarness(Cloud(NOW))
    harness.cloud.next_starts.append(start)
    return harness


class KillSwitch:
    """Gate that counts the calls and kills its caller at one of them."""

    def __init__(self, at: int | None = None) -> None:
        self.passed = 0
        self.at = at

    def __call__(self, point: str) -> None:
        self.passed += 1
        if self.passed == self.at:
            raise Killed(point)


def count_calls() -> tuple[int, int]:
    """Return the numbers of gate points that an undisturbed builder and its workflow pass."""
    harness, builder, workflow = new_harness(), KillSwitch(), KillSwitch()
    harness.builder(builder).handle(announce(*NAMES))
    harness.run(harness.waiting_executions.pop(), workflow)
    return builder.passed, workflow.passed


BUILDER_POINTS, WORKFLOW_POINTS = count_calls()
STARTS = ("", "refused", "lost", "lost after", "delayed")


def test_the_crash_loops_cover_every_call() -> None:
    """A gate that skips calls would leave the loops with too few points, and their tests would still pass."""
    # The builder stores 4 files, queries twice, claims 3 files, writes the file list, starts the execution, updates
    # 4 items and queries twice. The gate is passed before and after each call.
    assert BUILDER_POINTS >= 2 * (4 + 2 + 3 + 1 + 1 + 4 + 2)
    assert WORKFLOW_POINTS >= 24


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("instantly", [True, False], ids=["instant workflow", "later workflow"])
def test_a_builder_killed_at_any_call_loses_and_duplicates_no_file(start: str, *, instantly: bool) -> None:
    for at in range(1, BUILDER_POINTS + 1):
        harness = new_harness(start)
        if instantly:
            harness.cloud.on_start = harness.run
        try:
            harness.builder(KillSwitch(at)).handle(announce(*NAMES))
        except Killed:
            check_invariants(harness)
            # The queue delivers the batch again, possibly before the next sweep.
            harness.builder().handle(announce(*NAMES))
        harness.run_until_settled()
        check_final_state(harness, set(NAMES))
        assert "failed" not in harness.statuses()


@pytest.mark.parametrize("start", STARTS)
def test_a_builder_killed_while_it_releases_excess_files_loses_no_file(start: str) -> None:
    def before() -> IngestionHarness:
        harness = new_harness(start)
        harness.manifest_bytes = 7  # two files of three bytes
        return harness

    counted = KillSwitch()
    before().builder(counted).handle(announce(*NAMES))
    assert counted.passed >= 23
    for at in range(1, counted.passed + 1):
        harness = before()
        with pytest.raises(Killed):
            harness.builder(KillSwitch(at)).handle(announce(*NAMES))
        check_invariants(harness)
        harness.builder().handle(announce(*NAMES))
        harness.run_until_settled()
        check_final_state(harness, set(NAMES))
        assert all(len(files) <= 2 for _, files in harness.runs)


@pytest.mark.parametrize("again", [True, False], ids=["the step is retried", "nobody retries it"])
def test_a_workflow_killed_at_any_call_is_completed_by_its_retry_or_by_the_sweeper(*, again: bool) -> None:
    for at in range(1, WORKFLOW_POINTS + 1):
        harness = new_harness()
        harness.builder().handle(announce(*NAMES))
        name = harness.waiting_executions.pop()
        with pytest.raises(Killed):
            harness.run(name, KillSwitch(at))
        check_invariants(harness)
        if again:
            harness.cloud.executions[name] = "RUNNING"
            harness.run(name)
        harness.run_until_settled()
        check_final_state(harness, set(NAMES))
        assert not again or set(harness.statuses()) == {"processed"}


@pytest.mark.parametrize("start", STARTS)
def test_the_next_sweep_completes_the_work_of_a_sweeper_killed_at_any_call(start: str) -> None:
    """The sweep finds claims of a killed builder, and pending files."""

    def before() -> IngestionHarness:
        harness = new_harness(start)
        with suppress(Killed):
            harness.builder(KillSwitch(BUILDER_POINTS - 9)).handle(announce(*NAMES))
        harness.builder().handle(announce("e", "f"))
        harness.cloud.advance_time(3601)
        return harness

    counted = KillSwitch()
    before().sweeper(counted).sweep()
    assert counted.passed >= 54
    for at in range(1, counted.passed + 1):
        harness = before()
        with pytest.raises(Killed):
            harness.sweeper(KillSwitch(at)).sweep()
        check_invariants(harness)
        harness.run_until_settled()
        check_final_state(harness, {*NAMES, "e", "f"})


@pytest.mark.parametrize("fate", ["lost", "lost after"])
@pytest.mark.parametrize("dead", [False, True], ids=["workflow", "workflow that dies at once"])
def test_a_builder_with_any_lost_call_leaves_no_open_state(fate: str, *, dead: bool) -> None:
    for before in range(BUILDER_POINTS // 2):
        harness = new_harness()
        harness.cloud.next_calls.extend([""] * before + [fate])
        back = harness.builder().handle(announce(*NAMES))["batchItemFailures"]
        check_invariants(harness)
        if dead and harness.waiting_executions:
            harness.cloud.executions[harness.waiting_executions.pop()] = "ABORTED"
        harness.cloud.next_calls.clear()
        harness.builder().handle(announce(*(message["itemIdentifier"] for message in back)))
        harness.run_until_settled()
        check_final_state(harness, set(NAMES))


def test_an_execution_that_starts_late_processes_only_files_that_are_still_its_own() -> None:
    harness = new_harness("delayed")
    harness.builder().handle(announce("a", "b", "c"))
    harness.cloud.advance_time(901)
    # The sweeper dies after it has released one of three files, which another builder then claims.
    for point in range(1, 1000):
        with suppress(Killed):
            harness.sweeper(KillSwitch(point)).sweep()
        if "pending" in harness.statuses():
            break
    harness.builder().handle(announce("d", "e"))
    harness.run_all()
    (first,) = harness.runs
    assert len(first[1]) == 3
    harness.cloud.deliver_delayed_starts()
    harness.run_all()
    assert len(harness.runs) == 2
    assert harness.runs[1][1].isdisjoint(first[1])
    harness.run_until_settled()
    check_final_state(harness, {"a", "b", "c", "d", "e"})

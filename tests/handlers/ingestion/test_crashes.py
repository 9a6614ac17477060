"""Builders killed at every call, and beside other builders, sweepers and workflows: nothing is lost or run twice."""

from contextlib import suppress
from datetime import UTC, datetime

import pytest

from tests.handlers.ingestion.concurrent_actors import Killed, World, announced, check_always, check_settled
from tests.handlers.ingestion.fake_cloud import Cloud

NOW = datetime(2026, 1, 2, 12, 0, 10, tzinfo=UTC)
NAMES = ("a", "b", "c", "d")


def world(*, lag: bool = False) -> World:
    cloud = Cloud(NOW)
    cloud.lag = lag
    return World(cloud)


class Axe:
    """A gate that kills its caller at one point, and counts the points."""

    def __init__(self, at: int | None = None) -> None:
        self.passed = 0
        self.at = at

    def __call__(self, point: str) -> None:
        self.passed += 1
        if self.passed == self.at:
            raise Killed(point)


def points(what: str) -> int:
    """How many points one undisturbed life passes."""
    one, axe = world(), Axe()
    if what == "builder":
        one.builder(axe).handle(announced(*NAMES))
        return axe.passed
    one.builder().handle(announced(*NAMES))
    if what == "workflow":
        one.run(one.waiting.pop(), axe)
        return axe.passed
    one.run_all()
    one.cloud.passes(3601)
    one.sweeper(axe).sweep()
    return axe.passed


BUILDER_POINTS, WORKFLOW_POINTS = points("builder"), points("workflow")
STARTS = ("", "refused", "lost", "lost after", "delayed")


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("instantly", [True, False], ids=["instant workflow", "later workflow"])
def test_a_builder_killed_at_any_call_loses_and_duplicates_no_file(start: str, *, instantly: bool) -> None:
    for at in range(1, BUILDER_POINTS + 1):
        one = world()
        if instantly:
            one.cloud.on_start = one.run
        if start:
            one.cloud.next_starts.append(start)
        try:
            one.builder(Axe(at)).handle(announced(*NAMES))
        except Killed:
            check_always(one)
            # The queue delivers the batch again, maybe before the sweeper comes.
            one.builder().handle(announced(*NAMES))
        one.settle_down()
        check_settled(one, set(NAMES))
        assert not [item for item in one.cloud.files().values() if item["status"]["S"] == "failed"]


@pytest.mark.parametrize("start", STARTS)
def test_a_builder_killed_while_it_releases_excess_files_loses_no_file(start: str) -> None:
    def before() -> World:
        one = world()
        one.manifest_bytes = 7  # two files of three bytes
        one.cloud.next_starts.extend([start] if start else [])
        return one

    counted = Axe()
    before().builder(counted).handle(announced(*NAMES))
    for at in range(1, counted.passed + 1):
        one = before()
        with pytest.raises(Killed):
            one.builder(Axe(at)).handle(announced(*NAMES))
        check_always(one)
        one.builder().handle(announced(*NAMES))
        one.settle_down()
        check_settled(one, set(NAMES))
        assert all(len(files) <= 2 for _, files in one.runs)


@pytest.mark.parametrize("again", [True, False], ids=["the step is retried", "nobody retries it"])
def test_a_workflow_killed_at_any_call_is_completed_by_its_retry_or_by_the_sweeper(*, again: bool) -> None:
    for at in range(1, WORKFLOW_POINTS + 1):
        one = world()
        one.builder().handle(announced(*NAMES))
        name = one.waiting.pop()
        with pytest.raises(Killed):
            one.run(name, Axe(at))
        check_always(one)
        if again:
            one.cloud.executions[name] = "RUNNING"
            one.run(name)
        one.settle_down()
        check_settled(one, set(NAMES))
        if again:
            assert {item["status"]["S"] for item in one.cloud.files().values()} == {"processed"}


@pytest.mark.parametrize("start", STARTS)
def test_the_next_sweep_completes_the_work_of_a_sweeper_killed_at_any_call(start: str) -> None:
    """It meets claims of a dead builder, a run that died, and leftovers."""

    def before() -> World:
        one = world()
        one.cloud.next_starts.extend([start] if start else [])
        with suppress(Killed):
            one.builder(Axe(BUILDER_POINTS - 9)).handle(announced(*NAMES))
        one.builder().handle(announced("e", "f"))
        one.cloud.passes(3601)
        return one

    counted = Axe()
    before().sweeper(counted).sweep()
    for at in range(1, counted.passed + 1):
        one = before()
        with pytest.raises(Killed):
            one.sweeper(Axe(at)).sweep()
        check_always(one)
        one.settle_down()
        check_settled(one, {*NAMES, "e", "f"})


@pytest.mark.parametrize("fate", ["lost", "lost after"])
@pytest.mark.parametrize("dead", [False, True], ids=["workflow", "workflow that dies at once"])
def test_a_builder_with_any_lost_call_leaves_no_open_state(fate: str, *, dead: bool) -> None:
    for before in range(BUILDER_POINTS // 2):
        one = world()
        one.cloud.next_calls.extend([""] * before + [fate])
        back = one.builder().handle(announced(*NAMES))["batchItemFailures"]
        check_always(one)
        if dead and one.waiting:
            one.cloud.executions[one.waiting.pop()] = "ABORTED"
        one.cloud.next_calls.clear()
        one.builder().handle(announced(*(message["itemIdentifier"] for message in back)))
        one.settle_down()
        check_settled(one, set(NAMES))


def test_an_execution_that_starts_late_processes_only_files_that_are_still_its_own() -> None:
    one = world()
    one.cloud.next_starts.append("delayed")
    one.builder().handle(announced("a", "b", "c"))
    one.cloud.passes(901)
    for point in range(1, 1000):  # the sweeper dies when it has given back one of three, and another builds with it
        with suppress(Killed):
            one.sweeper(Axe(point)).sweep()
        if [item for item in one.cloud.files().values() if item["status"]["S"] == "pending"]:
            break
    one.builder().handle(announced("d", "e"))
    one.run_all()
    (first,) = one.runs
    assert len(first[1]) == 3
    one.cloud.deliver()
    one.run_all()
    assert len(one.runs) == 2
    assert one.runs[1][1].isdisjoint(first[1])
    one.settle_down()
    check_settled(one, {"a", "b", "c", "d", "e"})

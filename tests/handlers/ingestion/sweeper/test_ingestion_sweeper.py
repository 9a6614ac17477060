"""Sweeper: a scheduled function that completes the unfinished work of builders and workflows.

Builders claim files for manifests (lists of three files) and start workflow executions. A sweep counts claims that it
`released`, manifests whose old claims it `resolved`, running manifests that it `settled` (closed), and files that it
put into manifests because they had waited too long (a flush). In these tests, it checks claims and running manifests
after 900 seconds, and files wait at most 3600 seconds. A gate is called before and after each AWS call.
"""

import pytest

from tests.handlers.ingestion.conftest import NOW
from tests.handlers.ingestion.fake_cloud import Cloud
from tests.handlers.ingestion.ingestion_harness import (
    FaultGate,
    IngestionHarness,
    Killed,
    announce,
    check_final_state,
)


def kill_builder_before(harness: IngestionHarness, call: str, *names: str) -> None:
    """Let a builder handle three files, and kill it before a call."""

    def gate(point: str) -> None:
        if point == f"before {call}":
            raise Killed(point)

    with pytest.raises(Killed):
        harness.builder(gate).handle(announce(*(names or ("a", "b", "c"))))


@pytest.mark.parametrize("call", ["PutObject", "StartExecution"])
def test_one_sweep_releases_claims_that_are_older_than_any_builder_and_creates_their_manifest(
    harness: IngestionHarness, call: str
) -> None:
    kill_builder_before(harness, call)
    harness.cloud.advance_time(899)
    harness.sweeper().sweep()
    assert harness.statuses() == ["claimed"] * 3
    harness.cloud.advance_time(2)
    result = harness.sweeper().sweep()
    assert (result.released, result.resolved, result.manifests, result.failed) == (3, 1, 1, 0)
    assert len(harness.cloud.executions) == 1
    assert harness.statuses() == ["manifested"] * 3


def test_claims_of_a_running_execution_get_a_record_and_stay_for_its_confirmation(harness: IngestionHarness) -> None:
    harness.cloud.next_starts.append("response lost")
    harness.builder().handle(announce("a", "b", "c"))
    assert not harness.cloud.manifests()
    harness.cloud.advance_time(901)
    assert harness.sweeper().sweep().released == 0
    assert harness.manifest()["status"] == "running"
    harness.run_all()
    assert harness.statuses() == ["processed"] * 3


def test_status_checks_of_many_executions_do_not_delay_waiting_files(harness: IngestionHarness) -> None:
    for number in range(15):
        harness.builder().handle(announce(*(f"{number}{letter}" for letter in "abc")))
    harness.builder().handle(announce("waiting"))
    harness.cloud.advance_time(3601)
    status_checks: list[str] = []

    def delay_status_checks(point: str) -> None:
        if point == "before DescribeExecution":
            status_checks.append(point)
            harness.cloud.advance_time(10)

    result = harness.sweeper(delay_status_checks).sweep()
    assert len(status_checks) == 7, "the checks stop after a minute"
    assert (result.failed, result.files) == (0, 1)
    assert len(harness.cloud.executions) == 16


def test_files_of_an_execution_that_died_before_confirmation_are_marked_as_failed(harness: IngestionHarness) -> None:
    harness.cloud.next_starts.append("response lost")
    harness.builder().handle(announce("a", "b", "c"))
    harness.cloud.executions[harness.waiting_executions.pop()] = "TIMED_OUT"
    harness.cloud.advance_time(901)
    harness.sweeper().sweep()
    assert harness.statuses() == ["failed"] * 3
    manifest = harness.manifest()
    assert (manifest["status"], manifest["cause"]) == ("failed", "EXECUTION_TIMED_OUT")


def test_claims_are_not_released_if_the_list_cannot_be_read(
    harness: IngestionHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_builder_before(harness, "StartExecution")
    kill_builder_before(harness, "StartExecution", "d", "e", "f")
    harness.cloud.advance_time(901)
    first_list = min(key for key in harness.cloud.objects if key.startswith("manifests/"))
    monkeypatch.setitem(harness.cloud.objects, first_list, b"not a list")
    result = harness.sweeper().sweep()
    assert (result.failed, result.released) == (1, 3), "the failure of one manifest does not stop the other"
    assert harness.statuses().count("claimed") == 3


def test_a_run_that_died_before_the_last_step_is_finished_from_its_result(harness: IngestionHarness) -> None:
    harness.builder().handle(announce("a", "b", "c"))
    name = harness.waiting_executions.pop()

    def kill_after_run(point: str) -> None:
        if harness.runs and point.startswith("before"):
            raise Killed(point)

    with pytest.raises(Killed):
        harness.run(name, kill_after_run)
    harness.cloud.advance_time(901)
    assert harness.sweeper().sweep().settled == 1
    assert harness.statuses() == ["processed"] * 3
    check_final_state(harness, {"a", "b", "c"})


def test_a_manifest_fails_if_its_execution_no_longer_exists(harness: IngestionHarness) -> None:
    harness.builder().handle(announce("a", "b", "c"))
    del harness.cloud.executions[harness.waiting_executions.pop()]
    harness.cloud.advance_time(901)
    assert harness.sweeper().sweep().settled == 1
    assert harness.manifest()["cause"] == "EXECUTION_GONE"


def test_pending_files_are_flushed_once_the_oldest_has_waited_long_enough(harness: IngestionHarness) -> None:
    harness.builder().handle(announce("a"))
    harness.cloud.advance_time(3000)
    harness.builder().handle(announce("b"))
    assert (harness.sweeper().sweep().files, harness.statuses()) == (0, ["pending", "pending"])
    harness.cloud.advance_time(600)
    assert harness.sweeper().sweep().files == 2, "the younger file is included"
    assert harness.statuses() == ["manifested", "manifested"]


@pytest.mark.parametrize(
    ("seconds_between", "flushed_files"),
    [
        pytest.param(0, 2, id="both have waited long enough"),
        pytest.param(3600, 1, id="only the first has waited long enough"),
    ],
)
def test_each_file_that_has_waited_long_enough_is_flushed_even_if_the_size_limit_allows_one_file_per_manifest(
    harness: IngestionHarness, seconds_between: int, flushed_files: int
) -> None:
    harness.manifest_bytes = 3
    harness.builder().handle(announce("a"))
    harness.cloud.advance_time(seconds_between)
    harness.builder().handle(announce("b"))
    harness.cloud.advance_time(3600 - seconds_between)
    assert (harness.sweeper().sweep().files, len(harness.cloud.executions)) == (flushed_files, flushed_files)


def test_full_manifests_that_builders_could_not_start_are_created_at_once(harness: IngestionHarness) -> None:
    harness.cloud.next_starts.extend(["refused"] * 3)
    for batch in (("a", "b", "c"), ("d", "e", "f"), ("g",)):
        harness.builder().handle(announce(*batch))
    harness.cloud.next_starts.clear()
    assert harness.sweeper().sweep().manifests == 2
    assert sorted(harness.statuses()) == ["manifested"] * 6 + ["pending"]


def test_the_age_of_the_oldest_pending_file_is_reported_even_if_starts_are_refused(harness: IngestionHarness) -> None:
    assert harness.sweeper().sweep().oldest_pending_seconds == 0
    harness.builder().handle(announce("a"))
    harness.cloud.advance_time(7200)
    harness.cloud.next_starts.append("refused")
    assert harness.sweeper().sweep().oldest_pending_seconds == 7200
    harness.cloud.advance_time(60)
    assert harness.sweeper().sweep().oldest_pending_seconds == 7260, "a released file keeps its age"


def test_a_sweep_with_nothing_to_do_changes_nothing(harness: IngestionHarness) -> None:
    harness.builder().handle(announce("a", "b", "c"))
    harness.run_all()
    before = dict(harness.cloud.items)
    harness.cloud.advance_time(90_000)
    harness.sweeper().sweep()
    assert harness.cloud.items == before


def test_the_number_of_calls_of_a_sweep_does_not_grow_with_the_table() -> None:
    pass_counts = []
    for file_count in (3, 9):
        harness = IngestionHarness(Cloud(NOW))
        harness.builder().handle(announce(*(str(number) for number in range(file_count))))
        harness.run_all()
        gate = FaultGate()
        harness.sweeper(gate).sweep()
        pass_counts.append(gate.pass_count)
    assert pass_counts[0] == pass_counts[1]

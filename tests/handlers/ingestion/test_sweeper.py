"""Sweeper: a scheduled function that ends manifests whose execution has ended, and creates manifests.

In these tests, it looks up the executions of running manifests after 900 seconds, and files wait at most 3600 seconds
for a full manifest of three files. A gate is called before and after each AWS call.
"""

import pytest

from tests.handlers.ingestion.conftest import NOW
from tests.handlers.ingestion.fake_cloud import Cloud
from tests.handlers.ingestion.ingestion_harness import IngestionHarness, Killed, announce, check_final_state


def test_pending_files_do_not_wait_for_the_checks_of_executions(harness: IngestionHarness) -> None:
    harness.builder().handle(announce("a", "b", "c", "d"))
    harness.cloud.advance_time(3601)

    def kill(point: str) -> None:
        if point == "before DescribeExecution":
            raise Killed

    with pytest.raises(Killed):
        harness.sweeper(kill).sweep()
    assert harness.statuses() == ["manifested"] * 4


@pytest.mark.parametrize(("status", "cause"), [("TIMED_OUT", "EXECUTION_TIMED_OUT"), (None, "EXECUTION_GONE")])
def test_files_of_an_execution_that_died_before_confirmation_are_marked_as_failed(
    harness: IngestionHarness, status: str | None, cause: str
) -> None:
    harness.builder().handle(announce("a", "b", "c"))
    name = harness.waiting_executions.pop()
    harness.cloud.executions.pop(name)
    if status:
        harness.cloud.executions[name] = status
    harness.cloud.advance_time(899)
    assert harness.sweeper().sweep().closed == 0, "Step Functions may not find a new execution yet"
    harness.cloud.advance_time(2)
    assert harness.sweeper().sweep().closed == 1
    assert harness.statuses() == ["failed"] * 3
    assert (harness.manifest()["status"], harness.manifest()["cause"]) == ("failed", cause)


def test_the_failure_of_one_check_is_logged_and_does_not_stop_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    harness = IngestionHarness(Cloud(NOW), "ERROR")
    for names in ("abc", "def"):
        harness.builder().handle(announce(*names))
        harness.cloud.executions[harness.waiting_executions.pop()] = "ABORTED"
    first_list = min(key for key in harness.cloud.objects if key.startswith("manifests/"))
    harness.cloud.objects[first_list] = b"not a list"
    harness.cloud.advance_time(901)
    result = harness.sweeper().sweep()
    assert (result.failed, result.closed) == (1, 1)
    assert '"manifest_not_closed"' in capsys.readouterr().out
    assert sorted(harness.statuses()) == ["failed"] * 3 + ["manifested"] * 3


def test_a_run_that_died_before_the_last_step_is_finished_from_its_result(harness: IngestionHarness) -> None:
    harness.builder().handle(announce("a", "b", "c"))

    def kill_after_run(point: str) -> None:
        if harness.published and point.startswith("before"):
            raise Killed(point)

    with pytest.raises(Killed):
        harness.run(harness.waiting_executions.pop(), kill_after_run)
    harness.cloud.advance_time(901)
    assert harness.sweeper().sweep().closed == 1
    assert harness.statuses() == ["processed"] * 3
    check_final_state(harness, "abc")


def test_pending_files_are_flushed_once_the_oldest_has_waited_long_enough(harness: IngestionHarness) -> None:
    harness.builder().handle(announce("a"))
    harness.cloud.advance_time(3000)
    harness.builder().handle(announce("b"))
    assert (harness.sweeper().sweep().files, harness.statuses()) == (0, ["pending", "pending"])
    harness.cloud.advance_time(600)
    assert harness.sweeper().sweep().files == 2, "the younger file is included"
    assert harness.statuses() == ["manifested", "manifested"]


def test_the_age_of_the_oldest_pending_file_is_reported_even_if_starts_are_refused(harness: IngestionHarness) -> None:
    assert harness.sweeper().sweep().oldest_pending_seconds == 0
    harness.builder().handle(announce("a"))
    for age in (7200, 7260):
        harness.cloud.next_starts.append("refused")
        harness.cloud.advance_time(age - (harness.cloud.now - NOW).total_seconds())
        result = harness.sweeper().sweep()
        assert (result.oldest_pending_seconds, result.manifests) == (age, 0)

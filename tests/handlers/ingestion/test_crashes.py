"""Builders, workflows and sweepers that are killed at every AWS call: no file is lost or processed by two manifests.

A builder puts arrived files into manifests (lists of three files) and starts a workflow execution for each manifest.
The sweeper completes the work of a killed builder or workflow. Every AWS call passes a gate before and after its
execution, at which the caller can be killed.
"""

from contextlib import suppress

import pytest

from tests.handlers.ingestion.conftest import NOW
from tests.handlers.ingestion.fake_cloud import Cloud
from tests.handlers.ingestion.ingestion_harness import (
    TIMEOUT,
    FaultGate,
    IngestionHarness,
    Killed,
    announce,
    check_final_state,
    check_invariants,
)

NAMES = ("a", "b", "c", "d")


def new_harness(start_outcome: str = "") -> IngestionHarness:
    """Return a harness in which the next start of an execution has this outcome."""
    harness = IngestionHarness(Cloud(NOW))
    harness.cloud.next_starts.append(start_outcome)
    return harness


def count_passes() -> tuple[int, int]:
    """Return how often an undisturbed builder and its workflow pass their gates."""
    harness, builder_gate, workflow_gate = new_harness(), FaultGate(), FaultGate()
    harness.builder(builder_gate).handle(announce(*NAMES))
    harness.run(harness.waiting_executions.pop(), workflow_gate)
    return builder_gate.pass_count, workflow_gate.pass_count


BUILDER_PASSES, WORKFLOW_PASSES = count_passes()
START_OUTCOMES = ("", "refused", "lost", "response lost", "delayed")


def test_the_crash_loops_cover_every_call() -> None:
    """If some calls did not pass the gate, the other tests would succeed without killing the caller at these calls."""
    # The builder stores 4 files, queries twice, claims 3 files, writes the file list, starts the execution, updates
    # 4 items and queries twice.
    assert BUILDER_PASSES >= 2 * (4 + 2 + 3 + 1 + 1 + 4 + 2)
    assert WORKFLOW_PASSES >= 24


@pytest.mark.parametrize("start_outcome", START_OUTCOMES)
@pytest.mark.parametrize("runs_at_once", [True, False], ids=["workflow runs at once", "workflow runs later"])
def test_a_builder_killed_at_any_call_loses_and_duplicates_no_file(start_outcome: str, *, runs_at_once: bool) -> None:
    for kill_at in range(1, BUILDER_PASSES + 1):
        harness = new_harness(start_outcome)
        if runs_at_once:
            harness.cloud.on_start = harness.run
        try:
            harness.builder(FaultGate(kill_at)).handle(announce(*NAMES))
        except Killed:
            check_invariants(harness)
            # The queue delivers the batch again, possibly before the next sweep.
            harness.builder().handle(announce(*NAMES))
        harness.run_until_settled()
        check_final_state(harness, set(NAMES))
        assert "failed" not in harness.statuses()


@pytest.mark.parametrize("start_outcome", START_OUTCOMES)
def test_a_builder_killed_while_it_releases_excess_files_loses_no_file(start_outcome: str) -> None:
    """A builder claims files until a manifest has enough, and releases those that exceed the manifest's bytes."""

    def harness_with_small_manifests() -> IngestionHarness:
        harness = new_harness(start_outcome)
        harness.manifest_bytes = 7  # two files of three bytes
        return harness

    undisturbed_gate = FaultGate()
    harness_with_small_manifests().builder(undisturbed_gate).handle(announce(*NAMES))
    assert undisturbed_gate.pass_count >= 23, "every call passes the gate"
    for kill_at in range(1, undisturbed_gate.pass_count + 1):
        harness = harness_with_small_manifests()
        with pytest.raises(Killed):
            harness.builder(FaultGate(kill_at)).handle(announce(*NAMES))
        check_invariants(harness)
        harness.builder().handle(announce(*NAMES))
        harness.run_until_settled()
        check_final_state(harness, set(NAMES))
        assert all(len(files) <= 2 for _, files in harness.runs)


@pytest.mark.parametrize("is_retried", [True, False], ids=["the workflow is retried", "the workflow is not retried"])
def test_a_workflow_killed_at_any_call_is_completed_by_its_retry_or_by_the_sweeper(*, is_retried: bool) -> None:
    for kill_at in range(1, WORKFLOW_PASSES + 1):
        harness = new_harness()
        harness.builder().handle(announce(*NAMES))
        name = harness.waiting_executions.pop()
        with pytest.raises(Killed):
            harness.run(name, FaultGate(kill_at))
        check_invariants(harness)
        if is_retried:
            harness.cloud.executions[name] = "RUNNING"
            harness.run(name)
        harness.run_until_settled()
        check_final_state(harness, set(NAMES))
        assert not is_retried or set(harness.statuses()) == {"processed"}


@pytest.mark.parametrize("start_outcome", START_OUTCOMES)
def test_the_next_sweep_completes_the_work_of_a_sweeper_killed_at_any_call(start_outcome: str) -> None:
    def harness_to_sweep() -> IngestionHarness:
        """Return a harness with claims of a killed builder and with pending files."""
        harness = new_harness(start_outcome)
        with suppress(Killed):
            # Depending on the outcome, the builder is killed shortly before or after the start, and has claimed files.
            harness.builder(FaultGate(BUILDER_PASSES - 9)).handle(announce(*NAMES))
        harness.builder().handle(announce("e", "f"))
        harness.cloud.advance_time(3601)
        return harness

    undisturbed_gate = FaultGate()
    harness_to_sweep().sweeper(undisturbed_gate).sweep()
    assert undisturbed_gate.pass_count >= 54, "every call passes the gate"
    for kill_at in range(1, undisturbed_gate.pass_count + 1):
        harness = harness_to_sweep()
        with pytest.raises(Killed):
            harness.sweeper(FaultGate(kill_at)).sweep()
        check_invariants(harness)
        harness.run_until_settled()
        check_final_state(harness, {*NAMES, "e", "f"})


@pytest.mark.parametrize("is_aborted", [False, True], ids=["workflow runs", "workflow is aborted at once"])
def test_after_any_lost_request_or_response_of_a_builder_all_work_is_completed(*, is_aborted: bool) -> None:
    for fault_at in range(1, BUILDER_PASSES + 1):
        harness = new_harness()
        failed_messages = harness.builder(FaultGate(fault_at, TIMEOUT)).handle(announce(*NAMES))["batchItemFailures"]
        check_invariants(harness)
        if is_aborted and harness.waiting_executions:
            harness.cloud.executions[harness.waiting_executions.pop()] = "ABORTED"
        harness.builder().handle(announce(*(message["itemIdentifier"] for message in failed_messages)))
        harness.run_until_settled()
        check_final_state(harness, set(NAMES))


def test_an_execution_that_starts_late_processes_only_files_that_still_belong_to_its_manifest() -> None:
    harness = new_harness("delayed")
    harness.builder().handle(announce("a", "b", "c"))
    harness.cloud.advance_time(901)
    # The sweeper is killed after it has released one of the three files, which another builder then claims.
    for kill_at in range(1, 1000):
        with suppress(Killed):
            harness.sweeper(FaultGate(kill_at)).sweep()
        if "pending" in harness.statuses():
            break
    harness.builder().handle(announce("d", "e"))
    harness.run_all()
    ((_, files_of_other_manifest),) = harness.runs
    assert len(files_of_other_manifest) == 3
    harness.cloud.deliver_delayed_starts()
    harness.run_all()
    _, (_, files_of_late_execution) = harness.runs
    assert files_of_late_execution.isdisjoint(files_of_other_manifest)
    harness.run_until_settled()
    check_final_state(harness, {"a", "b", "c", "d", "e"})

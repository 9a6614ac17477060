"""Builders, workflows and sweepers that fail at every AWS call: no file is lost or processed by two manifests.

Every AWS call passes a gate before and after its execution. At each pass in turn, the caller is killed, or the request
or its response is lost.
"""

from contextlib import suppress

import pytest
from botocore.exceptions import BotoCoreError

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

NAMES = ("canary-a", "canary-b", "canary-c", "canary-d")
START_OUTCOMES = ("", "refused", "lost", "response lost")


def prepare(actor: str, start_outcome: str) -> IngestionHarness:
    """Return a harness with work for the actor, in which the next start of an execution has this outcome."""
    harness = IngestionHarness(Cloud(NOW), "DEBUG")
    if actor != "builder":
        harness.builder().handle(announce(*NAMES))
    if actor == "sweeper":
        harness.cloud.executions[harness.waiting_executions.pop()] = "ABORTED"
        harness.cloud.advance_time(3601)
    harness.cloud.next_starts.append(start_outcome)
    return harness


def act(harness: IngestionHarness, actor: str, gate: FaultGate) -> None:
    match actor:
        case "builder":
            harness.builder(gate).handle(announce(*NAMES))
        case "workflow":
            harness.run(harness.waiting_executions.pop(), gate)
        case _:
            harness.sweeper(gate).sweep()


@pytest.mark.parametrize(
    ("actor", "follow_up", "start_outcome", "fault"),
    [
        *(("builder", "later", start_outcome, Killed) for start_outcome in START_OUTCOMES),
        *(("builder", follow_up, "", Killed) for follow_up in ("at once", "aborted")),
        ("sweeper", "later", "response lost", Killed),
        *((actor, "later", "", fault) for actor in ("workflow", "sweeper") for fault in (Killed, TIMEOUT)),
        ("builder", "later", "", TIMEOUT),
    ],
)
def test_after_a_failure_at_any_call_no_file_is_lost_or_processed_twice(
    actor: str,
    start_outcome: str,
    follow_up: str,
    fault: BaseException | type[BaseException],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Executions that the actor starts run at once or later, or they are aborted. No log contains the name of a file."""
    undisturbed = FaultGate()
    act(prepare(actor, start_outcome), actor, undisturbed)
    assert undisturbed.pass_count > 12, "every call passes the gate"
    for fault_at in range(1, undisturbed.pass_count + 1):
        harness = prepare(actor, start_outcome)
        if follow_up == "at once":
            harness.cloud.on_start = harness.run
        with suppress(Killed, BotoCoreError):
            act(harness, actor, FaultGate(fault_at, fault))
        check_invariants(harness)
        if follow_up == "aborted" and harness.waiting_executions:
            harness.cloud.executions[harness.waiting_executions.pop()] = "ABORTED"
        harness.builder().handle(announce(*NAMES))  # the queue delivers the batch again
        harness.run_until_settled()
        check_final_state(harness, NAMES, may_fail=True)
        if actor == "builder" and follow_up == "later":
            assert set(harness.statuses()) == {"processed"}
    output = capsys.readouterr().out
    assert '"file_batch"' in output
    assert "canary" not in output

"""Success criteria and testing checklist of ingestion's requirements. Each test is named after a criterion.

Dead-letter queue, alarms and e-mail are resources: their tests are in `tests/components/` and `tests/end_to_end/`.
"""

import json
from typing import Any

import pytest

from handlers.ingestion.environment import WorkflowStepsEnvironment
from handlers.ingestion.manifests import create_manifests
from tests.handlers.ingestion.conftest import NOW
from tests.handlers.ingestion.fake_cloud import Cloud, arn
from tests.handlers.ingestion.ingestion_harness import TIMEOUT, FaultGate, IngestionHarness, announce


def log_lines(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


# Idempotency


def test_conditional_check_failed_exception_is_logged_appropriately(capsys: pytest.CaptureFixture[str]) -> None:
    harness = IngestionHarness(Cloud(NOW), "INFO")
    for _ in range(2):
        harness.builder().handle(announce("a"))
    (line,) = [line for line in log_lines(capsys.readouterr().out) if line["message"] == "file_already_tracked"]
    assert line["level"] == "INFO", "a repeated message is not an error"
    assert len(str(line["key_hash"])) == 16


# Data integrity


def test_step_functions_always_starts_before_manifest_creation(harness: IngestionHarness) -> None:
    """Then the manifest gets its record, which names the execution, and only then the files become `manifested`."""
    states: list[tuple[bool, bool, bool]] = []

    def gate(_: str) -> None:
        is_taken = "manifested" in harness.statuses()
        states.append((bool(harness.cloud.executions), bool(harness.cloud.manifests()), is_taken))

    harness.builder(gate).handle(announce("a", "b", "c"))
    assert list(dict.fromkeys(states)) == [tuple(step < done for step in range(3)) for done in range(4)]
    (execution,) = harness.cloud.executions
    assert harness.manifest()["execution_arn"] == arn(execution)


# Observability


@pytest.mark.parametrize(
    ("variables", "logged"),
    [({}, ["INFO", "WARNING", "ERROR"]), ({"LOG_LEVEL": "ERROR"}, ["ERROR"])],
    ids=["INFO by default", "ERROR"],
)
def test_log_level_can_be_changed_per_environment(
    variables: dict[str, str], logged: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("LOG_LEVEL", raising=False)
    names = {"MANIFEST_TABLE_NAME": "x", "RECORD_DAYS": "1", "LAKE_BUCKET": "x", "AWS_DEFAULT_REGION": "us-east-1"}
    for name, value in (names | variables).items():
        monkeypatch.setenv(name, value)
    log = create_manifests(WorkflowStepsEnvironment.read()).log
    for write in (log.info, log.warning, log.error):
        write("event")
    assert [line["level"] for line in log_lines(capsys.readouterr().out)] == logged


def test_no_sensitive_data_in_cloudwatch_logs(capsys: pytest.CaptureFixture[str]) -> None:
    """Files are processed with all kinds of failures, at log level DEBUG."""
    harness = IngestionHarness(Cloud(NOW), "DEBUG")
    names = [f"canary-{number}" for number in range(8)]
    harness.cloud.next_starts.extend(["refused", "response lost", ""])
    for _ in range(2):
        harness.builder().handle([*announce(*names), {"messageId": "x", "body": '{"canary": 1}'}])
    for fault_at in (1, 5):
        builder = harness.builder(FaultGate(fault_at, TIMEOUT))
        builder.handle([*announce("canary-late"), *announce("canary-empty", size=0)])
    harness.cloud.advance_time(901)
    harness.sweeper(FaultGate(60, TIMEOUT)).sweep()
    for broken in (True, True, False):
        if harness.waiting_executions:
            harness.run(harness.waiting_executions.pop(0), broken=broken)
    for key in list(harness.cloud.manifests()):
        harness.redrive(key[1].removeprefix("MANIFEST#"))
    harness.run_until_settled()
    output = capsys.readouterr().out
    assert {
        *("file_batch", "file_already_tracked", "file_rejected", "message_failed"),
        *("manifest_started", "manifest_not_started", "manifest_failed", "manifest_processed", "sweep"),
    } <= {line["message"] for line in log_lines(output)}
    assert "canary" not in output

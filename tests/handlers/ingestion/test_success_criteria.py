"""Success criteria and testing checklist of the requirements for the handlers. Each test is named after a criterion.

Dead-letter queue, alarms and e-mail are resources: their tests are in `tests/components/` and `tests/end_to_end/`.
"""

import json
from collections.abc import Iterator

import pytest

from handlers.ingestion.manifest_builder.environment import BuilderEnvironment
from handlers.ingestion.sweeper.environment import SweeperEnvironment
from handlers.ingestion.table_items import get_text
from handlers.ingestion.workflow_steps.environment import WorkflowStepsEnvironment
from operations.manifest_redrive import redrive
from tests.handlers.ingestion.conftest import NOW, MotoAws
from tests.handlers.ingestion.fake_cloud import Cloud, client_error
from tests.handlers.ingestion.ingestion_harness import IngestionHarness, announce
from tests.handlers.ingestion.manifest_builder.harness import FailingStart, arrivals, create_builder


def lines(printed: str) -> Iterator[dict[str, object]]:
    for line in printed.splitlines():
        yield json.loads(line)


# Idempotency


def test_sqs_retries_do_not_create_duplicate_file_records(aws: MotoAws) -> None:
    for _ in range(2):
        for _ in range(2):  # the same message twice in one batch, and the batch twice
            create_builder(aws).handle(arrivals("a") * 2)
    assert list(aws.records()) == ["incoming/a.ndjson#v1"]


def test_conditional_check_failed_exception_is_logged_appropriately(
    aws: MotoAws, capsys: pytest.CaptureFixture[str]
) -> None:
    builder = create_builder(aws)
    builder.handle(arrivals("a"))
    builder.handle(arrivals("a"))
    (line,) = [line for line in lines(capsys.readouterr().out) if line["message"] == "file_already_tracked"]
    assert line["level"] == "INFO", "a repeated message is not an error"
    assert len(str(line["key_hash"])) == 16


# Data integrity


@pytest.mark.parametrize("fate", ["refused", "lost", "lost after", "delayed", ""])
def test_no_orphaned_manifest_records(fate: str) -> None:
    harness = IngestionHarness(Cloud(NOW))
    harness.cloud.next_starts.append(fate)
    harness.builder().handle(announce("a", "b", "c"))
    started = set(harness.cloud.executions)
    assert {
        get_text(manifest, "execution_arn").rpartition(":")[2] for manifest in harness.cloud.manifests().values()
    } <= started


def test_step_functions_always_starts_before_manifest_creation() -> None:
    harness = IngestionHarness(Cloud(NOW))
    points: list[str] = []

    def gate(point: str) -> None:
        points.append(point if not harness.cloud.manifests() else f"{point}, recorded")

    harness.builder(gate).handle(announce("a", "b", "c"))
    assert points.index("after StartExecution") < next(i for i, point in enumerate(points) if "recorded" in point)


def test_failed_step_functions_starts_do_not_leave_orphaned_data(aws: MotoAws) -> None:
    starting = FailingStart(aws, client_error("StateMachineDoesNotExist", "StartExecution"))
    create_builder(aws, stepfunctions=starting).handle(arrivals("a", "b", "c"))
    assert set(aws.statuses().values()) == {"pending"}
    assert not any("manifest_id" in item for item in aws.records().values())


# Observability


@pytest.mark.parametrize("level", ["DEBUG", "INFO", "WARNING", "ERROR"])
def test_log_level_can_be_changed_per_environment(level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {
        "LOG_LEVEL": level,
        "MANIFEST_TABLE_NAME": "files",
        "RECORD_DAYS": "1",
        "LAKE_BUCKET": "lake",
        "LANDING_BUCKET": "landing",
        "STATE_MACHINE_ARN": "arn",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    for model in (BuilderEnvironment, SweeperEnvironment, WorkflowStepsEnvironment):
        assert model.read().log_level == level


def test_no_sensitive_data_in_cloudwatch_logs(capsys: pytest.CaptureFixture[str]) -> None:
    """Process files with all kinds of failures, at log level DEBUG."""
    harness = IngestionHarness(Cloud(NOW), "DEBUG")
    names = [f"canary-{number}" for number in range(8)]
    harness.cloud.next_starts.extend(["refused", "lost after", ""])
    for _ in range(2):
        harness.builder().handle([*announce(*names), {"messageId": "x", "body": '{"canary": 1}'}])
    harness.cloud.next_calls.extend(["lost", "", "lost after"])
    harness.builder().handle(announce("canary-late"))
    harness.cloud.advance_time(901)
    harness.cloud.next_calls.extend([""] * 40 + ["lost"])
    harness.sweeper().sweep()
    for broken in ("run", "file", ""):
        if harness.waiting_executions:
            harness.run(harness.waiting_executions.pop(0), broken=broken)
    for key in list(harness.cloud.manifests()):
        manifest_id = key[1].removeprefix("MANIFEST#")
        redrive(manifest_id, harness.records(), harness.lists(), harness.workflow(), harness.lifecycle())
    harness.run_until_settled()
    printed = capsys.readouterr().out
    assert {"manifest_start_refused", "manifest_start_unknown", "manifest_failed", "sweep"} <= {
        str(line["message"]) for line in lines(printed)
    }
    assert "canary" not in printed


# Testing checklist


def test_sqs_retry_scenario_with_a_duplicate_message(aws: MotoAws) -> None:
    create_builder(aws).handle(arrivals("a", "b"))
    assert create_builder(aws).handle(arrivals("a", "b", "c")) == {"batchItemFailures": []}
    assert sorted(aws.statuses().values()) == ["manifested"] * 3 + ["running"]
    assert len(aws.executions()) == 1


def test_the_next_batch_repeats_a_failed_step_functions_start(aws: MotoAws) -> None:
    starting = FailingStart(aws, client_error("AccessDeniedException", "StartExecution"))
    create_builder(aws, stepfunctions=starting).handle(arrivals("a", "b", "c"))
    assert aws.executions() == []
    create_builder(aws).handle([])
    assert len(aws.executions()) == 1


def test_a_message_that_always_fails_reaches_the_dead_letter_queue(aws: MotoAws) -> None:
    for _ in range(5):
        answer = create_builder(aws).handle([{"messageId": "bad", "body": "no event"}])
        assert answer == {"batchItemFailures": [{"itemIdentifier": "bad"}]}

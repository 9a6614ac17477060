"""The requirements' success criteria and testing checklist, as far as handlers meet them: a test named after each.

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
from tests.handlers.ingestion.concurrent_actors import World, announced
from tests.handlers.ingestion.conftest import NOW, Aws
from tests.handlers.ingestion.fake_cloud import Cloud, refusal
from tests.handlers.ingestion.manifest_builder.harness import FailingStart, arrivals, create_builder


def lines(printed: str) -> Iterator[dict[str, object]]:
    for line in printed.splitlines():
        yield json.loads(line)


# Idempotency


def test_sqs_retries_do_not_create_duplicate_file_records(aws: Aws) -> None:
    for _ in range(2):
        for _ in range(2):  # the same message twice in one batch, and the batch twice
            create_builder(aws).handle(arrivals("a") * 2)
    assert list(aws.records()) == ["incoming/a.ndjson#v1"]


def test_conditional_check_failed_exception_is_logged_appropriately(
    aws: Aws, capsys: pytest.CaptureFixture[str]
) -> None:
    builder = create_builder(aws)
    builder.handle(arrivals("a"))
    builder.handle(arrivals("a"))
    (line,) = [line for line in lines(capsys.readouterr().out) if line["message"] == "file_already_tracked"]
    assert line["level"] == "INFO", "a repeat is no error"
    assert len(str(line["key_hash"])) == 16


# Data integrity


@pytest.mark.parametrize("fate", ["refused", "lost", "lost after", "delayed", ""])
def test_no_orphaned_manifest_records(fate: str) -> None:
    world = World(Cloud(NOW))
    world.cloud.next_starts.append(fate)
    world.builder().handle(announced("a", "b", "c"))
    started = set(world.cloud.executions)
    assert {
        get_text(manifest, "execution_arn").rpartition(":")[2] for manifest in world.cloud.manifests().values()
    } <= started


def test_step_functions_always_starts_before_manifest_creation() -> None:
    world = World(Cloud(NOW))
    points: list[str] = []

    def gate(point: str) -> None:
        points.append(point if not world.cloud.manifests() else f"{point}, recorded")

    world.builder(gate).handle(announced("a", "b", "c"))
    assert points.index("after StartExecution") < next(i for i, point in enumerate(points) if "recorded" in point)


def test_failed_step_functions_starts_do_not_leave_orphaned_data(aws: Aws) -> None:
    starting = FailingStart(aws, refusal("StateMachineDoesNotExist", "StartExecution"))
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
    """One file's whole life with everything that can go wrong, at the most talkative level."""
    world = World(Cloud(NOW), "DEBUG")
    names = [f"canary-{number}" for number in range(8)]
    world.cloud.next_starts.extend(["refused", "lost after", ""])
    for _ in range(2):
        world.builder().handle([*announced(*names), {"messageId": "x", "body": '{"canary": 1}'}])
    world.cloud.next_calls.extend(["lost", "", "lost after"])
    world.builder().handle(announced("canary-late"))
    world.cloud.passes(901)
    world.cloud.next_calls.extend([""] * 40 + ["lost"])
    world.sweeper().sweep()
    for broken in ("run", "file", ""):
        if world.waiting:
            world.run(world.waiting.pop(0), broken=broken)
    for key in list(world.cloud.manifests()):
        manifest_id = key[1].removeprefix("MANIFEST#")
        redrive(manifest_id, world.records(), world.lists(), world.workflow(), world.lifecycle())
    world.settle_down()
    printed = capsys.readouterr().out
    assert {"manifest_start_refused", "manifest_start_unknown", "manifest_failed", "sweep"} <= {
        str(line["message"]) for line in lines(printed)
    }
    assert "canary" not in printed


# Testing checklist


def test_sqs_retry_scenario_with_a_duplicate_message(aws: Aws) -> None:
    create_builder(aws).handle(arrivals("a", "b"))
    assert create_builder(aws).handle(arrivals("a", "b", "c")) == {"batchItemFailures": []}
    assert sorted(aws.statuses().values()) == ["manifested"] * 3 + ["running"]
    assert len(aws.executions()) == 1


def test_the_next_batch_repeats_a_failed_step_functions_start(aws: Aws) -> None:
    starting = FailingStart(aws, refusal("AccessDeniedException", "StartExecution"))
    create_builder(aws, stepfunctions=starting).handle(arrivals("a", "b", "c"))
    assert aws.executions() == []
    create_builder(aws).handle([])
    assert len(aws.executions()) == 1


def test_a_message_that_always_fails_reaches_the_dead_letter_queue(aws: Aws) -> None:
    for _ in range(5):
        answer = create_builder(aws).handle([{"messageId": "bad", "body": "no event"}])
        assert answer == {"batchItemFailures": [{"itemIdentifier": "bad"}]}

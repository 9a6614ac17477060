"""Tests of the command `redrive`, which starts one new execution for a failed manifest, even if it is repeated.

A manifest is a list of files that one execution of ingestion's workflow processes. The new execution has the name of
the failed one and a suffix, for example `-r1`.
"""

from collections.abc import Iterator

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from components.core import Kind, physical_name
from handlers.common.ids import ulid
from handlers.ingestion.environment import WorkflowStepsEnvironment
from handlers.ingestion.manifest_s3_keys import first_list_key
from handlers.ingestion.manifests import Manifest, ManifestExecution, connect_manifests
from operations.__main__ import main
from operations.manifest_redrive import RedriveOutcome
from tests.handlers.ingestion.conftest import NOW, MotoAws, moto_aws
from tests.handlers.ingestion.fake_cloud import Cloud
from tests.handlers.ingestion.ingestion_harness import IngestionHarness, announce, manifest_id_of


@pytest.fixture
def harness() -> IngestionHarness:
    return IngestionHarness(Cloud(NOW))


def create_failed_manifest(harness: IngestionHarness) -> str:
    """Create a manifest of three files whose Spark run fails. Return the execution's name."""
    harness.builder().handle(announce("a", "b", "c"))
    name = harness.waiting_executions.pop()
    harness.run(name, broken=True)
    return name


def test_a_repeated_redrive_starts_one_execution_which_processes_the_manifest(harness: IngestionHarness) -> None:
    name = create_failed_manifest(harness)
    assert harness.statuses() == ["failed"] * 3
    assert [harness.redrive(manifest_id_of(name)) for _ in range(3)] == [RedriveOutcome.STARTED] * 3
    harness.step("confirm", f"{name}-r1")
    assert harness.redrive(manifest_id_of(name)) is RedriveOutcome.RUNNING
    assert harness.waiting_executions == [f"{name}-r1"]
    harness.run_all()
    assert harness.statuses() == ["processed"] * 3
    assert harness.redrive(manifest_id_of(name)) is RedriveOutcome.PROCESSED
    assert len(harness.cloud.executions) == 2


@pytest.mark.parametrize("status", ["FAILED", "ABORTED"])
def test_a_failed_redrive_is_followed_by_the_next_number(harness: IngestionHarness, status: str) -> None:
    """An aborted execution gives no report."""
    name = create_failed_manifest(harness)
    harness.redrive(manifest_id_of(name))
    redriven = harness.waiting_executions.pop()
    if status == "FAILED":
        harness.run(redriven, broken=True)
    else:
        harness.cloud.executions[redriven] = status
    assert harness.redrive(manifest_id_of(name)) is RedriveOutcome.STARTED
    assert harness.waiting_executions == [f"{name}-r2"]


def test_a_manifest_without_its_list_cannot_be_redriven(harness: IngestionHarness) -> None:
    name = create_failed_manifest(harness)
    harness.cloud.objects.clear()
    assert harness.redrive(manifest_id_of(name)) is RedriveOutcome.LIST_GONE


@pytest.mark.parametrize("start_event", ["refused", "response lost"])
def test_a_redrive_that_could_not_be_started_can_be_repeated(harness: IngestionHarness, start_event: str) -> None:
    name = create_failed_manifest(harness)
    harness.cloud.next_starts.append(start_event)
    with pytest.raises((ClientError, BotoCoreError)):
        harness.redrive(manifest_id_of(name))
    assert harness.redrive(manifest_id_of(name)) is RedriveOutcome.STARTED
    assert harness.waiting_executions == [f"{name}-r1"]


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[MotoAws]:
    """Return a moto account with the resource names of a deployment."""
    parts = ("polyphony", "dev", "ingestion")
    with moto_aws(
        monkeypatch,
        physical_name(Kind.TABLE, *parts, "files"),
        physical_name(Kind.BUCKET, *parts, "lake", "123456789012"),
        physical_name(Kind.STATE_MACHINE, *parts, "workflow"),
    ) as account:
        yield account


def test_the_command_redrives_a_manifest_and_prints_the_execution(
    aws: MotoAws, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest_id = ulid(NOW, 1)
    started = aws.stepfunctions.start_execution(stateMachineArn=aws.state_machine_arn, name=manifest_id)
    execution = started["executionArn"]
    environment = WorkflowStepsEnvironment(manifest_table_name=aws.table, record_days=400, lake_bucket=aws.lake)
    manifests = connect_manifests(environment)
    manifests.documents.write(first_list_key(manifest_id), Manifest(manifest_id=manifest_id, created_at=NOW, files=()))
    manifests.begin(ManifestExecution.from_arn(execution), 0)
    aws.stepfunctions.stop_execution(executionArn=execution)  # so that it gives no report
    for _ in range(2):
        assert main(["redrive", "--stack", "dev", manifest_id]) == 0
    assert capsys.readouterr().out.splitlines() == [f"{manifest_id} started: {execution}-r1"] * 2
    assert aws.executions() == [manifest_id, f"{manifest_id}-r1"]


@pytest.mark.parametrize(
    ("manifest", "expected_error"),
    [
        ("0" * 26, "is not in the stack's file table. Check the id, --stack and the account.\n"),
        ("x", "'x' is not a manifest id: give 26 letters and digits.\n"),
        ("0" * 25 + "\n", "'0000000000000000000000000\\n' is not a manifest id"),
    ],
)
def test_an_unknown_or_malformed_manifest_is_a_one_line_error(
    aws: MotoAws, capsys: pytest.CaptureFixture[str], manifest: str, expected_error: str
) -> None:
    assert main(["redrive", "--stack", "dev", manifest]) == 2
    error = capsys.readouterr().err
    assert expected_error in error
    assert error.count("\n") == 1
    assert aws.executions() == []

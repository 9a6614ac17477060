"""Tests of the command `redrive`: repeated commands start one new execution for a failed manifest."""

from collections.abc import Iterator

import pytest

from components.blocks.naming.physical_names import Kind, physical_name, stack_part
from handlers.ingestion.table_keys_and_updates import get_text
from operations.__main__ import main
from operations.manifest_redrive import MAX_REDRIVE_NUMBERS, RedriveOutcome, redrive
from tests.handlers.ingestion.conftest import NOW, MotoAws, moto_aws
from tests.handlers.ingestion.fake_cloud import Cloud
from tests.handlers.ingestion.ingestion_harness import IngestionHarness, Killed, announce


@pytest.fixture
def harness() -> IngestionHarness:
    return IngestionHarness(Cloud(NOW))


def failed(harness: IngestionHarness, broken: str = "run") -> str:
    harness.builder().handle(announce("a", "b", "c"))
    name = harness.waiting_executions.pop()
    harness.run(name, broken=broken)
    return name


def asked(harness: IngestionHarness, name: str) -> RedriveOutcome:
    return redrive(name[:26], harness.records(), harness.lists(), harness.workflow(), harness.lifecycle())[0]


def statuses(harness: IngestionHarness) -> list[str]:
    return sorted(get_text(item, "status") for item in harness.cloud.files().values())


def test_a_failed_manifest_is_processed_by_its_redrive(harness: IngestionHarness) -> None:
    name = failed(harness)
    assert statuses(harness) == ["failed"] * 3
    assert asked(harness, name) is RedriveOutcome.STARTED
    assert harness.waiting_executions == [f"{name}-r1"]
    harness.run_all()
    assert statuses(harness) == ["processed"] * 3


def test_redriving_twice_starts_one_execution(harness: IngestionHarness) -> None:
    name = failed(harness)
    assert [asked(harness, name) for _ in range(3)] == [RedriveOutcome.STARTED] * 3
    assert harness.waiting_executions == [f"{name}-r1"]


def test_a_redrive_that_has_just_started_is_not_started_again(harness: IngestionHarness) -> None:
    name = failed(harness)
    asked(harness, name)
    harness.cloud.inputs[f"{name}-r1"] = "as another version of this command wrote it"
    assert asked(harness, name) is RedriveOutcome.RUNNING
    assert harness.waiting_executions == [f"{name}-r1"]


def test_a_running_or_finished_redrive_is_left_unchanged(harness: IngestionHarness) -> None:
    name = failed(harness)
    asked(harness, name)
    with pytest.raises(Killed):
        harness.run(harness.waiting_executions[0], _dies_before_glue)
    harness.cloud.executions[harness.waiting_executions[0]] = "RUNNING"
    assert asked(harness, name) is RedriveOutcome.RUNNING
    harness.run_all()
    assert asked(harness, name) is RedriveOutcome.PROCESSED
    assert len(harness.cloud.executions) == 2


def _dies_before_glue(point: str) -> None:
    if point == "before Glue":
        raise Killed(point)


@pytest.mark.parametrize("died_before_it_took_the_manifest", [False, True])
def test_a_redrive_that_failed_is_followed_by_the_next_number(
    harness: IngestionHarness, died_before_it_took_the_manifest: bool
) -> None:
    name = failed(harness)
    asked(harness, name)
    if died_before_it_took_the_manifest:
        harness.cloud.executions[harness.waiting_executions.pop()] = "ABORTED"
    else:
        harness.run(harness.waiting_executions.pop(), broken="run")
    assert asked(harness, name) is RedriveOutcome.STARTED
    assert harness.waiting_executions == [f"{name}-r2"]


def test_after_many_redrives_that_never_began_the_command_says_that_it_started_none(harness: IngestionHarness) -> None:
    name = failed(harness)
    for _ in range(MAX_REDRIVE_NUMBERS):
        assert asked(harness, name) is RedriveOutcome.STARTED
        harness.cloud.executions[harness.waiting_executions.pop()] = "ABORTED"
    assert asked(harness, name) is RedriveOutcome.NO_FREE_NAME
    assert harness.waiting_executions == []


def test_an_execution_that_ended_unnoticed_is_recorded_first(harness: IngestionHarness) -> None:
    harness.builder().handle(announce("a", "b", "c"))
    name = harness.waiting_executions.pop()
    harness.cloud.executions[name] = "TIMED_OUT"
    assert asked(harness, name) is RedriveOutcome.STARTED
    harness.run_all()
    assert statuses(harness) == ["processed"] * 3


def test_a_redriven_run_includes_processed_files_because_it_replaces_all_output(
    harness: IngestionHarness,
) -> None:
    name = failed(harness, broken="file")
    assert statuses(harness) == ["failed", "processed", "processed"]
    asked(harness, name)
    harness.run_all()
    assert [len(files) for _, files in harness.runs] == [3, 3]
    assert statuses(harness) == ["processed"] * 3


def test_a_late_step_of_the_first_execution_changes_nothing(harness: IngestionHarness) -> None:
    name = failed(harness)
    asked(harness, name)
    with pytest.raises(Killed):
        harness.run(harness.waiting_executions.pop(), _dies_before_glue)
    before = dict(harness.cloud.items)
    lifecycle, execution = harness.lifecycle(), harness.workflow().execution(name)
    assert lifecycle.fail(execution, "LATE") == {}
    assert lifecycle.finish(execution) == {}
    assert lifecycle.confirm_files(execution).count == 0
    assert harness.cloud.items == before


def test_a_manifest_without_record_or_list_cannot_be_redriven(harness: IngestionHarness) -> None:
    assert asked(harness, harness.new_id()) is RedriveOutcome.UNKNOWN_MANIFEST
    name = failed(harness)
    harness.cloud.objects.clear()
    assert asked(harness, name) is RedriveOutcome.LIST_GONE


@pytest.mark.parametrize(
    ("fate", "outcome"), [("refused", RedriveOutcome.REFUSED), ("response lost", RedriveOutcome.UNCLEAR)]
)
def test_a_failed_start_can_be_repeated(harness: IngestionHarness, fate: str, outcome: RedriveOutcome) -> None:
    name = failed(harness)
    harness.cloud.next_starts.append(fate)
    assert asked(harness, name) is outcome
    assert asked(harness, name) is RedriveOutcome.STARTED
    assert harness.waiting_executions == [f"{name}-r1"]


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[MotoAws]:
    """Return a moto account with the resource names of a deployment."""
    parts = ["polyphony", "dev", "ingestion"]
    with moto_aws(
        monkeypatch,
        physical_name(Kind.TABLE, [*parts, "files"]),
        physical_name(Kind.BUCKET, [*parts, "lake"], "123456789012"),
        physical_name(Kind.STATE_MACHINE, [*parts, "workflow"]),
    ) as account:
        yield account


def test_the_command_redrives_a_manifest_and_prints_the_execution(
    harness: IngestionHarness, aws: MotoAws, capsys: pytest.CaptureFixture[str]
) -> None:
    harness.clients = lambda _: aws
    harness.builder().handle(announce("a", "b", "c"))
    (name,) = aws.executions()
    execution = f"{aws.state_machine_arn.replace(':stateMachine:', ':execution:')}:{name}"
    aws.stepfunctions.stop_execution(executionArn=execution)
    for _ in range(2):
        assert main(["redrive", "--stack", "dev", name[:26]]) == 0
    assert capsys.readouterr().out.splitlines() == [f"{name[:26]} started: {execution}-r1"] * 2
    assert aws.executions() == [name, f"{name}-r1"]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (
            ["--stack", "dev", "0" * 26],
            "00000000000000000000000000 is not in the stack's file table. Check the id, --stack and the account.\n",
        ),
        (["--stack", "dev", "x"], "'x' is not a manifest id: give 26 letters and digits.\n"),
        (["--stack", "dev", "0" * 25 + "\n"], "'0000000000000000000000000\\n' is not a manifest id"),
    ],
)
def test_an_unknown_or_malformed_manifest_is_a_one_line_error(
    aws: MotoAws, capsys: pytest.CaptureFixture[str], typed: list[str], said: str
) -> None:
    assert main(["redrive", *typed]) == 2
    printed = capsys.readouterr().err
    assert printed.startswith(said)
    assert printed.count("\n") == 1
    assert aws.executions() == []


def test_a_missing_stack_is_a_one_line_error_with_the_resource_names(
    aws: MotoAws, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["redrive", "--stack", "feature/x", "0" * 26]) == 2
    printed = capsys.readouterr().err
    assert printed.startswith("GetObject on ")
    assert physical_name(Kind.TABLE, ["polyphony", stack_part("feature/x"), "ingestion", "files"]) in printed
    assert printed.count("\n") == 1

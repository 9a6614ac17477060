"""A failed manifest is run once more, and only once however often that is asked for."""

from collections.abc import Iterator

import pytest

from components.blocks.naming.physical_names import Kind, physical_name, stack_part
from handlers.ingestion.table_items import get_text
from operations.__main__ import main
from operations.manifest_redrive import Redriven, redrive
from tests.handlers.ingestion.conftest import NOW, MotoAws, moto_aws
from tests.handlers.ingestion.fake_cloud import Cloud
from tests.handlers.ingestion.ingestion_harness import IngestionHarness, Killed, announce
from tests.handlers.ingestion.manifest_builder.harness import arrivals, create_builder


@pytest.fixture
def harness() -> IngestionHarness:
    return IngestionHarness(Cloud(NOW))


def failed(harness: IngestionHarness, broken: str = "run") -> str:
    harness.builder().handle(announce("a", "b", "c"))
    name = harness.waiting_executions.pop()
    harness.run(name, broken=broken)
    return name


def asked(harness: IngestionHarness, name: str) -> Redriven:
    return redrive(name[:26], harness.records(), harness.lists(), harness.workflow(), harness.lifecycle())[0]


def statuses(harness: IngestionHarness) -> list[str]:
    return sorted(get_text(item, "status") for item in harness.cloud.files().values())


def test_a_failed_manifest_is_processed_by_its_redrive(harness: IngestionHarness) -> None:
    name = failed(harness)
    assert statuses(harness) == ["failed"] * 3
    assert asked(harness, name) is Redriven.STARTED
    assert harness.waiting_executions == [f"{name}-r1"]
    harness.run_all()
    assert statuses(harness) == ["processed"] * 3


def test_asking_twice_starts_one_execution(harness: IngestionHarness) -> None:
    name = failed(harness)
    assert [asked(harness, name) for _ in range(3)] == [Redriven.STARTED] * 3
    assert harness.waiting_executions == [f"{name}-r1"]


def test_a_redrive_that_has_not_taken_the_manifest_yet_is_not_overtaken(harness: IngestionHarness) -> None:
    name = failed(harness)
    asked(harness, name)
    harness.cloud.inputs[f"{name}-r1"] = "as another version of this command wrote it"
    assert asked(harness, name) is Redriven.RUNNING
    assert harness.waiting_executions == [f"{name}-r1"]


def test_a_redrive_under_way_or_done_is_left_alone(harness: IngestionHarness) -> None:
    name = failed(harness)
    asked(harness, name)
    with pytest.raises(Killed):
        harness.run(harness.waiting_executions[0], _dies_before_glue)
    harness.cloud.executions[harness.waiting_executions[0]] = "RUNNING"
    assert asked(harness, name) is Redriven.RUNNING
    harness.run_all()
    assert asked(harness, name) is Redriven.PROCESSED
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
    assert asked(harness, name) is Redriven.STARTED
    assert harness.waiting_executions == [f"{name}-r2"]


def test_a_run_that_died_unnoticed_is_settled_first(harness: IngestionHarness) -> None:
    harness.builder().handle(announce("a", "b", "c"))
    name = harness.waiting_executions.pop()
    harness.cloud.executions[name] = "TIMED_OUT"
    assert asked(harness, name) is Redriven.STARTED
    harness.run_all()
    assert statuses(harness) == ["processed"] * 3


def test_a_redriven_run_gets_what_is_processed_already_too_because_it_replaces_all_output(
    harness: IngestionHarness,
) -> None:
    name = failed(harness, broken="file")
    assert statuses(harness) == ["failed", "processed", "processed"]
    asked(harness, name)
    harness.run_all()
    assert [len(files) for _, files in harness.runs] == [3, 3]
    assert statuses(harness) == ["processed"] * 3


def test_a_step_of_the_first_execution_has_no_say_any_more(harness: IngestionHarness) -> None:
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


def test_without_its_record_or_its_list_a_manifest_cannot_be_redriven(harness: IngestionHarness) -> None:
    assert asked(harness, harness.new_id()) is Redriven.UNKNOWN_MANIFEST
    name = failed(harness)
    harness.cloud.objects.clear()
    assert asked(harness, name) is Redriven.LIST_GONE


@pytest.mark.parametrize(("fate", "outcome"), [("refused", Redriven.REFUSED), ("lost after", Redriven.UNCLEAR)])
def test_a_start_that_goes_wrong_can_be_asked_for_again(
    harness: IngestionHarness, fate: str, outcome: Redriven
) -> None:
    name = failed(harness)
    harness.cloud.next_starts.append(fate)
    assert asked(harness, name) is outcome
    assert asked(harness, name) is Redriven.STARTED
    assert harness.waiting_executions == [f"{name}-r1"]


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[MotoAws]:
    """By the names of a deployment."""
    parts = ["polyphony", "dev", "ingestion"]
    with moto_aws(
        monkeypatch,
        physical_name(Kind.TABLE, [*parts, "files"]),
        physical_name(Kind.BUCKET, [*parts, "lake"], "123456789012"),
        physical_name(Kind.STATE_MACHINE, [*parts, "workflow"]),
    ) as one:
        yield one


def test_the_command_finds_its_stack_redrives_and_says_so(aws: MotoAws, capsys: pytest.CaptureFixture[str]) -> None:
    create_builder(aws).handle(arrivals("a", "b", "c"))
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
        (["--stack", "dev", "0" * 26], "00000000000000000000000000 is not known\n"),
        (["--stack", "dev", "x"], "'x' is no manifest: give its id, 26 letters and digits\n"),
        (["--stack", "dev", "0" * 25 + "\n"], "'0000000000000000000000000\\n' is no manifest"),
    ],
)
def test_what_cannot_be_redriven_is_one_line(
    aws: MotoAws, capsys: pytest.CaptureFixture[str], typed: list[str], said: str
) -> None:
    assert main(["redrive", *typed]) == 2
    printed = capsys.readouterr().err
    assert printed.startswith(said)
    assert printed.count("\n") == 1
    assert aws.executions() == []


def test_a_stack_that_is_not_there_is_one_line_with_the_names_that_were_looked_for(
    aws: MotoAws, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["redrive", "--stack", "feature/x", "0" * 26]) == 2
    printed = capsys.readouterr().err
    assert printed.startswith("GetObject on ")
    assert physical_name(Kind.TABLE, ["polyphony", stack_part("feature/x"), "ingestion", "files"]) in printed
    assert printed.count("\n") == 1

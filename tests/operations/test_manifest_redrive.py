"""Tests of the command `redrive`: repeated commands start one new execution for a failed manifest."""

from collections.abc import Iterator

import pytest

from components.blocks.naming.physical_names import Kind, physical_name, stack_part
from handlers.ingestion.table_items import text
from operations.__main__ import main
from operations.manifest_redrive import RedriveOutcome, redrive
from tests.handlers.ingestion.concurrent_actors import Killed, World, announced
from tests.handlers.ingestion.conftest import NOW, Aws, played
from tests.handlers.ingestion.fake_cloud import Cloud
from tests.handlers.ingestion.manifest_builder.test_handler import arrivals, built


@pytest.fixture
def world() -> World:
    return World(Cloud(NOW))


def failed(world: World, broken: str = "run") -> str:
    world.builder().handle(announced("a", "b", "c"))
    name = world.waiting.pop()
    world.run(name, broken=broken)
    return name


def asked(world: World, name: str) -> RedriveOutcome:
    return redrive(name[:26], world.records(), world.lists(), world.workflow(), world.settler())[0]


def statuses(world: World) -> list[str]:
    return sorted(text(item, "status") for item in world.cloud.files().values())


def test_a_failed_manifest_is_processed_by_its_redrive(world: World) -> None:
    name = failed(world)
    assert statuses(world) == ["failed"] * 3
    assert asked(world, name) is RedriveOutcome.STARTED
    assert world.waiting == [f"{name}-r1"]
    world.run_all()
    assert statuses(world) == ["processed"] * 3


def test_redriving_twice_starts_one_execution(world: World) -> None:
    name = failed(world)
    assert [asked(world, name) for _ in range(3)] == [RedriveOutcome.STARTED] * 3
    assert world.waiting == [f"{name}-r1"]


def test_a_redrive_that_has_just_started_is_not_started_again(world: World) -> None:
    name = failed(world)
    asked(world, name)
    world.cloud.inputs[f"{name}-r1"] = "as another version of this command wrote it"
    assert asked(world, name) is RedriveOutcome.RUNNING
    assert world.waiting == [f"{name}-r1"]


def test_a_running_or_finished_redrive_is_left_unchanged(world: World) -> None:
    name = failed(world)
    asked(world, name)
    with pytest.raises(Killed):
        world.run(world.waiting[0], _dies_before_glue)
    world.cloud.executions[world.waiting[0]] = "RUNNING"
    assert asked(world, name) is RedriveOutcome.RUNNING
    world.run_all()
    assert asked(world, name) is RedriveOutcome.PROCESSED
    assert len(world.cloud.executions) == 2


def _dies_before_glue(point: str) -> None:
    if point == "before Glue":
        raise Killed(point)


@pytest.mark.parametrize("died_before_it_took_the_manifest", [False, True])
def test_a_redrive_that_failed_is_followed_by_the_next_number(
    world: World, died_before_it_took_the_manifest: bool
) -> None:
    name = failed(world)
    asked(world, name)
    if died_before_it_took_the_manifest:
        world.cloud.executions[world.waiting.pop()] = "ABORTED"
    else:
        world.run(world.waiting.pop(), broken="run")
    assert asked(world, name) is RedriveOutcome.STARTED
    assert world.waiting == [f"{name}-r2"]


def test_an_execution_that_ended_unnoticed_is_recorded_first(world: World) -> None:
    world.builder().handle(announced("a", "b", "c"))
    name = world.waiting.pop()
    world.cloud.executions[name] = "TIMED_OUT"
    assert asked(world, name) is RedriveOutcome.STARTED
    world.run_all()
    assert statuses(world) == ["processed"] * 3


def test_a_redriven_run_includes_processed_files_because_it_replaces_all_output(world: World) -> None:
    name = failed(world, broken="file")
    assert statuses(world) == ["failed", "processed", "processed"]
    asked(world, name)
    world.run_all()
    assert [len(files) for _, files in world.runs] == [3, 3]
    assert statuses(world) == ["processed"] * 3


def test_a_late_step_of_the_first_execution_changes_nothing(world: World) -> None:
    name = failed(world)
    asked(world, name)
    with pytest.raises(Killed):
        world.run(world.waiting.pop(), _dies_before_glue)
    before = dict(world.cloud.items)
    settler, execution = world.settler(), world.workflow().execution(name)
    assert settler.fail(execution, "LATE") == {}
    assert settler.finish(execution) == {}
    assert settler.confirm(execution).files == 0
    assert world.cloud.items == before


def test_a_manifest_without_record_or_list_cannot_be_redriven(world: World) -> None:
    assert asked(world, world.new_id()) is RedriveOutcome.UNKNOWN_MANIFEST
    name = failed(world)
    world.cloud.objects.clear()
    assert asked(world, name) is RedriveOutcome.LIST_GONE


@pytest.mark.parametrize(
    ("fate", "outcome"), [("refused", RedriveOutcome.REFUSED), ("lost after", RedriveOutcome.UNCLEAR)]
)
def test_a_failed_start_can_be_repeated(world: World, fate: str, outcome: RedriveOutcome) -> None:
    name = failed(world)
    world.cloud.next_starts.append(fate)
    assert asked(world, name) is outcome
    assert asked(world, name) is RedriveOutcome.STARTED
    assert world.waiting == [f"{name}-r1"]


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    """Return a moto account with the resource names of a deployment."""
    parts = ["polyphony", "dev", "ingestion"]
    with played(
        monkeypatch,
        physical_name(Kind.TABLE, [*parts, "files"]),
        physical_name(Kind.BUCKET, [*parts, "lake"], "123456789012"),
        physical_name(Kind.STATE_MACHINE, [*parts, "workflow"]),
    ) as account:
        yield account


def test_the_command_redrives_a_manifest_and_prints_the_execution(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    built(aws).handle(arrivals("a", "b", "c"))
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
        (["--stack", "dev", "0" * 26], "00000000000000000000000000 is unknown\n"),
        (["--stack", "dev", "x"], "'x' is not a manifest id: give 26 letters and digits.\n"),
        (["--stack", "dev", "0" * 25 + "\n"], "'0000000000000000000000000\\n' is not a manifest id"),
    ],
)
def test_an_unknown_or_malformed_manifest_is_a_one_line_error(
    aws: Aws, capsys: pytest.CaptureFixture[str], typed: list[str], said: str
) -> None:
    assert main(["redrive", *typed]) == 2
    printed = capsys.readouterr().err
    assert printed.startswith(said)
    assert printed.count("\n") == 1
    assert aws.executions() == []


def test_a_missing_stack_is_a_one_line_error_with_the_resource_names(
    aws: Aws, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["redrive", "--stack", "feature/x", "0" * 26]) == 2
    printed = capsys.readouterr().err
    assert printed.startswith("GetObject on ")
    assert physical_name(Kind.TABLE, ["polyphony", stack_part("feature/x"), "ingestion", "files"]) in printed
    assert printed.count("\n") == 1

"""A failed manifest is run once more, and only once however often that is asked for."""

from collections.abc import Iterator

import pytest

from components.blocks.naming.physical_names import Kind, physical_name, stack_part
from handlers.ingestion.table_items import get_text
from operations.__main__ import main
from operations.manifest_redrive import Redriven, redrive
from tests.handlers.ingestion.concurrent_actors import Killed, World, announced
from tests.handlers.ingestion.conftest import NOW, Aws, played
from tests.handlers.ingestion.fake_cloud import Cloud
from tests.handlers.ingestion.manifest_builder.harness import arrivals, create_builder


@pytest.fixture
def world() -> World:
    return World(Cloud(NOW))


def failed(world: World, broken: str = "run") -> str:
    world.builder().handle(announced("a", "b", "c"))
    name = world.waiting.pop()
    world.run(name, broken=broken)
    return name


def asked(world: World, name: str) -> Redriven:
    return redrive(name[:26], world.records(), world.lists(), world.workflow(), world.lifecycle())[0]


def statuses(world: World) -> list[str]:
    return sorted(get_text(item, "status") for item in world.cloud.files().values())


def test_a_failed_manifest_is_processed_by_its_redrive(world: World) -> None:
    name = failed(world)
    assert statuses(world) == ["failed"] * 3
    assert asked(world, name) is Redriven.STARTED
    assert world.waiting == [f"{name}-r1"]
    world.run_all()
    assert statuses(world) == ["processed"] * 3


def test_asking_twice_starts_one_execution(world: World) -> None:
    name = failed(world)
    assert [asked(world, name) for _ in range(3)] == [Redriven.STARTED] * 3
    assert world.waiting == [f"{name}-r1"]


def test_a_redrive_that_has_not_taken_the_manifest_yet_is_not_overtaken(world: World) -> None:
    name = failed(world)
    asked(world, name)
    world.cloud.inputs[f"{name}-r1"] = "as another version of this command wrote it"
    assert asked(world, name) is Redriven.RUNNING
    assert world.waiting == [f"{name}-r1"]


def test_a_redrive_under_way_or_done_is_left_alone(world: World) -> None:
    name = failed(world)
    asked(world, name)
    with pytest.raises(Killed):
        world.run(world.waiting[0], _dies_before_glue)
    world.cloud.executions[world.waiting[0]] = "RUNNING"
    assert asked(world, name) is Redriven.RUNNING
    world.run_all()
    assert asked(world, name) is Redriven.PROCESSED
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
    assert asked(world, name) is Redriven.STARTED
    assert world.waiting == [f"{name}-r2"]


def test_a_run_that_died_unnoticed_is_settled_first(world: World) -> None:
    world.builder().handle(announced("a", "b", "c"))
    name = world.waiting.pop()
    world.cloud.executions[name] = "TIMED_OUT"
    assert asked(world, name) is Redriven.STARTED
    world.run_all()
    assert statuses(world) == ["processed"] * 3


def test_a_redriven_run_gets_what_is_processed_already_too_because_it_replaces_all_output(world: World) -> None:
    name = failed(world, broken="file")
    assert statuses(world) == ["failed", "processed", "processed"]
    asked(world, name)
    world.run_all()
    assert [len(files) for _, files in world.runs] == [3, 3]
    assert statuses(world) == ["processed"] * 3


def test_a_step_of_the_first_execution_has_no_say_any_more(world: World) -> None:
    name = failed(world)
    asked(world, name)
    with pytest.raises(Killed):
        world.run(world.waiting.pop(), _dies_before_glue)
    before = dict(world.cloud.items)
    lifecycle, execution = world.lifecycle(), world.workflow().execution(name)
    assert lifecycle.fail(execution, "LATE") == {}
    assert lifecycle.finish(execution) == {}
    assert lifecycle.confirm_files(execution).count == 0
    assert world.cloud.items == before


def test_without_its_record_or_its_list_a_manifest_cannot_be_redriven(world: World) -> None:
    assert asked(world, world.new_id()) is Redriven.UNKNOWN_MANIFEST
    name = failed(world)
    world.cloud.objects.clear()
    assert asked(world, name) is Redriven.LIST_GONE


@pytest.mark.parametrize(("fate", "outcome"), [("refused", Redriven.REFUSED), ("lost after", Redriven.UNCLEAR)])
def test_a_start_that_goes_wrong_can_be_asked_for_again(world: World, fate: str, outcome: Redriven) -> None:
    name = failed(world)
    world.cloud.next_starts.append(fate)
    assert asked(world, name) is outcome
    assert asked(world, name) is Redriven.STARTED
    assert world.waiting == [f"{name}-r1"]


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    """By the names of a deployment."""
    parts = ["polyphony", "dev", "ingestion"]
    with played(
        monkeypatch,
        physical_name(Kind.TABLE, [*parts, "files"]),
        physical_name(Kind.BUCKET, [*parts, "lake"], "123456789012"),
        physical_name(Kind.STATE_MACHINE, [*parts, "workflow"]),
    ) as one:
        yield one


def test_the_command_finds_its_stack_redrives_and_says_so(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
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
    aws: Aws, capsys: pytest.CaptureFixture[str], typed: list[str], said: str
) -> None:
    assert main(["redrive", *typed]) == 2
    printed = capsys.readouterr().err
    assert printed.startswith(said)
    assert printed.count("\n") == 1
    assert aws.executions() == []


def test_a_stack_that_is_not_there_is_one_line_with_the_names_that_were_looked_for(
    aws: Aws, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["redrive", "--stack", "feature/x", "0" * 26]) == 2
    printed = capsys.readouterr().err
    assert printed.startswith("GetObject on ")
    assert physical_name(Kind.TABLE, ["polyphony", stack_part("feature/x"), "ingestion", "files"]) in printed
    assert printed.count("\n") == 1

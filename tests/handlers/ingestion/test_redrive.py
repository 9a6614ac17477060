"""A failed manifest is run once more, and only once however often that is asked for."""

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from components.blocks.names import Kind, physical_name, stack_part
from handlers.ingestion import redrive as command
from handlers.ingestion.records import text
from handlers.ingestion.redrive import Redriven, names, redrive
from tests.handlers.ingestion.actors import Killed, World, announced
from tests.handlers.ingestion.cloud import Cloud, arn
from tests.handlers.ingestion.conftest import NOW, Aws
from tests.handlers.ingestion.test_manifest_builder import arrivals, built


@pytest.fixture
def world() -> World:
    return World(Cloud(NOW))


def failed(world: World, broken: str = "run") -> str:
    world.builder().handle(announced("a", "b", "c"))
    name = world.waiting.pop()
    world.run(name, broken=broken)
    return name


def asked(world: World, name: str) -> Redriven:
    return redrive(name[:26], world.records(), world.lists(), world.workflow(), world.settler())[0]


def statuses(world: World) -> list[str]:
    return sorted(text(item, "status") for item in world.cloud.files().values())


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


def test_a_redrive_that_failed_is_followed_by_the_next_number(world: World) -> None:
    name = failed(world)
    asked(world, name)
    world.run(world.waiting.pop(), broken="run")
    assert asked(world, name) is Redriven.STARTED
    assert world.waiting == [f"{name}-r2"]


def test_a_redrive_that_died_before_it_took_the_manifest_is_followed_by_the_next_number(world: World) -> None:
    name = failed(world)
    asked(world, name)
    world.cloud.executions[world.waiting.pop()] = "ABORTED"
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
    settler, execution = world.settler(), world.workflow().execution(name)
    assert settler.fail(execution, "LATE") == {}
    assert settler.finish(execution) == {}
    assert settler.confirm(execution).files == 0
    assert world.cloud.items == before


def test_a_manifest_that_nobody_knows_is_said_so(world: World) -> None:
    assert asked(world, world.new_id()) is Redriven.UNKNOWN_MANIFEST


def test_a_manifest_without_its_list_is_said_so(world: World) -> None:
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


@pytest.mark.parametrize("stack", ["dev", "prod", "feature/x", "Team_A"])
def test_names_are_those_of_the_deployment(stack: str) -> None:
    found = names(stack, "123456789012", "us-east-1")
    parts = ["polyphony", stack_part(stack), "ingestion"]
    assert found.table == physical_name(Kind.TABLE, [*parts, "files"])
    assert found.lake == physical_name(Kind.BUCKET, [*parts, "lake"], "123456789012")
    assert found.state_machine.endswith(physical_name(Kind.STATE_MACHINE, [*parts, "workflow"]))


def test_the_command_redrives_and_says_so(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    built(aws).handle(arrivals("a", "b", "c"))
    (name,) = aws.executions()
    execution = f"{aws.state_machine_arn.replace(':stateMachine:', ':execution:')}:{name}"
    aws.stepfunctions.stop_execution(executionArn=execution)
    given = ["--stack", "dev", "--table", "files", "--lake", "lake", "--state-machine", aws.state_machine_arn]
    for _ in range(2):
        assert command.main(["--manifest", name[:26], *given]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"{name[:26]} started: {execution}-r1"
    assert aws.executions() == [name, f"{name}-r1"]
    assert command.main(["--manifest", "0" * 26, *given]) == 1
    with pytest.raises(SystemExit):
        command.main(["--manifest", "x", *given])


ASKED = ("--manifest", "0" * 26, "--stack", "dev")


def test_without_credentials_the_command_says_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    assert command.main(ASKED) == 2
    said = capsys.readouterr().err
    assert said == (
        "no answer of AWS (NoCredentialsError); check credentials, region and network, "
        "then run this again, that is safe\n"
    )


def test_what_aws_refuses_is_one_line_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def refused(_stack: str) -> None:
        raise ClientError({"Error": {"Code": "ExpiredToken", "Message": "canary"}}, "GetCallerIdentity")

    monkeypatch.setattr(command, "_found", refused)
    assert command.main(ASKED) == 2
    said = capsys.readouterr().err
    assert said.startswith("GetCallerIdentity was refused (ExpiredToken); ")
    assert said.count("\n") == 1
    assert "canary" not in said


def test_an_execution_is_known_by_its_arn() -> None:
    world: Any = World(Cloud(NOW))
    name = failed(world)
    assert world.workflow().execution(name).arn == arn(name)

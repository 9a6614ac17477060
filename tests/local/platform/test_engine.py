"""Tests of the engine, which applies the program's resources locally: order of calls, changes, failures, and kills."""

import gc
import itertools
import logging
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pulumi
import pytest

from local import CannotRun
from local.drivers.model import Driver, DriverCall, PropertyImport
from local.platform import update_plan
from local.platform.engine import Engine, ResourceFailed
from local.platform.progress import SilentProgress
from local.platform.resource_change_planning import ResourceAction
from local.platform.state import PlatformState, ResourceStatus
from local.preview import program_run
from local.preview.botocore_input_checks import find_invalid_inputs
from local.preview.preview_provider import PreviewProvider
from tests.local.fake_aws import (
    CONFIG,
    DRIVERS,
    FUNCTION,
    GROUP,
    INSTANCE,
    RECORDED_ONLY,
    SET_RETENTION,
    TOPIC,
    AnyResource,
    FakeAws,
    Killed,
    open_state,
    run_up,
)

pytestmark = pytest.mark.unit

ROLE = "arn:aws:iam::123456789012:role/one"


@pytest.fixture(autouse=True)
def _silent_asyncio(caplog: pytest.LogCaptureFixture) -> None:
    """Silence asyncio, which would log every task that a kill interrupts."""
    caplog.set_level(logging.CRITICAL, "asyncio")


class RecordedProgress(SilentProgress):
    """Receiver of progress reports, which keeps them for the test."""

    def __init__(self) -> None:
        self.actions: list[tuple[str, ResourceAction]] = []
        self.failures: list[tuple[str, str]] = []

    def on_finish(self, urn: str, action: ResourceAction, _seconds: float, /) -> None:
        self.actions.append((urn.rpartition("::")[2], action))

    def on_failure(self, urn: str, message: str, /) -> None:
        self.failures.append((urn, message))


def actions_of_up(program: Callable[[], object], aws: FakeAws, folder: Path) -> dict[str, ResourceAction]:
    """Run `make up`, and return the action on each resource."""
    progress = RecordedProgress()
    run_up(program, aws, folder, progress)
    return dict(progress.actions)


def create_common_resources(code_text: str, days: int, group_name: str) -> None:
    """Create the resources that both programs have. The resource `renamed` uses the version of the function's code."""
    topic = AnyResource(TOPIC, "topic", name="topic")
    function = AnyResource(FUNCTION, "function", name="function", role=ROLE, text=code_text)
    AnyResource(GROUP, "kept", name="kept", days=7, key=topic.arn)
    AnyResource(GROUP, "changed", name="changed", days=days)
    AnyResource(GROUP, "renamed", name=group_name, days=7, key=function.version)


def first_program() -> None:
    create_common_resources("print(1)", days=7, group_name="old-name")
    removed = AnyResource(GROUP, "removed", name="removed")
    AnyResource(GROUP, "removed-child", name="removed-child", opts=pulumi.ResourceOptions(depends_on=[removed]))


def second_program() -> None:
    create_common_resources("print(2)", days=30, group_name="new-name")
    AnyResource(GROUP, "new", name="new")


def run_first_program(folder: Path) -> FakeAws:
    """Return the services after a complete run of the first program, whose state is in the folder."""
    folder.mkdir(exist_ok=True)
    aws = FakeAws()
    run_up(first_program, aws, folder)
    return aws


def test_a_resource_is_created_after_those_it_depends_on(tmp_path: Path) -> None:
    aws = run_first_program(tmp_path)
    created = [name for method, name in aws.calls if method.startswith("create")]
    assert created.index("topic") < created.index("kept")
    assert created.index("removed") < created.index("removed-child"), "depends_on without a shared value also orders"
    assert aws.resources["kept"]["kmsKeyId"] == "arn:aws:sns:us-east-1:1:topic"


def test_a_preview_lists_the_actions_of_the_next_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def program(topic_name: str) -> None:
        topic = AnyResource(TOPIC, "topic", name=topic_name)
        group = AnyResource(GROUP, "of-topic", name="of-topic", key=topic.arn)
        AnyResource(GROUP, "other", name="other", days=len(topic_name))
        # The function has no input that is an output of the group, but its name is computed from one.
        AnyResource(FUNCTION, "of-group", name=group.urn.apply(lambda _: "of-group"), role=ROLE, text="print(1)")

    aws = FakeAws()
    run_up(partial(program, "first"), aws, tmp_path)
    next_program = partial(program, "the second")
    monkeypatch.setattr(update_plan, "run_program", partial(program_run.run_function, next_program))
    steps = update_plan.PlanningProvider(open_state(aws, tmp_path), DRIVERS).list_steps(CONFIG)
    planned = {step.urn.rpartition("::")[2]: step.action for step in steps}
    assert planned == actions_of_up(next_program, aws, tmp_path)
    assert list(planned.values()).count(ResourceAction.REPLACE) == 3, "the topic and its direct and indirect dependants"


UNSUPPORTED_TYPES = ("test:index/b:B", "test:index/a:A")


@pytest.mark.parametrize(
    ("create", "message"),
    [
        (
            lambda: AnyResource(UNSUPPORTED_TYPES[0], "unsupported"),
            r"There is no driver for test:index/b:B\. Add one in local/drivers/",
        ),
        (
            lambda: AnyResource(RECORDED_ONLY, "other", keys=[AnyResource(TOPIC, "topic", name="topic").version]),
            "other: keys contains no value",
        ),
        (lambda: AnyResource(GROUP, "group", name="group", colour="blue"), "the driver of .*Group does not use colour"),
        (
            lambda: AnyResource(GROUP, "group", name="g" * 513),
            r"CreateLogGroup\.logGroupName takes at most 512 characters",
        ),
    ],
    ids=["no driver", "missing output", "unused property", "invalid value"],
)
def test_an_invalid_resource_is_refused_before_its_creation(
    create: Callable[[], object], message: str, tmp_path: Path
) -> None:
    aws = FakeAws()
    with pytest.raises(ResourceFailed, match=message):
        run_up(create, aws, tmp_path)
    assert aws.calls in ([], [("create_topic", "topic")]), "only the resource on which it depends may be created"


def test_a_preview_names_all_types_without_a_driver() -> None:
    def program() -> None:
        for number, kind in enumerate(UNSUPPORTED_TYPES):
            AnyResource(kind, f"resource-{number}", name="x")

    graph = program_run.run_function(program, CONFIG, PreviewProvider(), preview=True).graph
    with pytest.raises(CannotRun, match=r"no driver for test:index/a:A, test:index/b:B\. Add one in"):
        find_invalid_inputs(graph)


def test_a_second_up_of_the_same_program_makes_no_call(tmp_path: Path) -> None:
    aws = run_first_program(tmp_path)
    aws.calls.clear()
    assert set(actions_of_up(first_program, aws, tmp_path).values()) == {ResourceAction.SAME}
    assert aws.calls == []


def test_a_second_up_changes_only_the_resources_whose_inputs_changed(tmp_path: Path) -> None:
    aws = run_first_program(tmp_path)
    aws.calls.clear()
    assert actions_of_up(second_program, aws, tmp_path) == {
        "topic": ResourceAction.SAME,
        "kept": ResourceAction.SAME,
        "function": ResourceAction.UPDATE,
        "changed": ResourceAction.UPDATE,
        "renamed": ResourceAction.REPLACE,
        "new": ResourceAction.CREATE,
        "removed": ResourceAction.DELETE,
        "removed-child": ResourceAction.DELETE,
    }
    assert ("put_retention_policy", "changed") in aws.calls
    assert aws.calls.index(("delete_log_group", "removed-child")) < aws.calls.index(("delete_log_group", "removed"))
    assert sorted(aws.resources) == ["changed", "function", "kept", "new", "new-name", "topic"]
    assert [method for method, name in aws.calls if name == "function"] == ["update_function_code", "publish_version"]
    assert aws.resources["new-name"]["kmsKeyId"] == "2", "this input is the version of the changed function"


def test_the_dependants_of_a_replaced_resource_are_replaced_too(tmp_path: Path) -> None:
    def program(topic_name: str) -> None:
        topic = AnyResource(TOPIC, "topic", name=topic_name)
        AnyResource(GROUP, "of-topic", name="of-topic", key=topic.arn)
        AnyResource(GROUP, "other", name="other")

    aws = FakeAws()
    run_up(partial(program, "one"), aws, tmp_path)
    aws.calls.clear()
    assert actions_of_up(partial(program, "two"), aws, tmp_path) == {
        "topic": ResourceAction.REPLACE,
        "of-topic": ResourceAction.REPLACE,
        "other": ResourceAction.SAME,
    }
    assert aws.calls == [
        ("delete_log_group", "of-topic"),
        ("delete_topic", "one"),
        ("create_topic", "two"),
        ("create_log_group", "of-topic"),
    ]


@pytest.mark.parametrize(
    ("options", "changes", "action"),
    [
        (pulumi.ResourceOptions(ignore_changes=["days"]), {"days": 30}, ResourceAction.SAME),
        (pulumi.ResourceOptions(), {"days": 30}, ResourceAction.UPDATE),
        (pulumi.ResourceOptions(), {}, ResourceAction.REPLACE),
    ],
    ids=["ignored", "changed", "removed, but no call can unset it"],
)
def test_ignored_changed_and_removed_inputs_lead_to_different_actions(
    options: pulumi.ResourceOptions, changes: dict[str, int], action: ResourceAction, tmp_path: Path
) -> None:
    aws = FakeAws()
    run_up(lambda: AnyResource(GROUP, "group", opts=options, name="group", days=7), aws, tmp_path)
    actions = actions_of_up(lambda: AnyResource(GROUP, "group", opts=options, name="group", **changes), aws, tmp_path)
    assert actions == {"group": action}
    days = 7 if action is ResourceAction.SAME else changes.get("days")
    assert aws.resources["group"].get("retentionInDays") == days


def test_a_resource_that_the_emulator_lacks_has_outputs_but_makes_no_call(tmp_path: Path) -> None:
    aws = FakeAws()

    def program() -> None:
        recorded = AnyResource(RECORDED_ONLY, "recorded", name="recorded")
        AnyResource(GROUP, "group", name="group", key=recorded.arn)

    run_up(program, aws, tmp_path)
    assert [name for _, name in aws.calls] == ["group"]
    assert aws.resources["group"]["kmsKeyId"] == "arn:made-up"


def test_a_failure_is_reported_and_the_next_up_continues(tmp_path: Path) -> None:
    aws, progress = FakeAws(), RecordedProgress()
    aws.error_codes = {"put_retention_policy": "LimitExceededException"}
    with pytest.raises(ResourceFailed):
        run_up(first_program, aws, tmp_path, progress)
    urn, message = progress.failures[0]
    assert urn.startswith("urn:pulumi:test::polyphony::test:index/group:Group::")
    assert message == "PutRetentionPolicy: LimitExceededException: message of AWS"
    entries = PlatformState.read(tmp_path / "state.json", INSTANCE).entries().values()
    assert ResourceStatus.BROKEN in {entry.status for entry in entries}, "the state must show the incomplete resource"
    aws.error_codes = {}
    run_up(first_program, aws, tmp_path)
    assert aws.resources == run_first_program(tmp_path / "clean").resources


def test_a_resource_that_cannot_be_deleted_is_kept_and_the_others_are_deleted(tmp_path: Path) -> None:
    aws = run_first_program(tmp_path)
    aws.error_codes = {"delete_topic": "InvalidParameter"}
    state = PlatformState.read(tmp_path / "state.json", INSTANCE)
    Engine(aws, state, SilentProgress(), DRIVERS).delete(set(state.entries()))
    assert list(aws.resources) == ["topic"]
    assert [urn.rpartition("::")[2] for urn in state.entries()] == ["topic"]


@pytest.fixture
def _collected_garbage() -> Iterator[None]:
    """Collect garbage while asyncio is silenced. Otherwise, asyncio would log hundreds of interrupted tasks later."""
    yield
    gc.collect()


WRITE_STATE = PlatformState._write


def count_writes_as_steps(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each write of the state file count as two steps, before and after the write."""

    def write_and_count(self: PlatformState) -> None:
        aws.step()
        WRITE_STATE(self)
        aws.step()

    monkeypatch.setattr(PlatformState, "_write", write_and_count)


def kill_at_each_step(
    start: Callable[[Path], FakeAws],
    command: Callable[[FakeAws, Path], object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[tuple[FakeAws, Path]]:
    """Start a platform and kill a command, again and again, each time one step later. Yield the platform after a kill.

    A platform consists of the services and of the folder with its state. `start` creates the services for a new folder.
    """
    for step in itertools.count(1):
        folder = tmp_path / f"killed-at-{step}"
        aws = start(folder)
        aws.kill_at_step, aws.steps = step, 0
        count_writes_as_steps(aws, monkeypatch)
        try:
            command(aws, folder)
        except Killed:
            aws.kill_at_step = None
            yield aws, folder
        else:
            break
    assert step > 40, "every call and every write of the state has two steps"


def start_empty_platform(folder: Path) -> FakeAws:
    folder.mkdir()
    return FakeAws()


def run_down(aws: FakeAws, folder: Path) -> None:
    """Do what `make down` does with the resources."""
    Engine(aws, PlatformState.read(folder / "state.json", INSTANCE), SilentProgress(), DRIVERS).delete_all()


def without_versions(resources: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return resources without the number of the function's versions, which rises with each publication."""
    return {
        name: {key: value for key, value in resource.items() if key != "version" and value not in ("1", "2", "3")}
        for name, resource in resources.items()
    }


@pytest.mark.usefixtures("_collected_garbage")
def test_after_a_kill_at_any_step_of_a_first_up_the_next_up_makes_a_complete_platform(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clean = run_first_program(tmp_path / "clean")
    for aws, folder in kill_at_each_step(start_empty_platform, partial(run_up, first_program), tmp_path, monkeypatch):
        run_up(first_program, aws, folder)
        assert aws.resources == clean.resources, folder.name


@pytest.mark.usefixtures("_collected_garbage")
@pytest.mark.parametrize("next_program", [second_program, first_program], ids=["same program", "previous program"])
def test_after_a_kill_at_any_step_of_a_second_up_the_next_up_applies_its_program(
    next_program: Callable[[], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clean = run_first_program(tmp_path / "clean")
    run_up(next_program, clean, tmp_path / "clean")
    for aws, folder in kill_at_each_step(run_first_program, partial(run_up, second_program), tmp_path, monkeypatch):
        run_up(next_program, aws, folder)
        # A function that was published twice has one more version, and so do the resources that use the version.
        assert without_versions(aws.resources) == without_versions(clean.resources), folder.name
        renamed = aws.resources["new-name" if next_program is second_program else "old-name"]
        assert renamed["kmsKeyId"] == str(aws.resources["function"]["version"])


def test_after_a_failed_update_the_previous_program_can_be_applied_again(tmp_path: Path) -> None:
    aws = run_first_program(tmp_path)
    aws.error_codes = {"publish_version": "TooManyRequestsException"}
    with pytest.raises(ResourceFailed):
        run_up(second_program, aws, tmp_path)
    assert aws.resources["function"]["Code"] == {"ZipFile": "print(2)"}
    aws.error_codes = {}
    run_up(first_program, aws, tmp_path)
    assert aws.resources["function"]["Code"] == {"ZipFile": "print(1)"}


@pytest.mark.usefixtures("_collected_garbage")
def test_after_a_kill_at_any_step_of_a_down_the_next_up_makes_a_complete_platform(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clean = run_first_program(tmp_path / "clean")
    kill_count = 0
    for aws, folder in kill_at_each_step(run_first_program, run_down, tmp_path, monkeypatch):
        kill_count += 1
        run_up(first_program, aws, folder)
        assert aws.resources == clean.resources, folder.name
    assert kill_count >= 4 * len(clean.resources), "every deletion has at least two steps, and two of its state entry"


DOCUMENT = "test:index/document:Document"


def test_an_imported_property_is_imported_when_it_is_new_or_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A document, such as an API definition, is imported by a function instead of a call."""
    imported: list[tuple[str, str]] = []
    driver = Driver(
        type=DOCUMENT,
        service="logs",
        create=(DriverCall("CreateLogGroup", {"logGroupName": "name"}), SET_RETENTION),
        update=(SET_RETENTION,),
        delete=(DriverCall("DeleteLogGroup", {"logGroupName": "name"}),),
        id="name",
        property_import=PropertyImport("text", lambda _client, name, text: imported.append((name, text))),
    )
    monkeypatch.setitem(DRIVERS, DOCUMENT, driver)
    aws = FakeAws()

    def up(text: str | None, days: int) -> dict[str, ResourceAction]:
        imported.clear()

        def program() -> None:
            inputs: dict[str, Any] = {} if text is None else {"text": pulumi.Output.secret(text)}
            AnyResource(DOCUMENT, "one", name="one", days=days, **inputs)

        return actions_of_up(program, aws, tmp_path)

    up(text="first", days=1)
    assert imported == [("one", "first")]
    assert up(text="first", days=2) == {"one": ResourceAction.UPDATE}
    assert imported == []
    assert up(text="second", days=2) == {"one": ResourceAction.UPDATE}
    assert imported == [("one", "second")]
    assert up(None, days=2) == {"one": ResourceAction.REPLACE}, "no call removes the imported content"
    assert imported == []

"""Tests of the engine: order, the changes of a second run, failures, and a killed process at any step."""

import gc
import itertools
import logging
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pulumi
import pytest

from local import CannotRun
from local.platform import update_plan
from local.platform.driver_model.driver import Driver, DriverCall, PropertyImport
from local.platform.engine import Engine, ResourceFailed
from local.platform.progress import SilentProgress
from local.platform.resource_change_planning import ResourceAction
from local.platform.state import PlatformState, ResourceStatus
from local.preview import program_run
from local.preview.input_checks import find_invalid_inputs
from local.preview.preview_provider import PreviewProvider
from tests.local.fake_aws import (
    CODE,
    CONFIG,
    DRIVERS,
    GROUP,
    INSTANCE,
    NOTE,
    RETENTION,
    TOPIC,
    FakeAws,
    Killed,
    Thing,
    open_state,
    run,
)

pytestmark = pytest.mark.unit

ROLE = "arn:aws:iam::123456789012:role/one"


@pytest.fixture(autouse=True)
def _silent_asyncio(caplog: pytest.LogCaptureFixture) -> None:
    """Silence asyncio, which logs every task that a kill interrupts."""
    caplog.set_level(logging.CRITICAL, "asyncio")


class RecordedProgress(SilentProgress):
    """Progress receiver that stores the reports."""

    def __init__(self) -> None:
        self.actions: list[tuple[str, ResourceAction]] = []
        self.failures: list[tuple[str, str]] = []

    def on_finish(self, urn: str, action: ResourceAction, _seconds: float, /) -> None:
        self.actions.append((urn.rpartition("::")[2], action))

    def on_failure(self, urn: str, message: str, /) -> None:
        self.failures.append((urn, message))


def run_up(program: Callable[[], object], aws: FakeAws, folder: Path) -> dict[str, ResourceAction]:
    """Run one `up` and return the action on each resource."""
    recorder = RecordedProgress()
    run(program, aws, folder, recorder)
    return dict(recorder.actions)


def create_common_resources(text: str, days: int, name: str) -> None:
    topic = Thing(TOPIC, "topic", name="topic")
    code = Thing(CODE, "code", name="code", role=ROLE, text=text)
    Thing(GROUP, "kept", name="kept", days=7, key=topic.arn)
    Thing(GROUP, "changed", name="changed", days=days)
    Thing(GROUP, "renamed", name=name, days=7, key=code.version)


def first_program() -> None:
    create_common_resources("print(1)", days=7, name="old-name")
    gone = Thing(GROUP, "gone", name="gone")
    Thing(GROUP, "gone-child", name="gone-child", opts=pulumi.ResourceOptions(depends_on=[gone]))


def second_program() -> None:
    create_common_resources("print(2)", days=30, name="new-name")
    Thing(GROUP, "new", name="new")


def run_first_program(folder: Path) -> FakeAws:
    """Return the services after a complete `up` of the first program, whose state is in a folder."""
    folder.mkdir(exist_ok=True)
    aws = FakeAws()
    run(first_program, aws, folder)
    return aws


def test_a_resource_is_created_after_those_it_depends_on(tmp_path: Path) -> None:
    aws = run_first_program(tmp_path)
    made = [name for method, name in aws.calls if method.startswith("create")]
    assert made.index("topic") < made.index("kept")
    assert made.index("gone") < made.index("gone-child"), "depends_on alone orders too"
    assert aws.things["kept"]["kmsKeyId"] == "arn:aws:sns:us-east-1:1:topic"


def test_the_plan_lists_the_same_actions_as_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def program_of(name: str) -> None:
        topic = Thing(TOPIC, "topic", name=name)
        group = Thing(GROUP, "of-topic", name="of-topic", key=topic.arn)
        Thing(GROUP, "beside", name="beside", days=len(name))
        # The output is not an input of the next resource, but its name is computed from it.
        Thing(CODE, "of-group", name=group.urn.apply(lambda _: "of-group"), role=ROLE, text="print(1)")

    aws = FakeAws()
    run(lambda: program_of("first"), aws, tmp_path)
    body = partial(program_of, "the second")
    monkeypatch.setattr(update_plan, "run_program", partial(program_run.run_function, body))
    planned = update_plan.PlanningProvider(open_state(aws, tmp_path), DRIVERS).list_steps(CONFIG)
    assert {step.urn.rpartition("::")[2]: step.action for step in planned} == run_up(body, aws, tmp_path)
    assert [step.action for step in planned].count(ResourceAction.REPLACE) == 3


UNKNOWN_TYPES = ("test:index/what:What", "test:index/else:Else")


@pytest.mark.parametrize(
    ("create", "message"),
    [
        (
            lambda: Thing(UNKNOWN_TYPES[0], "what"),
            r"There is no driver for test:index/what:What\. Add one in local/platform/",
        ),
        (
            lambda: Thing(NOTE, "other", keys=[Thing(TOPIC, "topic", name="topic").version]),
            "other: keys contains no value",
        ),
        (lambda: Thing(GROUP, "group", name="group", colour="blue"), "the driver of .*Group does not use colour"),
        (lambda: Thing(GROUP, "group", name="g" * 513), r"CreateLogGroup\.logGroupName takes at most 512 characters"),
    ],
    ids=["no driver", "missing output", "unused property", "invalid value"],
)
def test_an_unusable_resource_is_refused_without_a_call(
    create: Callable[[], object], message: str, tmp_path: Path
) -> None:
    aws = FakeAws()
    with pytest.raises(ResourceFailed, match=message):
        run(create, aws, tmp_path)
    assert aws.calls in ([], [("create_topic", "topic")])


def test_a_preview_names_all_types_without_a_driver() -> None:
    def body() -> None:
        for kind in UNKNOWN_TYPES:
            Thing(kind, kind[-4:], name="x")

    graph = program_run.run_function(body, CONFIG, PreviewProvider(), preview=True).graph
    with pytest.raises(CannotRun, match=r"no driver for test:index/else:Else, test:index/what:What\. Add one in"):
        find_invalid_inputs(graph)


def test_a_second_up_of_the_same_program_calls_nothing(tmp_path: Path) -> None:
    aws = run_first_program(tmp_path)
    aws.calls.clear()
    assert set(run_up(first_program, aws, tmp_path).values()) == {ResourceAction.SAME}
    assert aws.calls == []


def test_a_second_up_changes_only_what_changed(tmp_path: Path) -> None:
    aws = run_first_program(tmp_path)
    aws.calls.clear()
    result = run_up(second_program, aws, tmp_path)
    assert result == {
        "topic": ResourceAction.SAME,
        "kept": ResourceAction.SAME,
        "code": ResourceAction.UPDATE,
        "changed": ResourceAction.UPDATE,
        "renamed": ResourceAction.REPLACE,
        "new": ResourceAction.CREATE,
        "gone": ResourceAction.DELETE,
        "gone-child": ResourceAction.DELETE,
    }
    assert ("put_retention_policy", "changed") in aws.calls
    assert aws.calls.index(("delete_log_group", "gone-child")) < aws.calls.index(("delete_log_group", "gone"))
    assert sorted(aws.things) == ["changed", "code", "kept", "new", "new-name", "topic"]
    assert [method for method, name in aws.calls if name == "code"] == ["update_function_code", "publish_version"]
    assert aws.things["new-name"]["kmsKeyId"] == "2", "what follows the version moves"


def test_the_dependants_of_a_replaced_resource_are_replaced_too(tmp_path: Path) -> None:
    def program_of(name: str) -> None:
        topic = Thing(TOPIC, "topic", name=name)
        Thing(GROUP, "of-topic", name="of-topic", key=topic.arn)
        Thing(GROUP, "beside", name="beside")

    aws = FakeAws()
    run(lambda: program_of("one"), aws, tmp_path)
    aws.calls.clear()
    result = run_up(lambda: program_of("two"), aws, tmp_path)
    assert result == {
        "topic": ResourceAction.REPLACE,
        "of-topic": ResourceAction.REPLACE,
        "beside": ResourceAction.SAME,
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
    ids=["ignored", "changed", "removed, and no call unsets it"],
)
def test_the_action_follows_from_the_changed_property(
    options: pulumi.ResourceOptions, changes: dict[str, int], action: ResourceAction, tmp_path: Path
) -> None:
    aws = FakeAws()
    run(lambda: Thing(GROUP, "group", opts=options, name="group", days=7), aws, tmp_path)
    result = run_up(lambda: Thing(GROUP, "group", opts=options, name="group", **changes), aws, tmp_path)
    assert result == {"group": action}
    assert aws.things["group"].get("retentionInDays") == {ResourceAction.SAME: 7}.get(action, changes.get("days"))


def test_a_recorded_only_type_makes_no_call_and_returns_its_outputs(tmp_path: Path) -> None:
    aws = FakeAws()

    def body() -> None:
        note = Thing(NOTE, "note", name="note")
        Thing(GROUP, "group", name="group", key=note.arn)

    run(body, aws, tmp_path)
    assert [name for _, name in aws.calls] == ["group"]
    assert aws.things["group"]["kmsKeyId"] == "arn:made-up"


def test_a_failure_is_reported_and_the_next_up_continues(tmp_path: Path) -> None:
    aws, recorder = FakeAws(), RecordedProgress()
    aws.refuses = {"put_retention_policy": "LimitExceededException"}
    with pytest.raises(ResourceFailed):
        run(first_program, aws, tmp_path, recorder)
    urn, message = recorder.failures[0]
    assert urn.startswith("urn:pulumi:test::polyphony::test:index/group:Group::")
    assert message == "PutRetentionPolicy: LimitExceededException: as AWS puts it"
    entries = PlatformState.read(tmp_path / "state.json", INSTANCE).entries().values()
    assert ResourceStatus.BROKEN in {entry.status for entry in entries}, "what was made in part is known to be"
    aws.refuses = {}
    run(first_program, aws, tmp_path)
    assert aws.things == run_first_program(tmp_path / "clean").things


def test_a_resource_that_cannot_be_deleted_is_kept_and_the_others_are_deleted(tmp_path: Path) -> None:
    aws = run_first_program(tmp_path)
    aws.refuses = {"delete_topic": "InvalidParameter"}
    state = PlatformState.read(tmp_path / "state.json", INSTANCE)
    Engine(aws, state, SilentProgress(), DRIVERS).delete(set(state.entries()))
    assert list(aws.things) == ["topic"]
    assert [urn.rpartition("::")[2] for urn in state.entries()] == ["topic"]


@pytest.fixture
def _collected_garbage() -> Iterator[None]:
    """Collect garbage while asyncio's log is silenced. Later, it would log hundreds of interrupted tasks."""
    yield
    gc.collect()


WRITE = PlatformState._write


def count_writes_as_steps(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
    """State file whose writes count as two steps, before and after the write."""

    def counted(self: PlatformState) -> None:
        aws.step()
        WRITE(self)
        aws.step()

    monkeypatch.setattr(PlatformState, "_write", counted)


def list_killed_runs(
    program: Callable[[], object], before: Path | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[FakeAws, Path]]:
    """Kill an `up` at each of its steps. Yield the services and the folder after each kill.

    The `up` is the first one, or follows a complete `up` of the first program in the folder `before`.
    """
    for step in itertools.count(1):
        folder = tmp_path / f"killed-{step}"
        aws = FakeAws()
        if before is None:
            folder.mkdir()
        else:
            aws.things = run_first_program(tmp_path / f"services-{step}").things
            shutil.copytree(before, folder)
        aws.dies_at = step
        count_writes_as_steps(aws, monkeypatch)
        try:
            run(program, aws, folder)
        except Killed:
            aws.dies_at = None
            yield aws, folder
        else:
            break
    assert step > 40, "every call and every write of the state has two steps"


def without_versions(things: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return resources without the number of the function's versions, which rises with each publication."""
    return {
        name: {key: value for key, value in thing.items() if key != "version" and value not in ("1", "2", "3")}
        for name, thing in things.items()
    }


@pytest.mark.usefixtures("_collected_garbage")
def test_after_a_kill_at_any_step_of_a_first_up_the_next_one_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clean = run_first_program(tmp_path / "clean")
    for aws, folder in list_killed_runs(first_program, None, tmp_path, monkeypatch):
        run(first_program, aws, folder)
        assert aws.things == clean.things, folder.name


@pytest.mark.usefixtures("_collected_garbage")
@pytest.mark.parametrize("next_program", [second_program, first_program], ids=["repeated", "restored"])
def test_after_a_kill_at_any_step_of_a_second_up_the_next_one_works(
    next_program: Callable[[], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_first_program(tmp_path / "before")
    clean = run_first_program(tmp_path / "clean")
    run(next_program, clean, tmp_path / "clean")
    for aws, folder in list_killed_runs(second_program, tmp_path / "before", tmp_path, monkeypatch):
        run(next_program, aws, folder)
        # A function that was published twice has one more version, and so do the resources that use the version.
        assert without_versions(aws.things) == without_versions(clean.things), folder.name
        renamed = aws.things["new-name" if next_program is second_program else "old-name"]
        assert renamed["kmsKeyId"] == str(aws.things["code"]["version"])


def test_after_a_failed_update_the_old_program_is_applied_again(tmp_path: Path) -> None:
    aws = run_first_program(tmp_path)
    aws.refuses = {"publish_version": "TooManyRequestsException"}
    with pytest.raises(ResourceFailed):
        run(second_program, aws, tmp_path)
    assert aws.things["code"]["Code"] == {"ZipFile": "print(2)"}
    aws.refuses = {}
    run(first_program, aws, tmp_path)
    assert aws.things["code"]["Code"] == {"ZipFile": "print(1)"}


@pytest.mark.usefixtures("_collected_garbage")
def test_after_a_kill_at_any_step_of_a_down_the_next_up_makes_a_complete_platform(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clean = run_first_program(tmp_path / "clean")
    for step in itertools.count(1):
        folder = tmp_path / f"down-{step}"
        aws = run_first_program(folder)
        aws.dies_at, aws.steps = step, 0
        count_writes_as_steps(aws, monkeypatch)
        engine = Engine(aws, PlatformState.read(folder / "state.json", INSTANCE), SilentProgress(), DRIVERS)
        try:
            engine.delete_all()
        except Killed:
            aws.dies_at = None
            run(first_program, aws, folder)
            assert aws.things == clean.things, f"killed at step {step}"
        else:
            break
    assert step > 4 * len(clean.things), "every deletion has at least two steps of its own, and two of its entry"


DOCUMENT = "test:index/document:Document"


def test_a_document_is_imported_when_it_is_new_or_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    applied: list[tuple[str, str]] = []
    driver = Driver(
        type=DOCUMENT,
        service="logs",
        create=(DriverCall("CreateLogGroup", {"logGroupName": "name"}), RETENTION),
        update=(RETENTION,),
        delete=(DriverCall("DeleteLogGroup", {"logGroupName": "name"}),),
        id="name",
        property_import=PropertyImport("text", lambda _client, name, text: applied.append((name, text))),
    )
    monkeypatch.setitem(DRIVERS, DOCUMENT, driver)
    aws = FakeAws()

    def up(text: str | None, days: int) -> dict[str, ResourceAction]:
        applied.clear()

        def body() -> None:
            given: dict[str, Any] = {} if text is None else {"text": pulumi.Output.secret(text)}
            Thing(DOCUMENT, "one", name="one", days=days, **given)

        return run_up(body, aws, tmp_path)

    up(text="first", days=1)
    assert applied == [("one", "first")]
    assert up(text="first", days=2) == {"one": ResourceAction.UPDATE}
    assert applied == []
    assert up(text="second", days=2) == {"one": ResourceAction.UPDATE}
    assert applied == [("one", "second")]
    assert up(None, days=2) == {"one": ResourceAction.REPLACE}, "nothing else would take away what it said"
    assert applied == []

"""Tests of the engine, which deploys the program's resources: order of calls, changes, and failures."""

import zipfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pulumi
import pytest

from local import CannotRun
from local.drivers.model import PropertyImport
from local.drivers.monitoring_and_costs import MONITOR_ARN
from local.platform.deployer import Action
from local.platform.engine import Engine, ResourceFailed
from local.platform.progress import Progress
from local.platform.state import FUNCTION_TYPE
from local.preview import program_run
from local.preview.botocore_input_checks import find_invalid_inputs
from local.preview.preview_provider import PreviewProvider
from tests.local.fake_aws import (
    CONFIG,
    DRIVERS,
    FUNCTION,
    GROUP,
    RECORDED_ONLY,
    TOPIC,
    AnyResource,
    FakeAws,
    read_state,
    run_up,
)

pytestmark = pytest.mark.unit

ROLE = "arn:aws:iam::123456789012:role/one"


class RecordedProgress(Progress):
    """Receiver of progress reports, which keeps them for the test."""

    def __init__(self) -> None:
        self.actions: list[tuple[str, Action]] = []
        self.failures: list[tuple[str, str]] = []

    def on_finish(self, urn: str, action: Action, _seconds: float, /) -> None:
        self.actions.append((urn.rpartition("::")[2], action))

    def on_failure(self, urn: str, message: str, /) -> None:
        self.failures.append((urn, message))


def actions_of_up(program: Callable[[], object], aws: FakeAws, folder: Path) -> dict[str, Action]:
    """Run `make up`, and return the action on each resource."""
    progress = RecordedProgress()
    run_up(program, aws, folder, progress)
    return dict(progress.actions)


def create_common_resources(code_text: str, days: int, group_name: str) -> None:
    """Create the resources that both programs have. The resource `renamed` uses the version of the function's code."""
    topic = AnyResource(TOPIC, "topic", name="topic")
    function = AnyResource(FUNCTION, "function", name="function", role=ROLE, text=code_text)
    AnyResource(GROUP, "kept", name="kept", retentionInDays=7, kmsKeyId=topic.arn)
    AnyResource(GROUP, "changed", name="changed", retentionInDays=days)
    AnyResource(GROUP, "renamed", name=group_name, retentionInDays=7, kmsKeyId=function.version)


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


def test_the_dependants_of_a_replaced_resource_are_replaced_too(tmp_path: Path) -> None:
    def program(topic_name: str) -> None:
        topic = AnyResource(TOPIC, "topic", name=topic_name)
        group = AnyResource(GROUP, "of-topic", name="of-topic", kmsKeyId=topic.arn)
        AnyResource(GROUP, "other", name="other", retentionInDays=len(topic_name))
        # The function has no input that is an output of the group, but its name is computed from one.
        AnyResource(FUNCTION, "of-group", name=group.urn.apply(lambda _: "of-group"), role=ROLE, text="print(1)")

    aws = FakeAws()
    run_up(partial(program, "first"), aws, tmp_path)
    assert actions_of_up(partial(program, "the second"), aws, tmp_path) == {
        "topic": Action.REPLACE,
        "of-topic": Action.REPLACE,
        "of-group": Action.REPLACE,
        "other": Action.UPDATE,
    }
    deleted = [name for method, name in aws.calls if method.startswith("delete")]
    assert deleted == ["of-group", "of-topic", "first"], "dependants are deleted first"


UNSUPPORTED_TYPES = ("test:index/b:B", "test:index/a:A")


@pytest.mark.parametrize(
    ("create", "message"),
    [
        (
            lambda: AnyResource(UNSUPPORTED_TYPES[0], "unsupported"),
            r"There is no driver for test:index/b:B\. Add a driver in local/drivers/",
        ),
        (lambda: AnyResource(GROUP, "group", name="group", colour="blue"), "the driver of .*Group does not use colour"),
        (
            lambda: AnyResource(GROUP, "group", name="g" * 513),
            r"CreateLogGroup\.logGroupName takes at most 512 characters",
        ),
    ],
    ids=["no driver", "unused property", "invalid value"],
)
def test_an_invalid_resource_is_refused_before_its_creation(
    create: Callable[[], object], message: str, tmp_path: Path
) -> None:
    aws = FakeAws()
    with pytest.raises(ResourceFailed, match=message):
        run_up(create, aws, tmp_path)
    assert aws.calls == []


def test_a_function_whose_code_cannot_start_is_not_created(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = replace(DRIVERS[FUNCTION], type=FUNCTION_TYPE, ignored=dict.fromkeys(("code", "handler"), "for the test"))
    monkeypatch.setitem(DRIVERS, FUNCTION_TYPE, driver)
    with zipfile.ZipFile(tmp_path / "code.zip", "w") as archive:
        archive.writestr("start.py", "import missing\n\n\ndef handler(event, context): ...\n")
    inputs: dict[str, Any] = {
        "code": pulumi.FileArchive(str(tmp_path / "code.zip")),
        "handler": "start.handler",
        "role": ROLE,
    }
    aws = FakeAws()
    with pytest.raises(ResourceFailed, match=r"start\.py:1: .*missing"):
        run_up(lambda: AnyResource(FUNCTION_TYPE, "start", name="start", **inputs), aws, tmp_path)
    assert aws.calls == []


def test_a_preview_names_all_types_without_a_driver() -> None:
    def program() -> None:
        for number, kind in enumerate(UNSUPPORTED_TYPES):
            AnyResource(kind, f"resource-{number}", name="x")

    graph = program_run.run_function(program, CONFIG, PreviewProvider(), preview=True).graph
    with pytest.raises(CannotRun, match=r"no driver for test:index/a:A, test:index/b:B\. Add a driver in"):
        find_invalid_inputs(graph)


def test_a_second_up_of_the_same_program_makes_no_call(tmp_path: Path) -> None:
    aws = run_first_program(tmp_path)
    aws.calls.clear()
    assert set(actions_of_up(first_program, aws, tmp_path).values()) == {Action.SAME}
    assert aws.calls == []


def test_a_second_up_changes_only_the_resources_whose_inputs_changed(tmp_path: Path) -> None:
    aws = run_first_program(tmp_path)
    aws.calls.clear()
    assert actions_of_up(second_program, aws, tmp_path) == {
        "topic": Action.SAME,
        "kept": Action.SAME,
        "function": Action.UPDATE,
        "changed": Action.UPDATE,
        "renamed": Action.REPLACE,
        "new": Action.CREATE,
        "removed": Action.DELETE,
        "removed-child": Action.DELETE,
    }
    assert ("put_retention_policy", "changed") in aws.calls
    assert aws.calls.index(("delete_log_group", "removed-child")) < aws.calls.index(("delete_log_group", "removed"))
    assert sorted(aws.resources) == ["changed", "function", "kept", "new", "new-name", "topic"]
    assert [method for method, name in aws.calls if name == "function"] == ["update_function_code", "publish_version"]
    assert aws.resources["new-name"]["kmsKeyId"] == "2", "this input is the version of the changed function"


@pytest.mark.parametrize(
    ("options", "changes", "action"),
    [
        (pulumi.ResourceOptions(ignore_changes=["retentionInDays"]), {"retentionInDays": 30}, Action.SAME),
        (pulumi.ResourceOptions(), {"retentionInDays": 30}, Action.UPDATE),
        (pulumi.ResourceOptions(), {}, Action.REPLACE),
    ],
    ids=["ignored", "changed", "removed, but no call can unset it"],
)
def test_ignored_changed_and_removed_inputs_lead_to_different_actions(
    options: pulumi.ResourceOptions, changes: dict[str, int], action: Action, tmp_path: Path
) -> None:
    aws = FakeAws()
    run_up(lambda: AnyResource(GROUP, "group", opts=options, name="group", retentionInDays=7), aws, tmp_path)
    actions = actions_of_up(lambda: AnyResource(GROUP, "group", opts=options, name="group", **changes), aws, tmp_path)
    assert actions == {"group": action}
    days = 7 if action is Action.SAME else changes.get("retentionInDays")
    assert aws.resources["group"].get("retentionInDays") == days


def test_a_resource_that_the_emulator_lacks_has_outputs_but_makes_no_call(tmp_path: Path) -> None:
    aws = FakeAws()

    def program() -> None:
        recorded = AnyResource(RECORDED_ONLY, "recorded", name="recorded")
        AnyResource(GROUP, "group", name="group", kmsKeyId=recorded.arn)

    run_up(program, aws, tmp_path)
    assert [name for _, name in aws.calls] == ["group"]
    assert aws.resources["group"]["kmsKeyId"] == MONITOR_ARN


def test_a_failure_is_reported_and_the_next_up_continues(tmp_path: Path) -> None:
    aws, progress = FakeAws(), RecordedProgress()
    aws.error_codes = {"put_retention_policy": "LimitExceededException"}
    with pytest.raises(ResourceFailed):
        run_up(first_program, aws, tmp_path, progress)
    urn, message = progress.failures[0]
    assert urn.startswith("urn:pulumi:test::polyphony::aws:cloudwatch/logGroup:LogGroup::")
    assert message == "PutRetentionPolicy: LimitExceededException: message of AWS"
    assert any(entry.incomplete for entry in read_state(tmp_path).entries.values())
    aws.error_codes = {}
    run_up(first_program, aws, tmp_path)
    assert aws.resources == run_first_program(tmp_path / "clean").resources


def test_a_resource_that_cannot_be_deleted_is_kept_and_the_others_are_deleted(tmp_path: Path) -> None:
    aws = run_first_program(tmp_path)
    aws.error_codes = {"delete_topic": "InvalidParameter"}
    state = read_state(tmp_path)
    Engine(aws, state, Progress(), DRIVERS).delete(set(state.entries))
    assert list(aws.resources) == ["topic"]
    assert [urn.rpartition("::")[2] for urn in state.entries] == ["topic"]


def test_after_a_failed_update_the_previous_program_can_be_applied_again(tmp_path: Path) -> None:
    aws = run_first_program(tmp_path)
    aws.error_codes = {"publish_version": "TooManyRequestsException"}
    with pytest.raises(ResourceFailed):
        run_up(second_program, aws, tmp_path)
    assert aws.resources["function"]["Code"] == {"ZipFile": "print(2)"}
    aws.error_codes = {}
    run_up(first_program, aws, tmp_path)
    assert aws.resources["function"]["Code"] == {"ZipFile": "print(1)"}


DOCUMENT = "test:index/document:Document"


def test_an_imported_property_is_imported_when_it_is_new_or_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A document, such as an API definition, is imported by a function instead of a call."""
    imported: list[tuple[str, str]] = []
    importer = PropertyImport("text", lambda _client, name, text: imported.append((name, text)))
    driver = replace(DRIVERS[GROUP], type=DOCUMENT, property_import=importer)
    monkeypatch.setitem(DRIVERS, DOCUMENT, driver)
    aws = FakeAws()

    def up(text: str | None, days: int) -> dict[str, Action]:
        imported.clear()

        def program() -> None:
            inputs: dict[str, Any] = {} if text is None else {"text": pulumi.Output.secret(text)}
            AnyResource(DOCUMENT, "one", name="one", retentionInDays=days, **inputs)

        return actions_of_up(program, aws, tmp_path)

    up(text="first", days=1)
    assert imported == [("one", "first")]
    assert up(text="first", days=2) == {"one": Action.UPDATE}
    assert imported == []
    assert up(text="second", days=2) == {"one": Action.UPDATE}
    assert imported == [("one", "second")]
    assert up(None, days=2) == {"one": Action.REPLACE}, "no call removes the imported content"
    assert imported == []

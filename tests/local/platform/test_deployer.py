"""Tests of the plan for a changed resource, which `make up` and the Pulumi CLI share, and of the values that it compares.

A driver describes the calls with which the local platform creates, changes and deletes a type of resource.
"""

from pathlib import Path
from typing import Any

import pytest

from local.drivers import DRIVERS
from local.drivers.model import Driver, DriverCall
from local.platform.deployer import Action, list_changed_inputs, plan_change, to_comparable
from local.property_values import UNKNOWN, Archive, Asset, Secret

pytestmark = pytest.mark.unit

LIMITED = Driver(
    type="test:index/group:Group",
    service="logs",
    create=(DriverCall("CreateLogGroup", {"logGroupName": "name"}),),
    update=(
        DriverCall("PutRetentionPolicy", {"logGroupName": "name", "retentionInDays": "days"}, if_property="limited"),
    ),
    delete=(DriverCall("DeleteLogGroup", {"logGroupName": "name"}),),
    id="name",
)
"""Driver whose update call is made only if the input `limited` is true."""


@pytest.mark.parametrize(
    ("before", "after", "action"),
    [
        ({"limited": True, "days": 7}, {"limited": True, "days": 9}, Action.UPDATE),
        ({"limited": False, "days": 7}, {"limited": True, "days": 7}, Action.UPDATE),
        ({"limited": True, "days": 7}, {"limited": False, "days": 7}, Action.REPLACE),
        ({"limited": True, "days": 7}, {"days": 7}, Action.REPLACE),
    ],
    ids=["stays true", "becomes true", "becomes false", "removed"],
)
def test_an_update_call_can_only_change_a_resource_if_its_condition_is_true(
    before: dict[str, Any], after: dict[str, Any], action: Action
) -> None:
    change = plan_change(LIMITED, after, list_changed_inputs(before, after))
    assert change.action is action
    assert bool(change.calls) is (action is Action.UPDATE)


REST_STAGE = {"restApi": "r", "stageName": "s", "deployment": "d"}
RULE = {"name": "rule", "eventPattern": "{}"}
JOB = {"name": "media", "type": "container", "platformCapabilities": ["FARGATE"], "tags": {"Owner": "you"}}


@pytest.mark.parametrize(
    ("kind", "inputs", "changed", "action", "operations"),
    [
        ("aws:apigateway/stage:Stage", REST_STAGE, "accessLogSettings", Action.REPLACE, []),
        ("aws:cloudwatch/eventRule:EventRule", RULE, "description", Action.UPDATE, ["PutRule"]),
        ("aws:cloudwatch/eventRule:EventRule", RULE, "name", Action.REPLACE, []),
        ("aws:batch/jobDefinition:JobDefinition", JOB, "tags", Action.UPDATE, []),
        (
            "aws:batch/jobDefinition:JobDefinition",
            JOB,
            "tags platformCapabilities",
            Action.UPDATE,
            ["RegisterJobDefinition", "DeregisterJobDefinition"],
        ),
    ],
    ids=[
        "removed, but the call changes only the inputs that it contains",
        "removed by the call that sets all inputs again",
        "new name",
        "tags need no call",
        "tags and another input",
    ],
)
def test_changed_inputs_lead_to_calls_or_to_a_replacement(
    kind: str, inputs: dict[str, Any], changed: str, action: Action, operations: list[str]
) -> None:
    change = plan_change(DRIVERS[kind], inputs, changed.split())
    assert (change.action, [call.operation for call in change.calls]) == (action, operations)


def test_files_are_compared_by_their_content_and_a_value_that_becomes_secret_has_changed(tmp_path: Path) -> None:
    for name, content in (("a", b"code"), ("b", b"code"), ("c", b"other code")):
        (tmp_path / name).write_bytes(content)
    files = [Archive(str(tmp_path / name)) for name in "abc"]
    assets = [Asset(str(tmp_path / "a")), Asset(text="code"), Asset(text="other code")]
    folders = [Archive(None, (("a", asset),)) for asset in assets]
    for first, same, other in (files, assets, folders):
        assert to_comparable(first) == to_comparable(same) != to_comparable(other)
    assert to_comparable(Secret("text")) != to_comparable("text")
    assert "text" not in str(to_comparable({"value": [Secret("text")]}))


@pytest.mark.parametrize("kind", [Asset, Archive])
def test_a_file_whose_content_the_cli_does_not_send_is_compared_by_its_hash(kind: type[Asset | Archive]) -> None:
    old, new = to_comparable(kind(hash="12")), to_comparable(kind(path="build/code.zip", hash="12"))
    assert old == new != to_comparable(kind(path="build/code.zip", hash="34"))


def test_an_unknown_value_is_a_change() -> None:
    assert list_changed_inputs({"arn": "arn:1", "name": "x"}, to_comparable({"arn": UNKNOWN, "name": "x"})) == {"arn"}

"""Tests of the plan for a change: an update, or a replacement if the driver has no call for the change.

A driver describes the calls with which the local platform creates, changes and deletes a type of resource.
"""

from typing import Any

import pytest
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto.resource_pb2 import RegisterResourceRequest

from local.drivers import DRIVERS
from local.drivers.model import Driver, DriverCall
from local.platform.resource_change_planning import ResourceAction, plan_change, plan_input_change
from local.platform.state import ResourceEntry, ResourceStatus
from local.preview.resource_graph import Graph

pytestmark = pytest.mark.unit

TYPE = "test:index/group:Group"
CONDITIONAL_UPDATE = Driver(
    type=TYPE,
    service="logs",
    create=(DriverCall("CreateLogGroup", {"logGroupName": "name"}),),
    update=(DriverCall("PutRetentionPolicy", {"logGroupName": "name", "retentionInDays": "days"}, when="limited"),),
    delete=(DriverCall("DeleteLogGroup", {"logGroupName": "name"}),),
    id="name",
)


@pytest.mark.parametrize(
    ("before", "after", "action"),
    [
        ({"limited": True, "days": 7}, {"limited": True, "days": 9}, ResourceAction.UPDATE),
        ({"limited": False, "days": 7}, {"limited": True, "days": 7}, ResourceAction.UPDATE),
        ({"limited": True, "days": 7}, {"limited": False, "days": 7}, ResourceAction.REPLACE),
        ({"limited": True, "days": 7}, {"days": 7}, ResourceAction.REPLACE),
    ],
    ids=["stays true", "becomes true", "becomes false", "removed"],
)
def test_an_update_call_can_only_change_a_resource_if_its_condition_is_true(
    before: dict[str, Any], after: dict[str, Any], action: ResourceAction
) -> None:
    inputs = Struct()
    inputs.update({"name": "group", **after})
    resource = Graph().add(f"urn:x::y::{TYPE}::group", RegisterResourceRequest(type=TYPE, name="group", object=inputs))
    entry = ResourceEntry(TYPE, ResourceStatus.MADE, hash_inputs({"name": "group", **before}))
    change = plan_change(CONDITIONAL_UPDATE, resource, entry, hash_inputs(resource.inputs))
    assert change.action is action
    assert bool(change.calls) is (action is ResourceAction.UPDATE)


@pytest.mark.parametrize(
    ("kind", "inputs", "removed_input"),
    [
        ("aws:apigateway/stage:Stage", {"restApi": "r", "stageName": "s", "deployment": "d"}, "accessLogSettings"),
        ("aws:ec2/subnet:Subnet", {"vpcId": "v", "cidrBlock": "10.0.0.0/24"}, "mapPublicIpOnLaunch"),
    ],
)
def test_a_resource_is_replaced_if_no_call_can_remove_an_input(
    kind: str, inputs: dict[str, Any], removed_input: str
) -> None:
    """The call that sets this input changes only the inputs that it contains, so it cannot remove one."""
    change = plan_input_change(DRIVERS[kind], inputs, {removed_input})
    assert (change.action, change.replacing) == (ResourceAction.REPLACE, frozenset({removed_input}))


def test_an_input_is_removed_by_an_update_if_the_call_sets_all_inputs_again() -> None:
    driver = DRIVERS["aws:cloudwatch/eventRule:EventRule"]
    change = plan_input_change(driver, {"name": "rule", "eventPattern": "{}"}, {"description"})
    assert (change.action, [call.operation for call in change.calls]) == (ResourceAction.UPDATE, ["PutRule"])


@pytest.mark.parametrize(
    ("changed", "operations"),
    [({"tags"}, []), ({"tags", "platformCapabilities"}, ["RegisterJobDefinition", "DeregisterJobDefinition"])],
    ids=["only tags", "tags and another input"],
)
def test_changed_tags_make_no_call_and_replace_no_resource(changed: set[str], operations: list[str]) -> None:
    """The call that registers a new revision of a job definition takes tags, too."""
    inputs = {"name": "media", "type": "container", "platformCapabilities": ["FARGATE"], "tags": {"Owner": "you"}}
    change = plan_input_change(DRIVERS["aws:batch/jobDefinition:JobDefinition"], inputs, changed)
    assert (change.action, [call.operation for call in change.calls]) == (ResourceAction.UPDATE, operations)


def hash_inputs(inputs: dict[str, Any]) -> dict[str, str]:
    """Return a text for each input, in place of the hashes in the state file."""
    return {name: str(value) for name, value in inputs.items()}

"""Tests of the rules by which the calls of a driver get the properties of a resource."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from local.drivers.model import (
    ComputedValue,
    Driver,
    DriverCall,
    RecordedOnly,
    ResourceValues,
    computed_from,
    constant,
    first_known,
    from_response,
    from_template,
    identity_inputs,
    used_inputs,
)
from local.drivers.service_shapes import build_parameters
from local.property_values import UNKNOWN

pytestmark = pytest.mark.unit

PROPERTIES = {"name": "one", "description": "text", "tags": {"Owner": "you"}, "retryCount": 3}
RESPONSES = {"CreateRole": {"Role": {"Arn": "arn"}}}


@pytest.mark.parametrize(
    ("names", "call", "parameters"),
    [
        ({}, DriverCall("CreateJob"), {"Name": "one", "Description": "text", "Tags": {"Owner": "you"}}),
        ({"name": "JobName"}, DriverCall("CreateJob", only_properties=("name",)), {"Name": "one"}),
        ({"name": "JobName"}, DriverCall("DeleteJob"), {"JobName": "one"}),
        ({"name": ("CrawlerName", "JobName")}, DriverCall("DeleteJob"), {"JobName": "one"}),
        ({"id": "JobName"}, DriverCall("DeleteJob"), {"JobName": "physical"}),
        ({"id": "CrawlerName"}, DriverCall("BatchGetCrawlers"), {"CrawlerNames": ["physical"]}),
        (
            {},
            DriverCall("CreateDatabase", parent_parameter="DatabaseInput"),
            {"DatabaseInput": {"Name": "one", "Description": "text"}, "Tags": {"Owner": "you"}},
        ),
        (
            {"description": "JobName"},
            DriverCall("CreateTrigger", parent_parameter="Actions"),
            {"Name": "one", "Actions": [{"JobName": "text"}], "Tags": {"Owner": "you"}},
        ),
        (
            {"retryCount": "MaxRetries"},
            DriverCall(
                "UpdateJob", {"JobName": "name", "JobUpdate.Description": constant("new")}, parent_parameter="JobUpdate"
            ),
            {"JobName": "one", "JobUpdate": {"Description": "new", "MaxRetries": 3}},
        ),
        (
            {},
            DriverCall("CreateJob", {"Role": computed_from("description")(str.upper), "Tags": constant(None)}),
            {"Name": "one", "Role": "TEXT"},
        ),
        (
            {},
            DriverCall("CreateJob", {"MaxRetries": "retryCount", "Role": "missing"}, only_properties=()),
            {"MaxRetries": 3},
        ),
    ],
    ids=[
        "same name",
        "no parameter of the other name",
        "other name",
        "one of several other names",
        "physical id",
        "a list of names",
        "member of a structure, else parameter",
        "member of a structure in a list",
        "explicit member",
        "computed, and explicitly nothing",
        "no property by name, and a missing property",
    ],
)
def test_a_call_gets_properties_by_their_names_or_as_listed(
    names: Mapping[str, str | tuple[str, ...]], call: DriverCall, parameters: dict[str, Any]
) -> None:
    driver = Driver(type="test:index/job:Job", service="glue", api_names=names, create=(call,), id="name")
    assert build_parameters(driver, call, ResourceValues(PROPERTIES, "physical")) == parameters


QUEUE = Driver(
    type="test:index/queue:Queue",
    service="sqs",
    api_names={"id": "QueueUrl", "name": "QueueName"},
    create=(DriverCall("CreateQueue", {"Attributes.KmsMasterKeyId": "key"}),),
    update=(DriverCall("SetQueueAttributes", {"Attributes.KmsMasterKeyId": "key"}, if_property="encrypted"),),
    delete=(DriverCall("DeleteQueue", {"QueueUrl": from_template("{account}/{name}")}),),
    id="name",
    outputs={"account": constant("1")},
    ignored={"force": "the emulator always does"},
)


def test_a_property_that_no_call_uses_is_reported_unless_it_is_ignored_or_no_call_is_made() -> None:
    inputs = dict.fromkeys(("name", "key", "tags", "encrypted", "force", "colour"), "x")
    assert QUEUE.unhandled_inputs(inputs) == ["colour"]
    recorded = RecordedOnly("t", "sqs", (DriverCall("CreateQueue"),), reason="for tests")
    assert recorded.unhandled_inputs(inputs) == []


def test_a_call_uses_the_properties_in_its_parameters_and_its_condition() -> None:
    [create], [update] = QUEUE.create, QUEUE.update
    assert used_inputs(QUEUE, create, ("name", "key", "tags", "encrypted")) == {"name", "key", "tags"}
    assert used_inputs(QUEUE, update, ("name", "key", "tags", "encrypted")) == {"key", "encrypted"}


def test_a_resource_is_identified_by_the_properties_in_its_id_and_its_deletion() -> None:
    names = ("name", "key", "account", "group")
    assert identity_inputs(QUEUE, names) == {"name"}, "the account is an output"
    assert identity_inputs(replace(QUEUE, id="group", delete=()), names) == {"group"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (computed_from("size", "missing")(lambda size, missing: (size * 2, missing)), (4, None)),
        (computed_from("size", "unknown")(lambda size, _unknown: size), UNKNOWN),
        (from_template("{size}:{id}"), "2:physical"),
        (from_template("{size}:{unknown}"), UNKNOWN),
        (from_response("CreateRole", "Role.Arn", str.upper), "ARN"),
        (from_response("CreateRole", "Role.Name"), UNKNOWN),
        (from_response("GetRole", "Role.Arn"), UNKNOWN),
        (first_known(from_response("GetRole", "Role.Arn"), constant(False), constant(True)), False),
        (first_known(from_response("GetRole", "Role.Arn")), UNKNOWN),
    ],
)
def test_a_value_is_unknown_if_what_it_is_computed_from_is_unknown(value: ComputedValue, expected: object) -> None:
    values = ResourceValues({"size": 2, "unknown": UNKNOWN}, "physical", responses=RESPONSES)
    assert value.compute(values) == expected


@pytest.mark.parametrize(
    ("limited", "met"), [(True, True), (False, False), (0, False), (None, False), (UNKNOWN, False)]
)
def test_a_call_with_a_condition_is_made_if_the_property_is_set(limited: object, met: bool) -> None:
    assert (
        DriverCall("CreateQueue", if_property="limited").is_condition_met(ResourceValues({"limited": limited})) is met
    )

"""Tests of the comparison of the program's inputs with the values that a service returns.

Pulumi and a service may write the same value in different forms. The comparison returns the current value in the
program's form, so that only a changed value differs.
"""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.model import Shape, ShapeResolver, StructureShape

from local.platform.driver_model.drift_comparison import to_current_input
from local.platform.driver_model.service_shapes import service_model
from local.preview.property_value_conversion import UNKNOWN, Archive, Secret

pytestmark = pytest.mark.unit

POLICY = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*"}]}'
DENY = POLICY.replace("Allow", "Deny")


def parameter_shape(service: str, operation: str, name: str) -> Shape:
    """Return the shape of an operation's parameter."""
    shape = service_model(service).operation_model(operation).input_shape
    assert shape is not None
    return shape.members[name]


# Parameters whose shapes the tests use: service, operation and parameter.
LIFECYCLE = ("s3", "PutBucketLifecycleConfiguration", "LifecycleConfiguration")
ENVIRONMENT = ("lambda", "CreateFunction", "Environment")
ATTRIBUTES = ("dynamodb", "CreateTable", "AttributeDefinitions")
TAGS = ("iam", "TagRole", "Tags")
NUMBER = ("lambda", "CreateFunction", "MemorySize")
TEXT = ("sqs", "CreateQueue", "QueueName")
LAYERS = ("lambda", "CreateFunction", "Layers")
TRACING = ("lambda", "CreateFunction", "TracingConfig")
LOGGING = ("lambda", "CreateFunction", "LoggingConfig")
VPC = ("lambda", "CreateFunction", "VpcConfig")


def compare(program_value: Any, service_value: Any, parameter: tuple[str, str, str]) -> Any:
    renames = {"name": "attributeName", "type": "attributeType"} if parameter == ATTRIBUTES else {}
    return to_current_input(program_value, service_value, parameter_shape(*parameter), renames)


@pytest.mark.parametrize(
    ("parameter", "program_value", "service_value"),
    [
        pytest.param(TEXT, 30, "30", id="number as text"),
        pytest.param(TEXT, True, "true", id="boolean as text"),
        pytest.param(NUMBER, "128", 128, id="text as number"),
        pytest.param(TEXT, POLICY, json.dumps(json.loads(POLICY), indent=2, sort_keys=True), id="other spaces in JSON"),
        pytest.param(TEXT, POLICY, json.loads(POLICY), id="parsed JSON"),
        pytest.param(LAYERS, ["a", "b"], ["b", "a"], id="other order"),
        pytest.param(LAYERS, "a", ["a"], id="list with one item"),
        pytest.param(TAGS, {"b": "2", "a": "1"}, [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}], id="tags"),
        pytest.param(ATTRIBUTES, [{"name": "pk", "type": "S"}], [{"AttributeName": "pk", "AttributeType": "S"}], id="renamed members"),
        pytest.param(TRACING, [{"mode": "Active"}], {"Mode": "Active"}, id="structure as a list with one item"),
        pytest.param(TRACING, {"mode": "Active"}, {"Mode": "Active", "ReadOnly": "yes"}, id="additional member that is no setting"),
        pytest.param(LOGGING, {"logFormat": "JSON"}, {"LogFormat": "JSON", "LogGroup": ""}, id="additional empty member"),
        pytest.param(ENVIRONMENT, {"variables": {}}, None, id="empty structure"),
        pytest.param(ENVIRONMENT, {"variables": {"A": Secret("s")}}, {"Variables": {"A": "s"}}, id="nested secret"),
        pytest.param(
            LIFECYCLE,
            {"rule": [{"status": "Enabled", "filter": {"prefix": ""}, "expiration": {"days": "1"}}]},
            {"Rules": [{"Status": "Enabled", "Expiration": {"Days": 1, "ExpiredObjectDeleteMarker": False}}]},
            id="nested defaults",
        ),
        pytest.param(TEXT, UNKNOWN, "anything", id="unknown input"),
        pytest.param(TEXT, Archive("job.zip"), "anything", id="archive"),
        pytest.param(TEXT, Secret("s"), "s", id="secret"),
        pytest.param(NUMBER, None, None, id="no value"),
        pytest.param(TEXT, False, None, id="default that the service omits"),
    ],
)  # fmt: skip
def test_a_value_with_the_same_meaning_is_returned_as_the_program_gave_it(
    parameter: tuple[str, str, str], program_value: Any, service_value: Any
) -> None:
    result = compare(program_value, service_value, parameter)
    assert result == program_value
    assert type(result) is type(program_value)


@pytest.mark.parametrize(
    ("parameter", "program_value", "service_value", "expected"),
    [
        pytest.param(TEXT, 30, "60", 60, id="number as text"),
        pytest.param(TEXT, 30, "unlimited", "unlimited", id="text in place of a number"),
        pytest.param(TEXT, True, "false", False, id="boolean as text"),
        pytest.param(TEXT, "30", 60, "60", id="number in place of a text"),
        pytest.param(NUMBER, 1, 2.5, 2.5, id="number"),
        pytest.param(NUMBER, 5, None, None, id="removed number"),
        pytest.param(TEXT, "text", "", None, id="removed text"),
        pytest.param(TEXT, POLICY, json.loads(DENY), DENY, id="parsed JSON"),
        pytest.param(TEXT, POLICY, DENY, DENY, id="JSON"),
        pytest.param(LAYERS, ["a", "b", "c"], ["c", "x", "a", "y"], ["a", "x", "c", "y"], id="changed and added item"),
        pytest.param(LAYERS, ["a", "b"], ["b"], ["b"], id="removed item"),
        pytest.param(LAYERS, "a", ["b"], "b", id="changed single item"),
        pytest.param(LAYERS, "a", ["b", "a"], ["a", "b"], id="item added to a single one"),
        pytest.param(TAGS, {"a": "1", "b": "2"}, [{"Key": "a", "Value": ""}, {"Key": "c", "Value": "3"}], {"a": "", "c": "3"}, id="tags"),
        pytest.param(TAGS, None, [{"Key": "c", "Value": "3"}], {"c": "3"}, id="added tags"),
        pytest.param(TAGS, {"a": "1"}, [], None, id="removed tags"),
        pytest.param(TRACING, [{"mode": "Active"}], {"Mode": "PassThrough"}, [{"mode": "PassThrough"}], id="structure as a list with one item"),
        pytest.param(TRACING, None, {"Mode": "PassThrough"}, {"mode": "PassThrough"}, id="added structure"),
        pytest.param(LOGGING, {"logFormat": "JSON"}, {"LogFormat": "JSON", "LogGroup": "g"}, {"logFormat": "JSON", "logGroup": "g"}, id="added member"),
        pytest.param(LOGGING, {"logFormat": "JSON", "logGroup": "g"}, {"LogFormat": "JSON"}, {"logFormat": "JSON"}, id="removed member"),
        pytest.param(
            ATTRIBUTES,
            [{"name": "pk", "type": "S"}],
            [{"AttributeName": "sk", "AttributeType": "N"}, {"AttributeName": "pk", "AttributeType": "S"}],
            [{"name": "pk", "type": "S"}, {"name": "sk", "type": "N"}],
            id="added item with renamed members",
        ),
        pytest.param(
            ENVIRONMENT,
            {"variables": {"A": Secret("old"), "B": "kept"}},
            {"Variables": {"B": "kept", "A": "new", "C": "added"}},
            {"variables": {"A": Secret("new"), "B": "kept", "C": "added"}},
            id="nested secret",
        ),
        pytest.param(
            ENVIRONMENT,
            Secret({"variables": {"A": "1"}}),
            {"Variables": {"A": "2"}},
            Secret({"variables": {"A": "2"}}),
            id="secret structure",
        ),
        pytest.param(TEXT, Secret("old"), None, None, id="removed secret"),
        pytest.param(VPC, None, {"SubnetIds": ["s"], "SecurityGroupIds": []}, {"subnetIds": ["s"]}, id="added lists"),
        pytest.param(
            LIFECYCLE,
            {"rule": [{"id": "a", "expiration": {"days": 1}}]},
            {"Rules": [{"ID": "a", "Expiration": {"Date": datetime(2027, 1, 1, tzinfo=UTC)}}]},
            {"rule": [{"id": "a", "expiration": {"date": "2027-01-01T00:00:00+00:00"}}]},
            id="date",
        ),
    ],
)  # fmt: skip
def test_a_changed_value_is_returned_in_the_form_of_the_program(
    parameter: tuple[str, str, str], program_value: Any, service_value: Any, expected: Any
) -> None:
    result = compare(program_value, service_value, parameter)
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    ("member", "name"),
    [("KMSKeyArn", "kmsKeyArn"), ("OKActions", "okActions"), ("ID", "id"), ("Arn", "arn"), ("S3Key", "s3Key")],
)
def test_an_added_member_gets_the_name_of_pulumi(member: str, name: str) -> None:
    shapes: dict[str, Any] = {"Text": {"type": "string"}}
    model: dict[str, Any] = {"type": "structure", "members": {member: {"shape": "Text"}}}
    shape = StructureShape("Settings", model, ShapeResolver(shapes))
    assert to_current_input({}, {member: "by hand"}, shape, {}) == {name: "by hand"}


def test_values_that_already_have_the_names_of_pulumi_are_compared_without_a_shape() -> None:
    program_value = [{"name": "open", "keys": ["b", "a"], "size": 1}]
    unchanged = [{"name": "open", "keys": ["a", "b"], "size": 1, "none": None}]
    changed = [{"name": "open", "keys": ["a"]}]
    assert to_current_input(program_value, unchanged, None, {}) == program_value
    assert to_current_input(program_value, changed, None, {}) == changed
    assert to_current_input("text", {"a": 1}, None, {}) == '{"a": 1}', "a text stays a text"

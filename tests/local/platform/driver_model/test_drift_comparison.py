"""Tests of the comparison of inputs with a service's values: equal meanings in another form, and each kind of change."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.model import Shape, ShapeResolver, StructureShape

from local.platform.driver_model.drift_comparison import to_current_input
from local.platform.driver_model.service_shapes import service_model
from local.preview.property_value_conversion import UNKNOWN, Archive, Asset, Secret

pytestmark = pytest.mark.unit

POLICY = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*"}]}'
DENY = POLICY.replace("Allow", "Deny")


def parameter(service: str, operation: str, name: str) -> Shape:
    """Return the shape of an operation's parameter."""
    shape = service_model(service).operation_model(operation).input_shape
    assert shape is not None
    return shape.members[name]


RULES = ("s3", "PutBucketLifecycleConfiguration", "LifecycleConfiguration")
ENVIRONMENT = ("lambda", "CreateFunction", "Environment")
ATTRIBUTES = ("dynamodb", "CreateTable", "AttributeDefinitions")
RENAMES = {"name": "attributeName", "type": "attributeType"}
TAGS = ("iam", "TagRole", "Tags")
NUMBER = ("lambda", "CreateFunction", "MemorySize")
TEXT = ("sqs", "CreateQueue", "QueueName")
LAYERS = ("lambda", "CreateFunction", "Layers")
TRACING = ("lambda", "CreateFunction", "TracingConfig")
LOGGING = ("lambda", "CreateFunction", "LoggingConfig")


@pytest.mark.parametrize(
    ("place", "given", "current"),
    [
        (TEXT, 30, "30"),
        (TEXT, True, "true"),
        (NUMBER, 0, 0.0),
        (NUMBER, "128", 128),
        (TEXT, POLICY, json.dumps(json.loads(POLICY), indent=2, sort_keys=True)),
        (TEXT, POLICY, json.loads(POLICY)),
        (LAYERS, ["a", "b"], ["b", "a"]),
        (LAYERS, "a", ["a"]),
        (TAGS, {"b": "2", "a": "1"}, [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]),
        (ATTRIBUTES, [{"name": "pk", "type": "S"}], [{"AttributeName": "pk", "AttributeType": "S"}]),
        (TRACING, [{"mode": "Active"}], {"Mode": "Active"}),
        (TRACING, {"mode": "Active"}, {"Mode": "Active", "ReadOnly": "a member that is no setting"}),
        (LOGGING, {"logFormat": "JSON"}, {"LogFormat": "JSON", "LogGroup": ""}),
        (ENVIRONMENT, {"variables": {}}, None),
        (ENVIRONMENT, {"variables": {"A": Secret("s")}}, {"Variables": {"A": "s"}}),
        (
            RULES,
            {"rule": [{"status": "Enabled", "filter": {"prefix": ""}, "expiration": {"days": "1"}}]},
            {"Rules": [{"Status": "Enabled", "Expiration": {"Days": 1, "ExpiredObjectDeleteMarker": False}}]},
        ),
        (TEXT, UNKNOWN, "anything"),
        (TEXT, Archive("job.zip"), "anything"),
        (TEXT, Asset("job.py"), "anything"),
        (TEXT, Secret("s"), "s"),
        (NUMBER, None, None),
        (TEXT, False, None),
    ],
)
def test_a_value_with_the_same_meaning_stays_as_the_program_gave_it(
    place: tuple[str, str, str], given: Any, current: Any
) -> None:
    renames = RENAMES if place == ATTRIBUTES else {}
    restored = to_current_input(given, current, parameter(*place), renames)
    assert restored == given
    assert type(restored) is type(given)


@pytest.mark.parametrize(
    ("place", "given", "current", "expected"),
    [
        (TEXT, 30, "60", 60),
        (TEXT, 30, "unlimited", "unlimited"),
        (TEXT, True, "false", False),
        (TEXT, "30", 60, "60"),
        (NUMBER, 1, 2.5, 2.5),
        (NUMBER, 5, None, None),
        (TEXT, "text", "", None),
        (TEXT, POLICY, json.loads(DENY), DENY),
        (TEXT, POLICY, DENY, DENY),
        (TEXT, "plain", "other", "other"),
        (LAYERS, ["a", "b", "c"], ["c", "x", "a", "y"], ["a", "x", "c", "y"]),
        (LAYERS, ["a", "b"], ["b"], ["b"]),
        (LAYERS, "a", ["b"], "b"),
        (LAYERS, "a", ["b", "a"], ["a", "b"]),
        (TAGS, {"a": "1", "b": "2"}, [{"Key": "a", "Value": ""}, {"Key": "c", "Value": "3"}], {"a": "", "c": "3"}),
        (TAGS, None, [{"Key": "c", "Value": "3"}], {"c": "3"}),
        (TAGS, {"a": "1"}, [], None),
        (TRACING, [{"mode": "Active"}], {"Mode": "PassThrough"}, [{"mode": "PassThrough"}]),
        (TRACING, None, {"Mode": "PassThrough"}, {"mode": "PassThrough"}),
        (LOGGING, {"logFormat": "JSON"}, {"LogFormat": "JSON", "LogGroup": "g"}, {"logFormat": "JSON", "logGroup": "g"}),
        (LOGGING, {"logFormat": "JSON", "logGroup": "g"}, {"LogFormat": "JSON"}, {"logFormat": "JSON"}),
        (
            ATTRIBUTES,
            [{"name": "pk", "type": "S"}],
            [{"AttributeName": "sk", "AttributeType": "N"}, {"AttributeName": "pk", "AttributeType": "S"}],
            [{"name": "pk", "type": "S"}, {"name": "sk", "type": "N"}],
        ),
        (
            ENVIRONMENT,
            {"variables": {"A": Secret("old"), "B": "kept"}},
            {"Variables": {"B": "kept", "A": "new", "C": "added"}},
            {"variables": {"A": Secret("new"), "B": "kept", "C": "added"}},
        ),
        (ENVIRONMENT, Secret({"variables": {"A": "1"}}), {"Variables": {"A": "2"}}, Secret({"variables": {"A": "2"}})),
        (TEXT, Secret("old"), None, None),
        (
            ("lambda", "CreateFunction", "VpcConfig"),
            None,
            {"SubnetIds": ["s"], "SecurityGroupIds": []},
            {"subnetIds": ["s"]},
        ),
        (
            RULES,
            {"rule": [{"id": "a", "expiration": {"days": 1}}]},
            {"Rules": [{"ID": "a", "Expiration": {"Date": datetime(2027, 1, 1, tzinfo=UTC)}}]},
            {"rule": [{"id": "a", "expiration": {"date": "2027-01-01T00:00:00+00:00"}}]},
        ),
    ],
)  # fmt: skip
def test_another_value_is_converted_to_the_form_of_the_program(
    place: tuple[str, str, str], given: Any, current: Any, expected: Any
) -> None:
    renames = RENAMES if place == ATTRIBUTES else {}
    restored = to_current_input(given, current, parameter(*place), renames)
    assert restored == expected
    assert type(restored) is type(expected)


@pytest.mark.parametrize(
    ("member", "name"),
    [("KMSKeyArn", "kmsKeyArn"), ("OKActions", "okActions"), ("ID", "id"), ("Arn", "arn"), ("S3Key", "s3Key")],
)
def test_a_member_that_the_program_does_not_give_gets_the_name_of_pulumi(member: str, name: str) -> None:
    shapes: dict[str, Any] = {"Text": {"type": "string"}}
    model: dict[str, Any] = {"type": "structure", "members": {member: {"shape": "Text"}}}
    shape = StructureShape("Settings", model, ShapeResolver(shapes))
    assert to_current_input({}, {member: "by hand"}, shape, {}) == {name: "by hand"}


def test_a_value_in_the_form_of_pulumi_is_compared_without_a_shape() -> None:
    given = [{"name": "open", "keys": ["b", "a"], "size": 1}]
    assert to_current_input(given, [{"name": "open", "keys": ["a", "b"], "size": 1, "none": None}], None, {}) == given
    assert to_current_input(given, [{"name": "open", "keys": ["a"]}], None, {}) == [{"name": "open", "keys": ["a"]}]
    assert to_current_input("text", {"a": 1}, None, {}) == '{"a": 1}'

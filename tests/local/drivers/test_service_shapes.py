"""Tests of the conversion of Pulumi's values into parameters of a service, and of the check of the service's rules."""

from typing import Any

import pytest
from botocore.model import StructureShape

from local.drivers.service_shapes import ShapeMismatch, find_violations, fit_to_shape, service_model
from local.property_values import UNKNOWN, Secret

pytestmark = pytest.mark.unit


def shape(operation: str) -> StructureShape:
    """Return the shape of the parameters of an operation, for example `sqs:CreateQueue`."""
    service, _, name = operation.partition(":")
    result = service_model(service).operation_model(name).input_shape
    assert result is not None
    return result


def to_parameters(operation: str, value: dict[str, Any]) -> Any:
    return fit_to_shape(value, shape(operation), {}, operation)


@pytest.mark.parametrize(
    ("operation", "value", "expected"),
    [
        (
            "s3:PutBucketLifecycleConfiguration",
            {"lifecycleConfiguration": {"rule": [{"status": "Enabled", "transition": [{"days": 1}]}]}},
            {"LifecycleConfiguration": {"Rules": [{"Status": "Enabled", "Transitions": [{"Days": 1}]}]}},
        ),
        (
            "lambda:UpdateFunctionConfiguration",
            {"functionName": "f", "deadLetterConfig": [{"targetArn": "arn"}]},
            {"FunctionName": "f", "DeadLetterConfig": {"TargetArn": "arn"}},
        ),
        (
            "iam:TagRole",
            {"tags": {"b": "2", "a": "1"}},
            {"Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]},
        ),
        (
            "cloudwatch:PutMetricAlarm",
            {"dimensions": {"QueueName": UNKNOWN}},
            {"Dimensions": [{"Name": "QueueName", "Value": UNKNOWN}]},
        ),
        (
            "sqs:CreateQueue",
            {"attributes": {"VisibilityTimeout": 30, "SqsManagedSseEnabled": True}},
            {"Attributes": {"VisibilityTimeout": "30", "SqsManagedSseEnabled": "true"}},
        ),
        ("lambda:CreateFunction", {"timeout": "30", "publish": "true"}, {"Timeout": 30, "Publish": True}),
        (
            "ssm:PutParameter",
            {"value": Secret("s3cret"), "description": UNKNOWN},
            {"Value": "s3cret", "Description": UNKNOWN},
        ),
    ],
    ids=[
        "case and plural",
        "list with one structure",
        "tags",
        "dimensions",
        "text",
        "number and boolean",
        "secret and unknown",
    ],
)
def test_values_are_converted_to_the_shape_of_the_service(
    operation: str, value: dict[str, Any], expected: object
) -> None:
    assert to_parameters(operation, value) == expected


def test_two_structures_are_refused_if_the_service_takes_one() -> None:
    with pytest.raises(ShapeMismatch, match="takes one structure, but 2 are given"):
        to_parameters("lambda:UpdateFunctionConfiguration", {"deadLetterConfig": [{}, {}]})


def test_an_unknown_member_is_refused() -> None:
    with pytest.raises(ShapeMismatch, match="CreateQueue has no member colour"):
        to_parameters("sqs:CreateQueue", {"colour": "blue"})


@pytest.mark.parametrize(
    ("operation", "value", "rule"),
    [
        ("sqs:CreateQueue", {}, "is required"),
        ("dynamodb:CreateTable", {"TableName": "t", "KeySchema": [], "AttributeDefinitions": []}, "needs at least 1 items"),
        ("iam:CreateRole", {"RoleName": "r" * 65, "AssumeRolePolicyDocument": "{}"}, "takes at most 64 characters"),
        ("iam:CreateRole", {"RoleName": "no spaces", "AssumeRolePolicyDocument": "{}"}, "must match"),
        ("s3:PutBucketVersioning", {"Bucket": "b", "VersioningConfiguration": {"Status": "On"}}, "must be one of"),
        ("lambda:PutFunctionEventInvokeConfig", {"FunctionName": "f", "MaximumRetryAttempts": 3}, "must be at most 2"),
        ("lambda:PutFunctionEventInvokeConfig", {"FunctionName": "f", "MaximumEventAgeInSeconds": 1}, "must be at least 60"),
    ],
    ids=["required", "count", "length", "pattern", "enumeration", "maximum", "minimum"],
)  # fmt: skip
def test_each_violated_rule_is_reported(operation: str, value: dict[str, Any], rule: str) -> None:
    violated_rules = [violation.rule for violation in find_violations(value, shape(operation), operation)]
    assert any(violated_rule.startswith(rule) for violated_rule in violated_rules), violated_rules


@pytest.mark.parametrize(
    ("operation", "value"),
    [
        ("iam:CreateRole", {"RoleName": "r" * 64, "AssumeRolePolicyDocument": "{}"}),
        ("s3:PutBucketVersioning", {"Bucket": "b", "VersioningConfiguration": {"Status": "Enabled"}}),
        (
            "lambda:PutFunctionEventInvokeConfig",
            {"FunctionName": "f", "MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 60},
        ),
        ("iam:CreateRole", {"RoleName": UNKNOWN, "AssumeRolePolicyDocument": UNKNOWN}),
    ],
)
def test_valid_values_violate_no_rule(operation: str, value: dict[str, Any]) -> None:
    assert list(find_violations(value, shape(operation), operation)) == []

"""Tests of the correction of requests for which the AWS emulator would evaluate a wrong action, resource or key.

Our own evaluator decides on a corrected request. Without a correction, the emulator decides.
"""

from typing import Any
from urllib.parse import quote

import pytest

from local.emulation.iam.access_request_corrections import (
    correct_request,
    find_job_resource,
    find_leading_keys,
    find_memory_resource,
    make_tagging_request,
)
from local.emulation.iam.policy_evaluator import AccessRequest

pytestmark = pytest.mark.unit

TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/files"
MEMORY = "polyphony_dev_clipAgentMemory-a1B2c3D4e5"
MEMORY_ARN = f"arn:aws:bedrock-agentcore:us-east-1:123456789012:memory/{MEMORY}"


def test_assuming_a_role_with_session_tags_requires_tag_session() -> None:
    body = {"Action": "AssumeRole", "Tags.member.1.Key": "user", "Tags.member.1.Value": "u1", "RoleSessionName": "x"}
    result = make_tagging_request("sts:AssumeRole", "arn:role", body)
    assert result == AccessRequest("sts:TagSession", "arn:role", {"aws:RequestTag/user": "u1", "aws:TagKeys": ["user"]})
    assert make_tagging_request("sts:AssumeRole", "arn:role", {"Action": "AssumeRole"}) is None
    assert make_tagging_request("sts:GetCallerIdentity", "*", body) is None


@pytest.mark.parametrize(
    ("path", "resource"),
    [
        (f"/memories/{MEMORY}/events", MEMORY_ARN),
        (f"/memories/{quote(MEMORY_ARN, safe='')}/events", MEMORY_ARN),
        (f"/memories/{MEMORY_ARN}/events", MEMORY_ARN),
        ("/memories/create", None),
        ("/runtimes/a-b1B2c3D4e5/x", None),
    ],
)
def test_a_request_to_a_memory_has_the_memory_as_its_resource(path: str, resource: str | None) -> None:
    assert find_memory_resource(path, "us-east-1", "123456789012") == resource


def test_terminating_a_job_has_the_job_as_its_resource() -> None:
    job = find_job_resource("/v1/terminatejob", {"jobId": "a1-b2", "reason": "late"}, "us-east-1", "123456789012")
    assert job == "arn:aws:batch:us-east-1:123456789012:job/a1-b2"
    assert find_job_resource("/v1/terminatejob", {}, "us-east-1", "123456789012") is None
    assert find_job_resource("/v1/describejobs", {"jobId": "a1-b2"}, "us-east-1", "123456789012") is None


@pytest.mark.parametrize(
    ("action", "body", "corrected"),
    [
        (
            "cloudwatch:PutMetricData",
            {"Namespace": "Polyphony"},
            AccessRequest("cloudwatch:PutMetricData", "arn", {"cloudwatch:namespace": "Polyphony"}),
        ),
        (
            "events:PutEvents",
            {"Entries": [{"Source": "polyphony"}, {"Source": "polyphony"}]},
            AccessRequest("events:PutEvents", "arn", {"events:source": "polyphony"}),
        ),
        (
            "events:PutEvents",
            {"Entries": [{"Source": "polyphony"}, {"Source": "aws.s3"}]},
            AccessRequest("events:PutEvents", "arn", {"events:source": "aws.s3\npolyphony"}),
        ),
        ("sqs:SendMessageBatch", {}, AccessRequest("sqs:SendMessage", "arn")),
    ],
    ids=["metric namespace", "event source", "several event sources, which must match no condition", "message batch"],
)
def test_a_request_gets_the_action_and_condition_keys_that_iam_evaluates(
    action: str, body: dict[str, Any], corrected: AccessRequest
) -> None:
    assert correct_request(action, "arn", body, documents=[], partition_keys=[]) == corrected


@pytest.mark.parametrize(
    ("statement", "has_variable"),
    [
        ({"Action": "s3:PutObject", "Resource": "arn:aws:s3:::b/${aws:userid}/*"}, True),
        ([{"Condition": {"StringLike": {"s3:prefix": "${aws:userid}/*"}}}], True),
        ([{"Condition": {"StringLike": {"s3:prefix": "queries/*"}}}], False),
    ],
    ids=["variable in a resource", "variable in a condition", "no variable"],
)
def test_our_evaluator_decides_on_every_request_of_a_role_whose_policies_have_variables(
    statement: Any, has_variable: bool
) -> None:
    documents = [{"Statement": []}, {"Statement": statement}]
    request = correct_request("s3:PutObject", "arn:aws:s3:::b/k", {}, documents, partition_keys=[])
    assert request == (AccessRequest("s3:PutObject", "arn:aws:s3:::b/k") if has_variable else None)


@pytest.mark.parametrize(
    ("key", "context"), [("aws:SourceAccount", None), ("dynamodb:LeadingKeys", {"dynamodb:leadingkeys": ["ann"]})]
)
def test_our_evaluator_decides_on_dynamodb_requests_only_if_a_policy_has_leading_keys(
    key: str, context: dict[str, list[str]] | None
) -> None:
    condition = {"ForAllValues:StringLike": {key: "x"}}
    document = {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition}}
    request = correct_request(
        "dynamodb:GetItem", TABLE, {"Key": {"pk": {"S": "ann"}}}, [document], partition_keys=["pk"]
    )
    assert request == (AccessRequest("dynamodb:GetItem", TABLE, context) if context else None)


@pytest.mark.parametrize(
    ("body", "keys"),
    [
        ({"Key": {"pk": {"S": "a"}, "sk": {"S": "b"}}}, ["a"]),
        ({"Item": {"pk": {"S": "a"}, "x": {"S": "b"}}}, ["a"]),
        ({"KeyConditionExpression": "pk = :p", "ExpressionAttributeValues": {":p": {"S": "a"}}}, ["a"]),
        (
            {
                "KeyConditionExpression": "#k = :p AND begins_with(sk, :s)",
                "ExpressionAttributeNames": {"#k": "pk"},
                "ExpressionAttributeValues": {":p": {"S": "a"}, ":s": {"S": "b"}},
            },
            ["a"],
        ),
        ({"TableName": "t"}, []),
    ],
    ids=["key", "item", "query", "query by name", "scan"],
)  # fmt: skip
def test_the_leading_keys_of_a_request_are_its_partition_keys(body: dict[str, Any], keys: list[str]) -> None:
    assert find_leading_keys(body, partition_keys=["pk"]) == keys

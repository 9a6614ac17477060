"""Tests of the comparison of grants with their use, and of the requests that the emulator misjudges."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from local.emulation.iam.decision_log import BY_SCHEDULE, Decision, DecisionRecorder, log_size, read_decisions
from local.emulation.iam.grant_usage import ReviewedGrant, RoleGrant, compare_grants, list_document_grants
from local.emulation.iam.policy_evaluator import AccessRequest, AccessVerdict
from local.emulation.iam.request_corrections import (
    correct_request,
    find_job_resource,
    find_leading_keys,
    find_memory_resource,
    make_tagging_request,
)

pytestmark = pytest.mark.unit

PREFIX = "polyphony-local-"
ROLE = f"{PREFIX}ingestion-builder"
TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/files"
PUT = RoleGrant(ROLE, "dynamodb:PutItem", TABLE)
GET = RoleGrant(ROLE, "dynamodb:GetItem", TABLE)
MEMORY = "polyphony_dev_clipAgentMemory-a1B2c3D4e5"
MEMORY_ARN = f"arn:aws:bedrock-agentcore:us-east-1:123456789012:memory/{MEMORY}"


def decided(
    action: str,
    verdict: AccessVerdict = AccessVerdict.ALLOW,
    resource: str = TABLE,
    role: str = ROLE,
    by: str = "emulator",
) -> Decision:
    return Decision(role, action, resource, verdict, by)


def reviewed(action: str, role: str = "ingestion-*") -> ReviewedGrant:
    return ReviewedGrant(role, (action,), "the reason")


USED = decided("dynamodb:PutItem")
UNUSED = f"granted and never used: {ROLE} may dynamodb:GetItem on {TABLE}; remove the grant, or give the reason in "
STALE = "reviewed_grants.toml lists {}, which is used or not granted: remove it"


@pytest.mark.parametrize(
    ("granted", "decisions", "entries", "problems"),
    [
        ([PUT], [USED], [], []),
        ([PUT, GET], [USED], [], [UNUSED + "reviewed_grants.toml"]),
        ([PUT, GET], [USED], [reviewed("dynamodb:Get*")], []),
        ([PUT], [USED], [reviewed("dynamodb:PutItem", "*")], [STALE.format("dynamodb:PutItem of *")]),
        ([PUT], [USED], [reviewed("*", "gone")], [STALE.format("* of gone")]),
        (
            [PUT],
            [USED, decided("dynamodb:Scan", AccessVerdict.IMPLICIT_DENY)],
            [],
            [f"used and not granted: {ROLE}: dynamodb:Scan on {TABLE}: implicit-deny"],
        ),
    ],
    ids=["used", "unused", "reviewed", "reviewed and used", "reviewed and not granted", "missing"],
)
def test_unused_missing_and_stale_grants_are_problems(
    granted: list[RoleGrant], decisions: list[Decision], entries: list[ReviewedGrant], problems: list[str]
) -> None:
    assert compare_grants(granted, decisions, entries, PREFIX).problems() == problems


def test_a_call_of_a_schedule_is_not_a_use_of_the_grant() -> None:
    """The table must not depend on whether a schedule runs during a flow, which is random."""
    call = decided("dynamodb:PutItem", by=BY_SCHEDULE)
    assert compare_grants([PUT], [call], [reviewed("dynamodb:PutItem")], PREFIX).problems() == []
    refusal = decided("dynamodb:PutItem", AccessVerdict.IMPLICIT_DENY, by=BY_SCHEDULE)
    assert compare_grants([PUT], [refusal], [reviewed("*")], PREFIX).not_granted == (refusal,)


@pytest.mark.parametrize(
    "decision",
    [
        decided("dynamodb:PutItem", role="another"),
        decided("dynamodb:PutItem", resource=f"{TABLE}2"),
        decided("dynamodb:PutItem", AccessVerdict.DENY),
    ],
    ids=["another role", "another resource", "refused"],
)
def test_a_grant_counts_as_used_only_by_its_own_role_on_its_own_resource(decision: Decision) -> None:
    assert compare_grants([PUT], [decision], [], PREFIX).used == ()


def test_a_document_grants_each_action_on_each_resource_and_a_deny_grants_nothing() -> None:
    document = {
        "Statement": [
            {"Effect": "Allow", "Action": ["a:B", "a:C"], "Resource": ["r1", "r2"]},
            {"Effect": "Allow", "Action": "a:D", "Resource": "r3"},
            {"Effect": "Deny", "Action": "a:*", "Resource": "*"},
        ]
    }
    assert sorted((item.action, item.resource) for item in list_document_grants("role", document)) == [
        ("a:B", "r1"), ("a:B", "r2"), ("a:C", "r1"), ("a:C", "r2"), ("a:D", "r3"),
    ]  # fmt: skip


def test_decisions_are_read_from_an_offset(tmp_path: Path) -> None:
    recorder = DecisionRecorder(tmp_path)
    recorder.record(decided("dynamodb:PutItem"))
    mark = log_size(tmp_path)
    recorder.record(decided("dynamodb:Scan", AccessVerdict.DENY))
    assert read_decisions(tmp_path, mark) == [decided("dynamodb:Scan", AccessVerdict.DENY)]
    assert len(read_decisions(tmp_path)) == 2


def test_an_incomplete_line_is_not_read_and_lies_after_the_offset(tmp_path: Path) -> None:
    DecisionRecorder(tmp_path).record(decided("dynamodb:PutItem"))
    [record] = tmp_path.iterdir()
    line = record.read_bytes()
    for cut in range(len(line)):
        record.write_bytes(line + line[:cut])
        mark = log_size(tmp_path)
        assert len(read_decisions(tmp_path)) == 1
        record.write_bytes(line + line)
        assert read_decisions(tmp_path, mark) == [decided("dynamodb:PutItem")]


def test_a_policy_variable_in_a_grant_matches_any_value() -> None:
    own = RoleGrant(ROLE, "s3:PutObject", "arn:aws:s3:::b/queries/${cognito-identity.amazonaws.com:sub}/*")
    used = decided("s3:PutObject", resource="arn:aws:s3:::b/queries/us-east-1:0001/question.webm")
    assert compare_grants([own], [used], [], PREFIX).used == (own,)
    elsewhere = decided("s3:PutObject", resource="arn:aws:s3:::b/lectures/us-east-1:0001/lecture.mp3")
    assert compare_grants([own], [elsewhere], [], PREFIX).never_used == (own,)


def test_assuming_a_role_with_session_tags_needs_tag_session() -> None:
    body = {"Action": "AssumeRole", "Tags.member.1.Key": "user", "Tags.member.1.Value": "u1", "RoleSessionName": "x"}
    result = make_tagging_request("sts:AssumeRole", "arn:role", body)
    assert result == AccessRequest("sts:TagSession", "arn:role", {"aws:RequestTag/user": "u1", "aws:TagKeys": ["user"]})
    assert make_tagging_request("sts:AssumeRole", "arn:role", {"Action": "AssumeRole"}) is None
    assert make_tagging_request("sts:GetCallerIdentity", "*", body) is None


@pytest.mark.parametrize(
    ("path", "resource"),
    [
        (f"/memories/{MEMORY}/events", MEMORY_ARN),
        (f"/memories/{MEMORY}/actor/a/memories/sessions/s", MEMORY_ARN),
        (f"/memories/{quote(MEMORY_ARN, safe='')}/events", MEMORY_ARN),
        (f"/memories/{MEMORY_ARN}/events", MEMORY_ARN),
        ("/memories/", None),
        ("/memories/create", None),
        ("/runtimes/a-b1B2c3D4e5/x", None),
    ],
)
def test_a_request_to_a_memory_has_the_memory_as_its_resource(path: str, resource: str | None) -> None:
    assert find_memory_resource(path, "us-east-1", "123456789012") == resource


@pytest.mark.parametrize("path", ["/v1/canceljob", "/v1/terminatejob"])
def test_ending_a_job_has_the_job_as_its_resource(path: str) -> None:
    job = find_job_resource(path, {"jobId": "a1-b2", "reason": "enough"}, "us-east-1", "123456789012")
    assert job == "arn:aws:batch:us-east-1:123456789012:job/a1-b2"
    assert find_job_resource(path, {}, "us-east-1", "123456789012") is None
    assert find_job_resource("/v1/describejobs", {"jobId": "a1-b2"}, "us-east-1", "123456789012") is None


def sources(*names: str) -> dict[str, Any]:
    return {"Entries": [{"Source": name} for name in names]}


@pytest.mark.parametrize(
    ("action", "body", "request_of_iam"),
    [
        (
            "cloudwatch:PutMetricData",
            {"Namespace": "Polyphony"},
            AccessRequest("cloudwatch:PutMetricData", "arn", {"cloudwatch:namespace": "Polyphony"}),
        ),
        (
            "events:PutEvents",
            sources("ours", "ours"),
            AccessRequest("events:PutEvents", "arn", {"events:source": "ours"}),
        ),
        (
            "events:PutEvents",
            sources("ours", "aws.s3"),
            AccessRequest("events:PutEvents", "arn", {"events:source": "aws.s3\nours"}),
        ),
        ("sqs:SendMessageBatch", {}, AccessRequest("sqs:SendMessage", "arn")),
    ],
    ids=["metric namespace", "event source", "several event sources", "message batch"],
)
def test_a_misjudged_request_is_corrected(action: str, body: dict[str, Any], request_of_iam: AccessRequest) -> None:
    assert correct_request(action, "arn", body, [], []) == request_of_iam


@pytest.mark.parametrize(
    ("statement", "is_corrected"),
    [
        ({"Action": "s3:PutObject", "Resource": "arn:aws:s3:::b/${aws:userid}/*"}, True),
        ([{"Action": ["s3:PutObject"], "Resource": ["arn:aws:s3:::b/${aws:userid}/*"]}], True),
        ([{"Condition": {"StringLike": {"s3:prefix": "${aws:userid}/*"}}}], True),
        ([{"Condition": {"StringLike": {"s3:prefix": "queries/*"}}}], False),
        ([], False),
    ],
    ids=["in a resource", "in a list", "in a condition", "no variable", "no statement"],
)
def test_every_request_of_a_role_with_policy_variables_is_evaluated_again(statement: Any, is_corrected: bool) -> None:
    documents = [{"Statement": []}, {"Statement": statement}]
    request = correct_request("s3:PutObject", "arn:aws:s3:::b/k", {}, documents, [])
    assert request == (AccessRequest("s3:PutObject", "arn:aws:s3:::b/k") if is_corrected else None)


@pytest.mark.parametrize(
    ("key", "context"),
    [("aws:SourceAccount", None), ("dynamodb:LeadingKeys", {"dynamodb:leadingkeys": ["me"]})],
)
def test_dynamodb_requests_are_evaluated_again_only_if_a_policy_has_leading_keys(
    key: str, context: dict[str, list[str]] | None
) -> None:
    condition = {"ForAllValues:StringLike": {key: "x"}}
    document = {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition}}
    request = correct_request("dynamodb:GetItem", TABLE, {"Key": {"pk": {"S": "me"}}}, [document], ["pk"])
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
    assert find_leading_keys(body, ["pk"]) == keys

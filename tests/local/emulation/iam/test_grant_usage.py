"""Tests of the comparison of grants with their use, and of the requests that the emulator misjudges."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from local.emulation.iam.decision_log import BY_SCHEDULE, Decision, DecisionRecorder, log_size, read_decisions
from local.emulation.iam.grant_usage import ReviewedGrant, RoleGrant, compare_grants, document_grants
from local.emulation.iam.policy_evaluator import AccessRequest, AccessVerdict
from local.emulation.iam.request_corrections import (
    correct_request,
    job_resource,
    leading_keys,
    memory_resource,
    session_tagging,
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
    action: str, verdict: AccessVerdict = AccessVerdict.ALLOW, resource: str = TABLE, role: str = ROLE
) -> Decision:
    return Decision(role, action, resource, verdict, "emulator")


def test_a_used_grant_is_no_problem() -> None:
    result = compare_grants([PUT], [decided("dynamodb:PutItem")], [], PREFIX)
    assert result.used == (PUT,)
    assert result.problems() == []


def test_a_call_of_a_schedule_is_not_a_use_of_the_grant() -> None:
    """The table must not depend on whether a schedule runs during a flow, which is random."""
    reviewed = [ReviewedGrant("ingestion-*", ("dynamodb:PutItem",), "the schedule's first call is minutes away")]
    ticked = Decision(ROLE, "dynamodb:PutItem", TABLE, AccessVerdict.ALLOW, BY_SCHEDULE)
    assert compare_grants([PUT], [ticked], reviewed, PREFIX).problems() == []
    refused = Decision(ROLE, "dynamodb:PutItem", TABLE, AccessVerdict.IMPLICIT_DENY, BY_SCHEDULE)
    assert compare_grants([PUT], [refused], reviewed, PREFIX).problems() != []


def test_an_unused_grant_is_a_problem() -> None:
    result = compare_grants([PUT, GET], [decided("dynamodb:PutItem")], [], PREFIX)
    [problem] = result.problems()
    assert problem.startswith(f"granted and never used: {ROLE} may dynamodb:GetItem on {TABLE}; remove the grant, or")


def test_assuming_a_role_with_session_tags_needs_tag_session() -> None:
    body = {"Action": "AssumeRole", "Tags.member.1.Key": "user", "Tags.member.1.Value": "u1", "RoleSessionName": "x"}
    result = session_tagging("sts:AssumeRole", "arn:role", body)
    assert result == AccessRequest("sts:TagSession", "arn:role", {"aws:RequestTag/user": "u1", "aws:TagKeys": ["user"]})
    assert session_tagging("sts:AssumeRole", "arn:role", {"Action": "AssumeRole"}) is None
    assert session_tagging("sts:GetCallerIdentity", "*", body) is None


def test_a_reviewed_unused_grant_is_no_problem() -> None:
    reviewed = [ReviewedGrant("ingestion-*", ("dynamodb:Get*",), "for the repair script")]
    assert compare_grants([PUT, GET], [decided("dynamodb:PutItem")], reviewed, PREFIX).problems() == []


def test_the_use_of_a_missing_grant_is_always_a_problem() -> None:
    reviewed = [ReviewedGrant("*", ("*",), "everything")]
    result = compare_grants([PUT], [decided("dynamodb:Scan", AccessVerdict.IMPLICIT_DENY)], reviewed, PREFIX)
    assert result.problems() == [f"used and not granted: {ROLE}: dynamodb:Scan on {TABLE}: implicit-deny"]


def test_a_stale_review_is_a_problem() -> None:
    reviewed = [
        ReviewedGrant("*", ("dynamodb:PutItem",), "used after all"),
        ReviewedGrant("gone", ("*",), "no such role"),
    ]
    result = compare_grants([PUT], [decided("dynamodb:PutItem")], reviewed, PREFIX)
    assert [problem.split(" lists ")[1] for problem in result.problems()] == [
        "dynamodb:PutItem of *, which is used or not granted: remove it",
        "* of gone, which is used or not granted: remove it",
    ]


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
    assert sorted((item.action, item.resource) for item in document_grants("role", document)) == [
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


def conditioned(operator: str, key: str) -> list[dict[str, Any]]:
    return [{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {operator: {key: "x"}}}}]


@pytest.mark.parametrize(
    "path",
    [
        f"/memories/{MEMORY}/events",
        f"/memories/{MEMORY}/actor/a/memories/sessions/s",
        f"/memories/{MEMORY}/update",
        f"/memories/{quote(MEMORY_ARN, safe='')}/events",
        f"/memories/{MEMORY_ARN}/events",
    ],
)
def test_a_request_to_a_memory_has_the_memory_as_its_resource(path: str) -> None:
    assert memory_resource(path, "us-east-1", "123456789012") == MEMORY_ARN


@pytest.mark.parametrize("path", ["/v1/canceljob", "/v1/terminatejob"])
def test_ending_a_job_has_the_job_as_its_resource(path: str) -> None:
    job = job_resource(path, {"jobId": "a1-b2", "reason": "enough"}, "us-east-1", "123456789012")
    assert job == "arn:aws:batch:us-east-1:123456789012:job/a1-b2"
    assert job_resource(path, {}, "us-east-1", "123456789012") is None
    assert job_resource("/v1/describejobs", {"jobs": ["a1-b2"]}, "us-east-1", "123456789012") is None


@pytest.mark.parametrize("path", ["/memories", "/memories/", "/memories/create", "/runtimes/a-b1B2c3D4e5/x", "/"])
def test_a_path_without_a_memory_has_no_memory_resource(path: str) -> None:
    assert memory_resource(path, "us-east-1", "123456789012") is None


def test_put_metric_data_is_evaluated_with_its_namespace() -> None:
    request = correct_request("cloudwatch:PutMetricData", "*", {"Namespace": "Polyphony"}, [], [])
    assert request is not None
    assert request.context == {"cloudwatch:namespace": "Polyphony"}


@pytest.mark.parametrize(
    ("document", "again"),
    [
        ({"Statement": {"Action": "s3:PutObject", "Resource": "arn:aws:s3:::b/${aws:userid}/*"}}, True),
        ({"Statement": [{"Action": ["s3:PutObject"], "Resource": ["arn:aws:s3:::b/${aws:userid}/*"]}]}, True),
        ({"Statement": [{"Condition": {"StringLike": {"s3:prefix": "${aws:userid}/*"}}}]}, True),
        ({"Statement": [{"Condition": {"StringLike": {"s3:prefix": "queries/*"}}}]}, False),
        ({"Statement": []}, False),
    ],
    ids=["in a resource", "in a list", "in a condition", "none", "nothing"],
)
def test_every_request_of_a_role_with_policy_variables_is_evaluated_again(
    document: dict[str, Any], again: bool
) -> None:
    request = correct_request("s3:PutObject", "arn:aws:s3:::b/k", {}, [{"Statement": []}, document], [])
    assert request == (AccessRequest("s3:PutObject", "arn:aws:s3:::b/k") if again else None)


def test_dynamodb_requests_are_evaluated_again_only_if_a_policy_has_leading_keys() -> None:
    body = {"Key": {"pk": {"S": "me"}}}
    plain = conditioned("StringEquals", "aws:SourceAccount")
    keyed = conditioned("ForAllValues:StringLike", "dynamodb:LeadingKeys")
    assert correct_request("dynamodb:GetItem", TABLE, body, plain, ["pk"]) is None
    request = correct_request("dynamodb:GetItem", TABLE, body, keyed, ["pk"])
    assert request is not None
    assert request.context == {"dynamodb:leadingkeys": ["me"]}


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
    assert leading_keys(body, ["pk"]) == keys


@pytest.mark.parametrize(
    ("sources", "known"),
    [(["ours"], "ours"), (["ours", "ours"], "ours"), (["ours", "aws.s3"], "aws.s3\nours"), ([], "")],
)
def test_put_events_is_evaluated_with_its_source_and_several_sources_match_none(sources: list[str], known: str) -> None:
    body = {"Entries": [{"Source": item} for item in sources]}
    request = correct_request("events:PutEvents", "arn:aws:events:::bus", body, [], [])
    assert request is not None
    assert request.context == {"events:source": known}


def test_a_message_batch_is_evaluated_as_send_message() -> None:
    request = correct_request("sqs:SendMessageBatch", "arn:aws:sqs:::queue", {}, [], [])
    assert request == AccessRequest("sqs:SendMessage", "arn:aws:sqs:::queue")

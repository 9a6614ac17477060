"""Reading IAM documents, and what IAM's own table says of actions."""

import fnmatch
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails import actions
from guardrails.iam import could_meet, matches, statements

WORDS = st.text(alphabet="ab", max_size=6)
PATTERNS = st.text(alphabet="ab*", max_size=6)


def test_single_values_are_read_as_lists() -> None:
    text = json.dumps({"Statement": {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "x", "Principal": "*"}})
    [one] = statements(text)
    assert (one.actions, one.resources, one.principals) == (("s3:GetObject",), ("x",), (("*", "*"),))


def test_a_document_may_be_given_as_a_structure() -> None:
    [one] = statements({"Statement": [{"Effect": "Deny", "Principal": {"AWS": ["a", "b"]}}]})
    assert not one.allows
    assert one.principals == (("AWS", "a"), ("AWS", "b"))


@pytest.mark.parametrize(
    ("condition", "narrowed"),
    [
        ({"StringEquals": {"aws:SourceAccount": "1"}}, True),
        ({"StringEquals": {"AWS:sourceaccount": ["1"]}}, True),
        ({"StringLike": {"aws:SourceAccount": "*"}}, False),
        ({"StringNotEquals": {"aws:SourceAccount": "1"}}, False),
        ({"StringEqualsIfExists": {"aws:SourceAccount": "1"}}, False),
        ({"Null": {"aws:SourceAccount": "false"}}, False),
        ({"NumericGreaterThan": {"aws:SourceAccount": "1"}}, False),
        ({"stringnotequals": {"aws:SourceAccount": "1"}}, False),
        ({"ArnLike": {"aws:SourceAccount": "1*"}}, True),
        ({"StringLike": {"aws:SourceAccount": ["1", "*"]}}, False),
        ({"ForAnyValue:StringEquals": {"aws:SourceAccount": "1"}}, True),
        ({"ForAllValues:StringEquals": {"aws:SourceAccount": "1"}}, False),
        ({"ForAllValues:StringEquals": {"aws:SourceAccount": "1"}, "Null": {"aws:sourceAccount": "true"}}, False),
        ({"ForAllValues:StringEquals": {"aws:SourceAccount": "1"}, "Null": {"aws:sourceAccount": False}}, True),
        ({}, False),
    ],
)
def test_only_a_comparison_with_more_than_a_wildcard_narrows(condition: dict[str, object], narrowed: bool) -> None:
    [one] = statements({"Statement": [{"Effect": "Allow", "Condition": condition}]})
    assert one.narrowed_by("aws:SourceAccount") is narrowed


@pytest.mark.parametrize(
    ("condition", "pinned"),
    [
        ({"StringEquals": {"aws:SourceAccount": ["1", "2"]}}, True),
        ({"StringLike": {"aws:sourceAccount": "1"}}, True),
        ({"StringLike": {"aws:SourceAccount": "1*"}}, False),
        ({"StringLike": {"aws:SourceAccount": ["1", "?2"]}}, False),
        ({"StringEqualsIfExists": {"aws:SourceAccount": "1"}}, False),
        ({}, False),
    ],
)
def test_only_whole_values_pin(condition: dict[str, object], pinned: bool) -> None:
    [one] = statements({"Statement": [{"Effect": "Allow", "Condition": condition}]})
    assert one.pinned_by("aws:SourceAccount") is pinned


def test_actions_match_as_iam_matches_them() -> None:
    assert matches("s3:GetObject", "S3:get*")
    assert matches("s3:GetObject", "s3:GetObjec?")
    assert not matches("s3:GetObject", "s3.GetObject")


@given(PATTERNS, WORDS)
def test_a_pattern_meets_every_text_that_it_covers_and_no_other(pattern: str, text: str) -> None:
    assert could_meet(pattern, text) == fnmatch.fnmatchcase(text, pattern)


@given(PATTERNS, PATTERNS)
def test_meeting_is_mutual(one: str, other: str) -> None:
    assert could_meet(one, other) == could_meet(other, one)


@given(PATTERNS, PATTERNS, WORDS)
def test_two_patterns_of_one_text_meet(one: str, other: str, text: str) -> None:
    if fnmatch.fnmatchcase(text, one) and fnmatch.fnmatchcase(text, other):
        assert could_meet(one, other)


@pytest.mark.parametrize(
    "action",
    [
        "transcribe:StartStreamTranscription",
        "transcribe:StartTranscriptionJob",
        "xray:PutTraceSegments",
        "batch:DescribeJobs",
        "cloudwatch:PutMetricData",
        "bedrock:ListInferenceProfiles",
    ],
)
def test_these_have_no_resource_level(action: str) -> None:
    assert actions.exists(action)
    assert not actions.has_resource_level(action)


@pytest.mark.parametrize(
    "action", ["bedrock:InvokeModel", "bedrock-agentcore:CreateEvent", "iam:PassRole", "mediaconvert:CreateJob"]
)
def test_these_have_one(action: str) -> None:
    assert actions.has_resource_level(action)


def test_the_first_resource_of_an_action_on_objects_is_an_object() -> None:
    assert actions.patterns("s3:GetObject")[0] == "arn:*:s3:::*/*"


def test_head_object_is_no_action() -> None:
    assert not actions.exists("s3:HeadObject")
    assert not actions.exists("nosuch:Thing")


def test_a_websocket_connection_can_be_granted() -> None:
    connect = "arn:aws:execute-api:us-east-1:123456789012:abc/live/$connect"
    assert any(could_meet(connect, pattern) for pattern in actions.patterns("execute-api:Invoke"))

"""Tests of the parser of IAM documents, of patterns with wildcards, and of the table of IAM actions."""

import fnmatch
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.model import iam_action_table
from guardrails.model.iam_documents import matches_pattern, parse_statements, patterns_overlap

TEXTS = st.text(alphabet="ab", max_size=6)
PATTERNS = st.text(alphabet="ab*", max_size=6)


def test_single_values_of_a_document_become_tuples() -> None:
    document = {"Statement": {"Effect": "Deny", "Action": "s3:GetObject", "Resource": "x", "Principal": "*"}}
    for text_or_document in (document, json.dumps(document)):
        [statement] = parse_statements(text_or_document)
        assert (statement.actions, statement.resources) == (("s3:GetObject",), ("x",))
        assert statement.principals == (("*", "*"),)
        assert not statement.is_allow


def test_a_list_of_principals_becomes_pairs_of_kind_and_principal() -> None:
    [statement] = parse_statements({"Statement": [{"Effect": "Allow", "Principal": {"AWS": ["a", "b"]}}]})
    assert statement.is_allow
    assert statement.principals == (("AWS", "a"), ("AWS", "b"))


@pytest.mark.parametrize(
    ("condition", "narrowed", "pinned"),
    [
        ({"StringEquals": {"aws:SourceAccount": "1"}}, True, True),
        ({"StringEquals": {"AWS:sourceaccount": ["1", "2"]}}, True, True),
        ({"StringLike": {"aws:sourceAccount": "1"}}, True, True),
        ({"StringLike": {"aws:SourceAccount": "1*"}}, True, False),
        ({"StringLike": {"aws:SourceAccount": ["1", "?2"]}}, True, False),
        ({"ArnLike": {"aws:SourceAccount": "1*"}}, True, False),
        ({"StringLike": {"aws:SourceAccount": "*"}}, False, False),
        ({"StringLike": {"aws:SourceAccount": ["1", "*"]}}, False, False),
        ({"StringNotEquals": {"aws:SourceAccount": "1"}}, False, False),
        ({"stringnotequals": {"aws:SourceAccount": "1"}}, False, False),
        ({"StringEqualsIfExists": {"aws:SourceAccount": "1"}}, False, False),
        ({"Null": {"aws:SourceAccount": "false"}}, False, False),
        ({"NumericGreaterThan": {"aws:SourceAccount": "1"}}, False, False),
        ({"ForAnyValue:StringEquals": {"aws:SourceAccount": "1"}}, True, True),
        ({"ForAllValues:StringEquals": {"aws:SourceAccount": "1"}}, False, False),
        (
            {"ForAllValues:StringEquals": {"aws:SourceAccount": "1"}, "Null": {"aws:sourceAccount": "true"}},
            False,
            False,
        ),
        ({"ForAllValues:StringEquals": {"aws:SourceAccount": "1"}, "Null": {"aws:sourceAccount": False}}, True, True),
        ({}, False, False),
    ],
)
def test_a_condition_narrows_a_key_or_pins_it_to_exact_values(
    condition: dict[str, object], narrowed: bool, pinned: bool
) -> None:
    """A condition narrows a key if it refuses requests without the key, and does not allow every value. It pins the key if
    the allowed values also contain no wildcards.
    """
    [statement] = parse_statements({"Statement": [{"Effect": "Allow", "Condition": condition}]})
    assert statement.is_narrowed_by("aws:SourceAccount") is narrowed
    assert statement.is_pinned_by("aws:SourceAccount") is pinned


def test_actions_match_patterns_without_regard_to_case() -> None:
    assert matches_pattern("s3:GetObject", "S3:get*")
    assert matches_pattern("s3:GetObject", "s3:GetObjec?")
    assert not matches_pattern("s3:GetObject", "s3.GetObject")
    assert matches_pattern("a line\nbreak", "a*?break"), "a wildcard matches every character"


@given(PATTERNS, TEXTS)
def test_a_pattern_overlaps_with_exactly_the_texts_that_it_matches(pattern: str, text: str) -> None:
    assert patterns_overlap(pattern, text) == fnmatch.fnmatchcase(text, pattern)


@given(PATTERNS, PATTERNS)
def test_overlap_is_symmetric(first: str, second: str) -> None:
    assert patterns_overlap(first, second) == patterns_overlap(second, first)


@given(PATTERNS, PATTERNS, TEXTS)
def test_two_patterns_that_match_the_same_text_overlap(first: str, second: str, text: str) -> None:
    if fnmatch.fnmatchcase(text, first) and fnmatch.fnmatchcase(text, second):
        assert patterns_overlap(first, second)


@pytest.mark.parametrize(
    ("action", "can_be_limited"),
    [
        ("transcribe:StartTranscriptionJob", False),
        ("xray:PutTraceSegments", False),
        ("batch:DescribeJobs", False),
        ("cloudwatch:PutMetricData", False),
        ("bedrock:InvokeModel", True),
        ("bedrock-agentcore:CreateEvent", True),
        ("iam:PassRole", True),
        ("mediaconvert:CreateJob", True),
    ],
)
def test_the_action_table_says_which_actions_a_statement_can_limit_to_resources(
    action: str, can_be_limited: bool
) -> None:
    assert iam_action_table.is_known_action(action)
    assert iam_action_table.has_resource_level(action) is can_be_limited


def test_the_action_table_has_the_arn_patterns_of_actions_and_no_unknown_actions() -> None:
    assert iam_action_table.get_arn_patterns("s3:GetObject")[0] == "arn:*:s3:::*/*"
    connect = "arn:aws:execute-api:us-east-1:123456789012:abc/live/$connect"
    assert any(
        patterns_overlap(connect, pattern) for pattern in iam_action_table.get_arn_patterns("execute-api:Invoke")
    )
    assert not iam_action_table.is_known_action("s3:HeadObject")
    assert not iam_action_table.is_known_action("nosuch:Thing")

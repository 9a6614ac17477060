"""Tests of the comparison of grants with their use, and of the log of IAM decisions."""

from pathlib import Path

import pytest

from local.emulation.iam.decision_log import BY_SCHEDULE, Decision, DecisionRecorder, log_size, read_decisions
from local.emulation.iam.grant_usage import ReviewedGrant, RoleGrant, compare_grants, list_document_grants
from local.emulation.iam.policy_evaluator import AccessVerdict

pytestmark = pytest.mark.unit

PREFIX = "polyphony-local-"
ROLE = f"{PREFIX}ingestion-builder"
TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/files"
PUT = RoleGrant(ROLE, "dynamodb:PutItem", TABLE)
GET = RoleGrant(ROLE, "dynamodb:GetItem", TABLE)


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
STALE = "reviewed_grants.toml lists {}, but no unused grant matches this entry; remove the entry"


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

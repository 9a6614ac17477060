"""Tests of the comparison of grants with their use, and of the log of IAM decisions.

A grant is a permission of a role. If no call uses it, an entry in `reviewed_grants.toml` must give the reason.
"""

from pathlib import Path

import pytest

from local.emulation.iam.grant_usage import (
    Decision,
    DecisionRecorder,
    ReviewedGrant,
    RoleGrant,
    compare_grants,
    list_document_grants,
    log_size,
    read_decisions,
)
from local.emulation.iam.policy_evaluator import AccessVerdict

pytestmark = pytest.mark.unit

PREFIX = "polyphony-local-"
ROLE = f"{PREFIX}ingestion-builder"
TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/files"
PUT = RoleGrant(ROLE, "dynamodb:PutItem", TABLE)
GET = RoleGrant(ROLE, "dynamodb:GetItem", TABLE)


def decision(
    action: str,
    verdict: AccessVerdict = AccessVerdict.ALLOW,
    resource: str = TABLE,
    role: str = ROLE,
    *,
    by_schedule: bool = False,
) -> Decision:
    return Decision(role, action, resource, verdict, by_schedule)


def reviewed_grant(action: str, role: str = "ingestion-*") -> ReviewedGrant:
    return ReviewedGrant(role, (action,), "the reason")


PUT_DECISION = decision("dynamodb:PutItem")
UNUSED_GET = (
    f"granted and never used: {ROLE} may dynamodb:GetItem on {TABLE}; "
    "remove the grant, or give the reason in reviewed_grants.toml"
)
STALE_ENTRY = "reviewed_grants.toml lists {}, but no unused grant matches this entry; remove the entry"


@pytest.mark.parametrize(
    ("grants", "entries", "problems"),
    [
        pytest.param([PUT], [], [], id="used"),
        pytest.param([PUT, GET], [], [UNUSED_GET], id="unused"),
        pytest.param([PUT, GET], [reviewed_grant("dynamodb:Get*")], [], id="unused and reviewed"),
        pytest.param(
            [PUT],
            [reviewed_grant("dynamodb:PutItem", "*")],
            [STALE_ENTRY.format("dynamodb:PutItem of *")],
            id="used and reviewed",
        ),
        pytest.param(
            [PUT], [reviewed_grant("*", "gone")], [STALE_ENTRY.format("* of gone")], id="reviewed, not granted"
        ),
    ],
)
def test_unused_grants_and_stale_entries_are_problems(
    grants: list[RoleGrant], entries: list[ReviewedGrant], problems: list[str]
) -> None:
    assert compare_grants(grants, [PUT_DECISION], entries, PREFIX).problems() == problems


def test_a_refused_call_is_a_missing_grant() -> None:
    refusal = decision("dynamodb:Scan", AccessVerdict.IMPLICIT_DENY)
    [problem] = compare_grants([PUT], [PUT_DECISION, refusal], [], PREFIX).problems()
    assert problem == f"used and not granted: {ROLE}: dynamodb:Scan on {TABLE}: implicit-deny"


def test_a_call_of_a_schedule_is_not_a_use_of_the_grant() -> None:
    """The result must not depend on whether a schedule runs during a flow, which is random."""
    call = decision("dynamodb:PutItem", by_schedule=True)
    assert compare_grants([PUT], [call], [reviewed_grant("dynamodb:PutItem")], PREFIX).problems() == []
    refusal = decision("dynamodb:PutItem", AccessVerdict.IMPLICIT_DENY, by_schedule=True)
    assert compare_grants([PUT], [refusal], [reviewed_grant("*")], PREFIX).not_granted == (refusal,)


@pytest.mark.parametrize(
    "other_decision",
    [
        decision("dynamodb:PutItem", role="another"),
        decision("dynamodb:PutItem", resource=f"{TABLE}2"),
        decision("dynamodb:PutItem", AccessVerdict.DENY),
    ],
    ids=["another role", "another resource", "refused"],
)
def test_a_grant_is_used_only_by_an_allowed_call_of_its_role_on_its_resource(other_decision: Decision) -> None:
    assert compare_grants([PUT], [other_decision], [], PREFIX).used == ()


def test_a_policy_grants_each_action_on_each_resource_and_a_deny_grants_nothing() -> None:
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
    recorder.record(PUT_DECISION)
    offset = log_size(tmp_path)
    later_decision = decision("dynamodb:Scan", AccessVerdict.DENY)
    recorder.record(later_decision)
    assert read_decisions(tmp_path, offset) == [later_decision]
    assert read_decisions(tmp_path) == [PUT_DECISION, later_decision]


def test_a_line_that_is_still_being_written_is_not_read_and_is_not_part_of_the_offset(tmp_path: Path) -> None:
    DecisionRecorder(tmp_path).record(PUT_DECISION)
    [log] = tmp_path.iterdir()
    line = log.read_bytes()
    for written_bytes in range(len(line)):
        log.write_bytes(line + line[:written_bytes])
        offset = log_size(tmp_path)
        assert len(read_decisions(tmp_path)) == 1
        log.write_bytes(line + line)
        assert read_decisions(tmp_path, offset) == [PUT_DECISION]


def test_a_policy_variable_in_a_grant_matches_any_value() -> None:
    grant = RoleGrant(ROLE, "s3:PutObject", "arn:aws:s3:::b/queries/${cognito-identity.amazonaws.com:sub}/*")
    upload = decision("s3:PutObject", resource="arn:aws:s3:::b/queries/us-east-1:0001/question.webm")
    assert compare_grants([grant], [upload], [], PREFIX).used == (grant,)
    other_upload = decision("s3:PutObject", resource="arn:aws:s3:::b/lectures/us-east-1:0001/lecture.mp3")
    assert compare_grants([grant], [other_upload], [], PREFIX).never_used == (grant,)

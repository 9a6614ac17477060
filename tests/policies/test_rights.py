"""By whatever way a role is given its rights, they are judged the same."""

from collections.abc import Sequence

import pytest

from guardrails import types as t
from tests.policies.harness import UNKNOWN, Thing, ask, of_things, policies, surroundings
from tests.policies.specs.documents import ACCOUNT, ROLE_ARN, TABLE_ARN, allow, document
from tests.policies.specs.outsiders import GUEST_TRUST

ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
BASIC = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
OURS = f"arn:aws:iam::{ACCOUNT}:policy/teams/ours"
ESCALATION = document(allow("iam:PutRolePolicy", ROLE_ARN))
WHERE = surroundings("prod")


def found(policy: str, things: Sequence[Thing]) -> list[tuple[str, bool]]:
    return [(one.name, one.undecided) for one in ask([policies(WHERE)[policy]], of_things(things), WHERE)]


def role(**more: object) -> Thing:
    return Thing(t.ROLE, {"name": "r", "assumeRolePolicy": GUEST_TRUST, **more}, "role")


def inline(*texts: str) -> Thing:
    return role(inlinePolicies=[{"name": str(number), "policy": text} for number, text in enumerate(texts)])


@pytest.mark.parametrize(
    ("policy", "statement"),
    [
        ("iam-no-wildcard-action", allow("dynamodb:*")),
        ("iam-no-star-resource", allow("dynamodb:GetItem", "*")),
        ("iam-resource-is-named", allow("s3:GetObject", "arn:aws:s3:::*/*")),
        ("iam-action-exists", allow("s3:HeadObject", "arn:aws:s3:::b/k")),
        ("iam-resource-fits-action", allow("s3:GetObject", TABLE_ARN)),
        ("iam-no-negation", {"Effect": "Allow", "NotAction": "iam:*", "Resource": TABLE_ARN}),
        ("iam-metrics-in-namespace", allow("cloudwatch:PutMetricData", "*")),
        ("iam-pass-role-exact", allow("iam:PassRole", "*")),
        ("iam-pass-role-to-service", allow("iam:PassRole", ROLE_ARN)),
        ("iam-assume-role-exact", allow("sts:AssumeRole", "*")),
        ("iam-session-tags-conditioned", allow("sts:TagSession", ROLE_ARN)),
        ("mediaconvert-job-has-role", allow("mediaconvert:CreateJob", TABLE_ARN)),
    ],
)
def test_an_inline_policy_is_judged_as_one_that_stands_alone(policy: str, statement: dict[str, object]) -> None:
    assert found(policy, [Thing(t.ROLE_POLICY, {"role": "r", "policy": document(statement)}, "role")])
    assert found(policy, [inline(document(allow("dynamodb:GetItem")), document(statement))]) == [("role", False)]
    assert found(policy, [inline(document(allow("dynamodb:GetItem")))]) == []


def policy(text: str, **more: object) -> Thing:
    return Thing(t.MANAGED_POLICY, {"name": "ours", "policy": text, **more}, "ours")


def attachment(kind: str, refers: dict[str, list[str]] | None = None, **props: object) -> Thing:
    return Thing(kind, props, "attachment", refers=refers or {})


EXCLUSIVE = [t.GROUP_POLICY_ATTACHMENTS, t.ROLE_POLICY_ATTACHMENTS, t.USER_POLICY_ATTACHMENTS]


@pytest.mark.parametrize("kind", EXCLUSIVE)
def test_a_list_of_attachments_is_judged_as_single_ones(kind: str) -> None:
    assert found("iam-no-full-access-policy", [attachment(kind, policyArns=[OURS, ADMINISTRATOR])])
    assert found("iam-no-managed-policy", [attachment(kind, policyArns=[OURS, BASIC])])
    assert not found("iam-no-managed-policy", [attachment(kind, policyArns=[OURS])])


def ways(text: str) -> dict[str, list[Thing]]:
    """Every way to give a role what a document says."""
    late = policy(text, arn=UNKNOWN)
    return {
        "of its own": [role(), Thing(t.ROLE_POLICY, {"role": "r", "policy": text}, "p")],
        "inline": [inline(text)],
        "inline beside one that waits": [inline(UNKNOWN, text)],
        "attached by ARN": [role(), policy(text), attachment(t.ROLE_POLICY_ATTACHMENT, role="r", policyArn=OURS)],
        "attached by reference": [
            role(),
            late,
            attachment(
                t.ROLE_POLICY_ATTACHMENT,
                {"role": ["role"], "policyArn": ["ours"]},
                role=UNKNOWN,
                policyArn=UNKNOWN,
            ),
        ],
        "attached to several": [
            role(),
            policy(text),
            attachment(t.POLICY_ATTACHMENT, roles=["other", "r"], policyArn=OURS),
        ],
        "among others": [
            role(),
            policy(text),
            attachment(t.ROLE_POLICY_ATTACHMENTS, roleName="r", policyArns=[BASIC, OURS]),
        ],
        "named by the role": [policy(text), role(managedPolicyArns=[OURS])],
    }


@pytest.mark.parametrize("way", ways(""))
def test_rights_that_end_in_others_are_found_by_whatever_way_they_come(way: str) -> None:
    assert found("iam-no-escalation", ways(ESCALATION)[way]) == [("role", False)]
    assert found("iam-no-escalation", ways(document(allow("dynamodb:GetItem")))[way]) == []


@pytest.mark.parametrize("way", ways(""))
@pytest.mark.parametrize(
    ("policy", "statement"),
    [
        ("guests-own-objects-only", allow("s3:GetObject", "arn:aws:s3:::b/*")),
        ("guests-own-items-only", allow("dynamodb:GetItem")),
        ("guests-few-services", allow("events:PutEvents", "arn:aws:events:us-east-1:123456789012:event-bus/b")),
    ],
)
def test_guests_reach_no_more_by_another_way(policy: str, statement: dict[str, object], way: str) -> None:
    assert found(policy, ways(document(statement))[way]) == [("role", False)]


def test_what_is_attached_to_another_is_not_this_ones() -> None:
    other = Thing(t.ROLE, {"name": "other", "assumeRolePolicy": GUEST_TRUST}, "other")
    to_other = attachment(
        t.ROLE_POLICY_ATTACHMENT, {"role": ["other"], "policyArn": ["ours"]}, role=UNKNOWN, policyArn=UNKNOWN
    )
    assert found("iam-no-escalation", [role(), other, policy(ESCALATION), to_other]) == [("other", False)]


def test_what_was_read_back_before_a_policy_was_mended_or_taken_away_counts_no_more() -> None:
    mended = Thing(t.ROLE_POLICY, {"role": "r", "name": "grants", "policy": document(allow("dynamodb:GetItem"))}, "p")
    other = [Thing(t.MANAGED_POLICY, {"name": "ours", "policy": ESCALATION}, "ours")]
    given = role(inlinePolicies=[{"name": "grants", "policy": ESCALATION}], managedPolicyArns=[OURS])
    escalates = policies(WHERE)["iam-no-escalation"]
    for beside in ([mended], []):
        stack = of_things([given, *beside, *other])
        assert {one.name for one in ask([escalates], stack, WHERE)} == {"role"}
        for key in ("inlinePolicies", "managedPolicyArns"):
            del stack.inputs["role"].properties.fields[key]
        assert ask([escalates], stack, WHERE) == [], "both are only what the provider answered"

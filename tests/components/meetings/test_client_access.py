"""Tests of the permissions of a client with the credentials of a token exchange, and of who may give such credentials."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from handlers.common import ids
from handlers.meetings.record import INDEX
from local.emulation.iam.policy_evaluator import AccessRequest, evaluate_policies, policy_admits
from tests.components.deployment_harness import arn
from tests.components.meetings.recorded_deployment import BUCKET, PREFIX, TABLE, deployed

ANN, BOB = (letter * ids.USER_ID_LENGTH for letter in "AB")
OBJECTS, ITEMS = f"arn:aws:s3:::{BUCKET}", arn("dynamodb", f"table/{TABLE}")
CLIENT, EXCHANGE, STEPS = (
    f"arn:aws:iam::123456789012:role/{PREFIX}-{name}" for name in ("client", "auth-exchange", "steps")
)
FORBIDDEN: dict[str, tuple[str, str, Mapping[str, str | list[str]]]] = {
    "read all records": ("dynamodb:Scan", ITEMS, {}),
    "get without a key": ("dynamodb:GetItem", ITEMS, {}),
    "get a record of another user": ("dynamodb:GetItem", ITEMS, {"dynamodb:LeadingKeys": [BOB]}),
    "query records of two users": ("dynamodb:Query", f"{ITEMS}/index/{INDEX}", {"dynamodb:LeadingKeys": [ANN, BOB]}),
    "list all uploads": ("s3:ListBucket", OBJECTS, {"s3:prefix": "raw/"}),
    "list without a prefix": ("s3:ListBucket", OBJECTS, {}),
    "list uploads of another user": ("s3:ListBucket", OBJECTS, {"s3:prefix": f"raw/{BOB}/"}),
    "write an upload of another user": ("s3:PutObject", f"{OBJECTS}/raw/{BOB}/m/0.webm", {}),
    "write an upload whose path begins with the own id": ("s3:PutObject", f"{OBJECTS}/raw/{ANN}X/m/0.webm", {}),
    **{
        f"read below {kind} of another user": ("s3:GetObject", f"{OBJECTS}/{kind}/{BOB}/m/x", {})
        for kind in ("video", "audio", "transcripts", "summaries")
    },
}
"""Calls of Ann, with the condition keys that AWS would add. The tables of the guardrails limit the actions."""
ALLOWED: tuple[tuple[str, str, Mapping[str, str | list[str]]], ...] = (
    ("dynamodb:GetItem", ITEMS, {"dynamodb:LeadingKeys": [ANN]}),
    ("dynamodb:Query", f"{ITEMS}/index/{INDEX}", {"dynamodb:LeadingKeys": [ANN]}),
    ("s3:ListBucket", OBJECTS, {"s3:prefix": f"raw/{ANN}/m/"}),
    ("s3:PutObject", f"{OBJECTS}/raw/{ANN}/m/0.webm", {}),
    *(("s3:GetObject", f"{OBJECTS}/{kind}/{ANN}/m/x", {}) for kind in ("video", "audio", "transcripts", "summaries")),
)


def documents(role_arn: str) -> list[dict[str, Any]]:
    """Return the policies of a role."""
    policies = [policy.inputs for policy in deployed().all("iam.RolePolicy")]
    return [json.loads(policy["policy"]) for policy in policies if role_arn.endswith(f"/{policy['role']}")]


def may_ann(action: str, resource: str, context: Mapping[str, str | list[str]]) -> bool:
    request = AccessRequest(action, resource, {"aws:PrincipalTag/user": ANN, **context})
    return evaluate_policies(documents(CLIENT), request).allowed


def test_a_session_may_do_what_its_user_needs() -> None:
    assert [call for call in ALLOWED if not may_ann(*call)] == []


def test_a_session_reaches_only_the_objects_and_records_of_its_own_user() -> None:
    assert [name for name, call in FORBIDDEN.items() if may_ann(*call)] == []


@pytest.mark.parametrize("action", ["sts:AssumeRole", "sts:TagSession"])
@pytest.mark.parametrize(
    ("tags", "is_allowed"),
    [({"user": ANN}, True), ({}, False), ({"user": "*"}, False), ({"user": ANN, "admin": "yes"}, False)],
    ids=["the user", "no tag", "a pattern", "a second tag"],
)
def test_only_the_exchange_may_open_a_session_and_only_with_the_users_tag_alone(
    action: str, tags: dict[str, str], is_allowed: bool
) -> None:
    """Both sides require it: the policy of the exchange, and the trust policy of the clients' role."""
    context: dict[str, str | list[str]] = {f"aws:RequestTag/{name}": value for name, value in tags.items()}
    request = AccessRequest(action, CLIENT, {**context, **({"aws:TagKeys": [*tags]} if tags else {})})
    trust = json.loads(deployed().one("iam.Role", "meetings-client").inputs["assumeRolePolicy"])
    assert evaluate_policies(documents(EXCHANGE), request).allowed is is_allowed
    assert policy_admits(trust, EXCHANGE, request) is is_allowed
    assert not policy_admits(trust, STEPS, request)
    assert not evaluate_policies(documents(STEPS), request).allowed

"""Tests of the rules about roles: who may assume them, callers outside of AWS, and roles that could replace code."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from components.blocks.iam import Service
from guardrails import resource_types as t
from guardrails.rules import own_data, roles
from guardrails.rules.own_data import CLIENT_ID, GUEST_ID, OWN_ITEM, OWN_OBJECT, OWN_PREFIX, _are_own
from tests.policies.program import UNKNOWN, Program, assert_new_finding, change
from tests.whole_program import ONE_WORKER

pytestmark = ONE_WORKER

Break = Callable[[Program], str]
POLICIES = [policy.name for policy in (*own_data.POLICIES, *roles.POLICIES)]
GUEST, CLIENT, SWEEPER = "voice-qa-guests-guest", "meetings-client", "ingestion-sweeper"
BUCKET, TABLE, KEYS = "arn:aws:s3:::b", "arn:aws:dynamodb:us-east-1:123456789012:table/t", "dynamodb:LeadingKeys"
CODE = "arn:aws:s3:::polyphony-prod-ingestion-lake-123456789012/scripts"
NULL = {"Null": {KEYS: "false"}}
COGNITO = "cognito-identity.amazonaws.com"
AUD = {"StringEquals": {f"{COGNITO}:aud": "us-east-1:pool"}}
AMR = {"ForAnyValue:StringLike": {f"{COGNITO}:amr": "unauthenticated"}}
ARN = {"ArnLike": {"aws:SourceArn": "arn:aws:scheduler:us-east-1:123456789012:schedule-group/default"}}
ACCOUNT = {"StringEquals": {"aws:SourceAccount": "123456789012"}}


def allow(role: str, action: Any, resource: Any = TABLE, **condition: Any) -> Break:
    """Return a change that adds a statement to the grants of a role, in which the fault is reported."""
    statement = {"Effect": "Allow", "Action": action, "Resource": resource, "Condition": condition}
    return add_statement(role, statement)


def add_statement(role: str, statement: dict[str, Any]) -> Break:
    def change(program: Program) -> str:
        program.edit(f"{role}-grants", "policy", lambda document: document["Statement"].append(statement))
        return f"{role}-role"

    return change


def trust(statement: dict[str, Any]) -> Break:
    """Return a change of the sweeper's trust policy, so that its grants belong to a caller outside of AWS."""
    document = json.dumps({"Statement": {"Effect": "Allow", **statement}})
    return lambda program: program.change("ingestion-sweeper-role", assumeRolePolicy=document)


def trusting(principal: Any, **condition: Any) -> Break:
    return trust({"Principal": principal, "Action": "sts:AssumeRole", "Condition": condition})


def schedule(**condition: Any) -> Break:
    return trusting({"Service": "scheduler.amazonaws.com"}, **condition)


def remove_null(program: Program) -> str:
    return program.edit(
        "meetings-client-grants", "policy", lambda document: document["Statement"][0]["Condition"].pop("Null")
    )


def forget_boundary(program: Program) -> str:
    """Remove the boundary from the stack's settings."""
    program.context = replace(program.context, permissions_boundary="")
    return "platform"


def attach_by_reference(program: Program) -> str:
    program.change(f"{GUEST}-grants", role=UNKNOWN)
    return allow(GUEST, "dynamodb:Query")(program)


BREAKS: dict[str, Break] = {
    "guests-own-data-only:action": allow(GUEST, "dynamodb:Query"),
    "guests-own-data-only:wildcard": allow(GUEST, "execute-api:*", "*"),
    "guests-own-data-only:NotAction": add_statement(GUEST, {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}),
    "guests-own-data-only:unknown name of the role": attach_by_reference,
    "guests-own-data-only:trust": trust({"Principal": {"Federated": "cognito-identity.amazonaws.com"}}),
    "guests-own-data-only:objects": allow(GUEST, "s3:PutObject", f"{BUCKET}/queries/*"),
    "guests-own-data-only:other prefix": allow(GUEST, "S3:GetObject", [f"{BUCKET}/{GUEST_ID}/*", f"{BUCKET}/x/*"]),
    "guests-own-data-only:list": allow(GUEST, "s3:ListBucket", BUCKET),
    "guests-own-data-only:items": allow(GUEST, "dynamodb:GetItem", TABLE, **NULL),
    "guests-own-data-only:no Null": allow(
        GUEST, "dynamodb:GetItem", **{"ForAllValues:StringLike": {KEYS: f"{GUEST_ID}#*"}}
    ),
    "guests-own-data-only:Null is true": allow(
        GUEST, "dynamodb:GetItem", **{"ForAllValues:StringLike": {KEYS: f"{GUEST_ID}#*"}, "Null": {KEYS: "true"}}
    ),
    "guests-own-data-only:any value": allow(
        GUEST, "dynamodb:GetItem", **{"ForAnyValue:StringLike": {KEYS: f"{GUEST_ID}#*"}}, **NULL
    ),
    "guests-own-data-only:second value": allow(
        GUEST, "dynamodb:GetItem", **{"ForAllValues:StringLike": {KEYS: [f"{GUEST_ID}#*", "lecture#*"]}}, **NULL
    ),
    "guests-own-data-only:second operator": allow(
        GUEST,
        "dynamodb:GetItem",
        **{"ForAllValues:StringLike": {KEYS: f"{GUEST_ID}#*"}, "StringNotEquals": {KEYS: "x"}, **NULL},
    ),
    "clients-own-data-only": allow(CLIENT, "s3:GetObject", f"{BUCKET}/transcripts/*"),
    "clients-own-data-only:action": allow(CLIENT, "s3:DeleteObject", f"{BUCKET}/raw/{CLIENT_ID}/*"),
    "clients-own-data-only:item": allow(CLIENT, "dynamodb:GetItem"),
    "clients-own-data-only:list": allow(
        CLIENT, "s3:ListBucket", BUCKET, StringLike={"s3:prefix": [f"raw/{CLIENT_ID}/*", ""]}
    ),
    "clients-own-data-only:optional prefix": allow(
        CLIENT, "s3:ListBucket", BUCKET, StringLikeIfExists={"s3:prefix": f"raw/{CLIENT_ID}/*"}
    ),
    "clients-own-data-only:assumed by a role": trust({"Principal": {"AWS": "arn:aws:iam::123456789012:role/x"}}),
    "clients-own-data-only:tags": trust({"Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:*"}),
    "iam-trust-names-source": trusting({"Service": "ec2.amazonaws.com"}),
    "iam-trust-names-source:no account": schedule(**ARN),
    "iam-trust-names-source:no ARN": schedule(**ACCOUNT),
    "iam-trust-names-source:any account": schedule(StringLike={"aws:SourceAccount": "*"}, **ARN),
    "iam-trust-names-source:optional account": schedule(StringEqualsIfExists=ACCOUNT["StringEquals"], **ARN),
    "iam-trust-names-source:variable": schedule(StringEquals={"aws:SourceAccount": "${aws:PrincipalAccount}"}, **ARN),
    "iam-trust-names-source:variable ARN": schedule(ArnLike={"aws:SourceArn": "${aws:x}:schedule-group/"}, **ACCOUNT),
    "iam-trust-usable": trusting({"Service": "lambda.amazonaws.com"}, **ACCOUNT),
    "iam-trust-usable:other ARN": schedule(ArnLike={"aws:SourceArn": "arn:aws:scheduler:*:schedule/x"}, **ACCOUNT),
    "iam-trust-federated-conditioned": trusting({"Federated": COGNITO}, **AUD),
    "iam-trust-federated-conditioned:no pool": trusting({"Federated": COGNITO}, **AMR),
    "iam-trust-federated-conditioned:wildcard": trusting(
        {"Federated": COGNITO}, StringLike={f"{COGNITO}:aud": "us-east-1:*"}, **AMR
    ),
    "iam-trust-federated-conditioned:all values": trusting(
        {"Federated": COGNITO}, **{"ForAllValues:StringLike": AMR["ForAnyValue:StringLike"]}, **AUD
    ),
    "iam-trust-federated-conditioned:GitHub": trusting(
        {"Federated": "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"}, **AUD, **AMR
    ),
    "iam-for-all-values-needs-key": remove_null,
    "iam-for-all-values-needs-key:trust": trusting("x", **{"ForAllValues:StringEquals": {"aws:TagKeys": "user"}}),
    "iam-no-code-replacement": allow(SWEEPER, "s3:PutObject", f"{CODE}/*/job.py"),
    "iam-no-code-replacement:library": allow(SWEEPER, "s3:PutObject", f"{CODE}/${{aws:userid}}/handlers.zip"),
    "iam-no-code-replacement:all objects": add_statement(SWEEPER, {"Effect": "Allow", "Action": "s3:Put*"}),
    "iam-no-code-replacement:function": allow(SWEEPER, "lambda:UpdateFunctionCode", "*"),
    "iam-no-code-replacement:workflow": allow(SWEEPER, "states:Update*", "*"),
    "iam-role-has-boundary": change(t.ROLE, permissionsBoundary=None),
    "iam-role-has-boundary:other": change(t.ROLE, permissionsBoundary="arn:aws:iam::aws:policy/AdministratorAccess"),
    "iam-role-has-boundary:setting": forget_boundary,
    "iam-one-role-per-function": change(
        "ingestion-manifest-builder-function", role="arn:aws:iam::123456789012:role/polyphony-prod-ingestion-sweeper"
    ),
    "function-permission-source": change(t.FUNCTION_PERMISSION, sourceArn=None),
}
HARMLESS: dict[str, Break] = {
    "clients-own-data-only:objects": allow(CLIENT, "s3:ListBucket", BUCKET, StringLike={"S3:Prefix": f"{CLIENT_ID}/*"}),
    "guests-own-data-only:items": allow(
        GUEST, "dynamodb:GetItem", **{"ForAllValues:StringEquals": {KEYS.lower(): [GUEST_ID]}}, **NULL
    ),
    "clients-own-data-only": add_statement(CLIENT, {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}),
    "iam-no-code-replacement": allow(SWEEPER, "s3:PutObject", f"{CODE}-of-others/*"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_fault_is_reported_about_its_resource(name: str) -> None:
    assert_new_finding(name.partition(":")[0], BREAKS[name])


def test_every_policy_has_a_fault() -> None:
    assert {name.partition(":")[0] for name in BREAKS} == set(POLICIES)


@pytest.mark.parametrize("name", HARMLESS)
def test_a_harmless_change_is_no_finding(name: str) -> None:
    program, policy = Program(), name.partition(":")[0]
    changed = HARMLESS[name](program)
    assert not program.find(policy).get(changed)


def test_a_role_with_an_unknown_document_is_undecided_except_for_its_known_documents() -> None:
    program = Program()
    assert program.find("guests-own-data-only") == {f"{GUEST}-role": ""}
    program.change(f"{GUEST}-grants-2", policy=json.dumps({"Statement": []}))
    assert program.find("guests-own-data-only") == {}
    program.change(f"{SWEEPER}-role", assumeRolePolicy=UNKNOWN)
    assert program.find("guests-own-data-only") == {f"{SWEEPER}-role": ""}


TEXTS = st.lists(st.sampled_from(["a", "b", "/", "#", "us-east-1:1"]), max_size=5).map("".join)
OTHER = ["${aws:PrincipalTag/user, '*'}", "${aws:userid}", "*", "?"]
PARTS = st.sampled_from(["a", "b", "/", "#", CLIENT_ID, *OTHER])
PATTERNS = st.lists(PARTS, max_size=3).flatmap(
    lambda before: st.lists(PARTS, max_size=3).map(lambda after: "".join([*before, CLIENT_ID, *after]))
)


@example(f"?/{CLIENT_ID}", ["x"] * 8)
@given(PATTERNS, st.lists(TEXTS, min_size=8, max_size=8))
@pytest.mark.parametrize(("rule", "start"), [(OWN_ITEM, ""), (OWN_PREFIX, ""), (OWN_OBJECT, f"{BUCKET}/")])
def test_every_key_of_an_accepted_pattern_has_the_own_id_at_one_place_between_separators(
    rule: str, start: str, pattern: str, texts: list[str]
) -> None:
    """Any text may stand for a wildcard and for another variable."""
    if not _are_own([start + pattern], rule, CLIENT_ID):
        return
    before, key = pattern.partition(CLIENT_ID)[0], pattern.replace(CLIENT_ID, "own")
    for wildcard, text in zip(OTHER * 2, texts, strict=True):
        key = key.replace(wildcard, text, 1)
    assert key.startswith(f"{before}own")
    assert {before[-1:], key.removeprefix(f"{before}own")[:1]} <= {"", "/", "#"}


@pytest.mark.parametrize(
    "arn",
    [
        *(
            f"{BUCKET}/{before}/{CLIENT_ID}/*"
            for before in ("*", "a/???", "${aws:userid}", "${aws:PrincipalTag/user, '*'}")
        ),
        *(f"arn:aws:s3:::{bucket}/*" for bucket in (CLIENT_ID, f"b-{CLIENT_ID}", f"*/{CLIENT_ID}")),
        *(f"{BUCKET}/raw/{CLIENT_ID}{after}" for after in ("*", "?/*", "-2/*", "${aws:userid}/*")),
        *(f"{BUCKET}/raw/{own_id}/*" for own_id in ("x", GUEST_ID, "${aws:PrincipalTag/user, '*'}", f"x{CLIENT_ID}")),
    ],
)
def test_an_arn_of_other_callers_is_refused(arn: str) -> None:
    assert not _are_own([arn], OWN_OBJECT, CLIENT_ID)


def test_the_trust_policy_of_a_pool_with_a_known_id_is_no_finding() -> None:
    program = Program()
    document = {"Effect": "Allow", "Principal": {"Federated": COGNITO}, "Condition": {**AUD, **AMR}}
    guest = program.change(f"{GUEST}-role", assumeRolePolicy=json.dumps({"Statement": document}))
    assert [policy for policy, found in program.find_all(*POLICIES).items() if found.get(guest)] == []


def test_every_service_of_the_program_has_its_page() -> None:
    assert roles.SENT_KEYS.keys() == set(Service)
    assert all(service["page"].endswith(".html") for service in roles.SENT_KEYS.values())

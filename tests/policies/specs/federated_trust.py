"""Specs and variations of the policies about federated identities, and about roles that assume or trust other roles."""

import json
from itertools import cycle
from typing import Any

from guardrails.model import resource_types as t
from tests.policies.policy_harness import (
    UNKNOWN,
    PolicyCase,
    PolicySpec,
    SampleResource,
    change_resource,
)
from tests.policies.program_variations import ProgramVariation, add_statement, change_properties
from tests.policies.specs.guest_permissions import COGNITO, GUEST_TRUST
from tests.policies.specs.sample_iam_documents import ACCOUNT, ROLE_ARN, allow, trust

FEDERATED, POOL = "iam-trust-federated-conditioned", "iam-trust-own-identity-pool"
PRINCIPAL, ASSUME = "iam-trust-exact-principal", "iam-assume-role-exact"
GITHUB = "token.actions.githubusercontent.com"
PROVIDER_ARN = f"arn:aws:iam::{ACCOUNT}:oidc-provider/"
AUDIENCE, SUBJECT = f"{GITHUB}:aud", f"{GITHUB}:sub"
STS = {AUDIENCE: "sts.amazonaws.com"}
EXACT = "repo:owner/polyphony:environment:prod"
FUNCTIONS = cycle(
    f"{subsystem}-{function}"
    for subsystem, functions in {
        "ingestion": ("manifest-builder", "steps", "sweeper"),
        "livestream": ("agent", "authorizer", "care", "episodes", "transcript-windows", "video-chunks"),
        "meetings": ("auth-exchange", "bedrock-summarize", "start", "steps", "storage", "sweep"),
        "transcription": ("audio-processor", "router"),
        "voice-qa": ("query-worker", "validate-lecture", "websocket-handler"),
    }.items()
    for function in functions
)
"""Functions of the program, whose roles the variations change. Each variation takes the next one, because variations of
different roles are tested together.
"""
POOL_RESOURCE = SampleResource(t.IDENTITY_POOL, {"identityPoolName": "p"}, "pool")

SPECS = (
    PolicySpec(
        POOL,
        good=[
            POOL_RESOURCE,
            SampleResource(t.ROLE, {"assumeRolePolicy": UNKNOWN}, references={"assumeRolePolicy": ["pool"]}),
        ],
        bad=[POOL_RESOURCE, SampleResource(t.ROLE, {"assumeRolePolicy": GUEST_TRUST})],
        message_part="no id of an identity pool of this stack",
        unknown=[SampleResource(t.ROLE, {"assumeRolePolicy": UNKNOWN})],
        break_program=change_resource("ingestion-sweeper-role", {"assumeRolePolicy": GUEST_TRUST}),
    ),
)
CASES: tuple[PolicyCase, ...] = ()


def github(label: str, policy: str = FEDERATED, *, host: str = GITHUB, **condition: Any) -> ProgramVariation:
    """Return a variation in which a role trusts jobs of GitHub Actions."""
    text = trust({"Federated": PROVIDER_ARN + host}, condition, "sts:AssumeRoleWithWebIdentity")
    return change_properties(label, f"{next(FUNCTIONS)}-role", {"assumeRolePolicy": text}, policy)


def github_subject(
    label: str, subject: object, policy: str = FEDERATED, operator: str = "StringEquals"
) -> ProgramVariation:
    """Return a variation in which a role trusts jobs of GitHub Actions with a subject."""
    if operator == "StringEquals":
        return github(label, policy, StringEquals={**STS, SUBJECT: subject})
    conditions: dict[str, Any] = {"StringEquals": STS, operator: {SUBJECT: subject}}
    return github(label, policy, **conditions)


def trusts(
    label: str, principal: object, policy: str = PRINCIPAL, condition: dict[str, object] | None = None
) -> ProgramVariation:
    """Return a variation in which a role trusts one more principal."""
    [statement] = json.loads(trust(principal, condition))["Statement"]
    return add_statement(label, f"{next(FUNCTIONS)}-role", statement, policy, "assumeRolePolicy")


def assumes(label: str, resource: object, policy: str = ASSUME, action: str = "sts:AssumeRole") -> ProgramVariation:
    """Return a variation in which a role may assume other roles."""
    return add_statement(label, f"{next(FUNCTIONS)}-grants", {**allow(action), "Resource": resource}, policy)


VARIATIONS: tuple[ProgramVariation, ...] = (
    github_subject("every repository", "*", operator="StringLike"),
    github_subject("whole owner", "repo:owner/*", operator="StringLike"),
    github_subject("owner with a prefix", "repo:owner*", operator="StringLike"),
    github_subject("every ref of a repository", "repo:owner/polyphony:*", operator="StringLike"),
    github_subject("every environment", "repo:owner/polyphony:environment:*", operator="StringLike"),
    github_subject("wildcard that StringEquals takes literally", "repo:owner/polyphony:environment:*"),
    github_subject("environments with a prefix", "repo:owner/polyphony:environment:prod-?", operator="StringLike"),
    github_subject("environment of every repository", "repo:owner/*:environment:prod", operator="StringLike"),
    github_subject("pull requests", "repo:owner/polyphony:pull_request"),
    github_subject("branch", "repo:owner/polyphony:ref:refs/heads/main"),
    github_subject("tag", "repo:owner/polyphony:ref:refs/tags/v1"),
    github_subject("one of several subjects", [EXACT, "repo:owner/polyphony:pull_request"]),
    github_subject("owner without a repository", "repo:owner:environment:prod"),
    github_subject("reusable workflow", "job_workflow_ref:owner/polyphony/.github/workflows/x.yml@refs/heads/main"),
    github_subject("subject if it exists", EXACT, operator="StringEqualsIfExists"),
    github_subject("all values", EXACT, operator="ForAllValues:StringEquals"),
    github_subject("not a subject", "repo:other/polyphony:environment:prod", operator="StringNotEquals"),
    github_subject("policy variable", "repo:owner/${aws:PrincipalTag/repo}:environment:prod", operator="StringLike"),
    github("no condition"),
    github("no audience", StringEquals={SUBJECT: EXACT}),
    github("audience of GitHub", StringEquals={AUDIENCE: "https://github.com/owner", SUBJECT: EXACT}),
    github("every audience", StringLike={AUDIENCE: "*"}, StringEquals={SUBJECT: EXACT}),
    github("no subject", StringEquals=STS),
    github("owner instead of a subject", StringEquals={**STS, f"{GITHUB}:repository_owner": "owner"}),
    github("provider of an enterprise", host=f"{GITHUB}/company", StringEquals=STS),
    github("claims of another provider", host="token.example.com", StringEquals={**STS, SUBJECT: EXACT}),
    github(
        "subjects of another provider",
        host="gitlab.example.com",
        StringLike={"gitlab.example.com:aud": "x", "gitlab.example.com:sub": "project_path:group/*"},
    ),
    trusts("everybody", "*"),
    trusts("every principal of AWS", {"AWS": "*"}),
    trusts("own account", {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}),
    trusts("own account id", {"AWS": ACCOUNT}),
    trusts("roles with a prefix", {"AWS": f"arn:aws:iam::{ACCOUNT}:role/polyphony-*"}),
    trusts("role with a placeholder", {"AWS": f"arn:aws:iam::{ACCOUNT}:role/polyphony-prod-?"}),
    trusts("user", {"AWS": f"arn:aws:iam::{ACCOUNT}:user/x"}),
    trusts("session", {"AWS": f"arn:aws:sts::{ACCOUNT}:assumed-role/x/y"}),
    trusts(
        "principals of an organisation",
        {"AWS": "*"},
        condition={"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}},
    ),
    trusts("one of several roles", {"AWS": [ROLE_ARN, f"arn:aws:iam::{ACCOUNT}:role/*"]}),
    trusts("foreign role", {"AWS": "arn:aws:iam::999999999999:role/x"}, "account-known"),
    trusts("foreign role beside an own one", {"AWS": [ROLE_ARN, "arn:aws:iam::999999999999:role/x"]}, "account-known"),
    trusts("SAML provider", {"Federated": f"arn:aws:iam::{ACCOUNT}:saml-provider/x"}, FEDERATED),
    trusts(
        "foreign identity pool",
        {"Federated": COGNITO},
        POOL,
        {
            "StringEquals": {f"{COGNITO}:aud": f"us-east-1:{'0' * 8}"},
            "ForAnyValue:StringLike": {f"{COGNITO}:amr": "unauthenticated"},
        },
    ),
    trusts(
        "identity pools of a region",
        {"Federated": COGNITO},
        FEDERATED,
        {
            "StringLike": {f"{COGNITO}:aud": "us-east-1:*"},
            "ForAnyValue:StringLike": {f"{COGNITO}:amr": "authenticated"},
        },
    ),
    trusts(
        "identities of every type",
        {"Federated": COGNITO},
        FEDERATED,
        {"StringEquals": {f"{COGNITO}:aud": "x"}, "ForAnyValue:StringLike": {f"{COGNITO}:amr": "*"}},
    ),
    assumes("every role", "*"),
    assumes("every role of the account", f"arn:aws:iam::{ACCOUNT}:role/*"),
    assumes("role with a placeholder in its name", f"arn:aws:iam::{ACCOUNT}:role/polyphony-prod-?dmin"),
    assumes("role named by a tag", f"arn:aws:iam::{ACCOUNT}:role/${{aws:PrincipalTag/team}}"),
    assumes("one name in every account", "arn:aws:iam::*:role/polyphony-prod-media"),
    assumes("roles by a wildcard action", f"arn:aws:iam::{ACCOUNT}:role/x-*", action="sts:Assume*"),
    assumes("web identity roles", f"arn:aws:iam::{ACCOUNT}:role/x-*", action="sts:AssumeRoleWithWebIdentity"),
    assumes("root of accounts", f"arn:aws:iam::{ACCOUNT}:root", action="sts:AssumeRoot"),
    assumes("foreign role to assume", "arn:aws:iam::999999999999:role/x", "account-known"),
    # Harmless.
    github_subject("exact environment", EXACT, ""),
    github_subject("exact environment with StringLike", EXACT, "", "StringLike"),
    github_subject("immutable ids", "repo:owner@1234567/polyphony@987654321:environment:prod", ""),
    github_subject("two environments", [EXACT, "repo:owner/polyphony:environment:prod-preview"], ""),
    github(
        "more conditions",
        "",
        StringEquals={**STS, SUBJECT: EXACT},
        StringNotLike={SUBJECT: "repo:*:pull_request"},
        Bool={"aws:SecureTransport": "true"},
    ),
    github("key in another case", "", StringEquals={AUDIENCE.upper(): "sts.amazonaws.com", SUBJECT.upper(): EXACT}),
    github(
        "exact subject of another provider",
        "",
        host="token.example.com",
        StringEquals={"token.example.com:aud": "x", "token.example.com:sub": "service-7"},
    ),
    trusts("own role", {"AWS": ROLE_ARN}, ""),
    trusts("own role with a path", {"AWS": f"arn:aws:iam::{ACCOUNT}:role/teams/voice/polyphony-prod-media"}, ""),
    assumes("own role to assume", ROLE_ARN, ""),
)

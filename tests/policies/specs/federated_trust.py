"""Spec and variations of the policies about roles that trust federated identities or other roles, or assume other roles.
A variation is a change of one role of the recorded program.

A federated identity has a token of an identity provider, for example of GitHub, whose audience and subject the trust
policy must compare.
"""

import json
from itertools import cycle
from typing import Any

from guardrails.model import resource_types as t
from tests.policies.policy_harness import UNKNOWN, PolicyCase, PolicySpec, SampleResource, change_resource
from tests.policies.program_variations import ProgramVariation, add_statement, change_properties
from tests.policies.specs.guest_permissions import COGNITO, GUEST_TRUST
from tests.policies.specs.sample_iam_documents import ACCOUNT, ROLE_ARN, allow, trust

FEDERATED, OWN_IDENTITY_POOL = "iam-trust-federated-conditioned", "iam-trust-own-identity-pool"
EXACT_PRINCIPAL, ASSUME_ROLE_EXACT = "iam-trust-exact-principal", "iam-assume-role-exact"
GITHUB = "token.actions.githubusercontent.com"
PROVIDER_ARN = f"arn:aws:iam::{ACCOUNT}:oidc-provider/"
AUDIENCE_KEY, SUBJECT_KEY = f"{GITHUB}:aud", f"{GITHUB}:sub"
STS_AUDIENCE = {AUDIENCE_KEY: "sts.amazonaws.com"}
EXACT_SUBJECT = "repo:owner/polyphony:environment:prod"
FUNCTION_NAMES = cycle(
    [
        "ingestion-manifest-builder",
        "ingestion-steps",
        "ingestion-sweeper",
        "livestream-agent",
        "livestream-authorizer",
        "livestream-care",
        "livestream-episodes",
        "livestream-transcript-windows",
        "livestream-video-chunks",
        "meetings-auth-exchange",
        "meetings-bedrock-summarize",
        "meetings-start",
        "meetings-steps",
        "meetings-storage",
        "meetings-sweep",
        "transcription-audio-processor",
        "transcription-router",
        "voice-qa-query-worker",
        "voice-qa-validate-lecture",
        "voice-qa-websocket-handler",
    ]
)
"""Names of functions whose roles the variations change. Each variation takes the next one, because variations of different
roles are tested together.
"""
POOL = SampleResource(t.IDENTITY_POOL, {"identityPoolName": "p"}, "pool")

SPECS = (
    PolicySpec(
        OWN_IDENTITY_POOL,
        good=[POOL, SampleResource(t.ROLE, {"assumeRolePolicy": UNKNOWN}, references={"assumeRolePolicy": ["pool"]})],
        bad=[POOL, SampleResource(t.ROLE, {"assumeRolePolicy": GUEST_TRUST})],
        message_part="no id of an identity pool of this stack",
        unknown=[SampleResource(t.ROLE, {"assumeRolePolicy": UNKNOWN})],
        break_program=change_resource("ingestion-sweeper-role", {"assumeRolePolicy": GUEST_TRUST}),
    ),
)
CASES: tuple[PolicyCase, ...] = ()


def trust_github(label: str, policy: str = FEDERATED, *, host: str = GITHUB, **condition: Any) -> ProgramVariation:
    """Return a variation in which a role trusts jobs of GitHub Actions, or tokens of another provider (`host`)."""
    text = trust({"Federated": PROVIDER_ARN + host}, condition, "sts:AssumeRoleWithWebIdentity")
    return change_properties(label, f"{next(FUNCTION_NAMES)}-role", {"assumeRolePolicy": text}, policy)


def trust_subject(
    label: str, subject: object, policy: str = FEDERATED, operator: str = "StringEquals"
) -> ProgramVariation:
    """Return a variation in which a role trusts jobs of GitHub Actions whose token has a subject."""
    if operator == "StringEquals":
        return trust_github(label, policy, StringEquals={**STS_AUDIENCE, SUBJECT_KEY: subject})
    conditions: dict[str, Any] = {"StringEquals": STS_AUDIENCE, operator: {SUBJECT_KEY: subject}}
    return trust_github(label, policy, **conditions)


def trust_principal(
    label: str, principal: object, policy: str = EXACT_PRINCIPAL, condition: dict[str, object] | None = None
) -> ProgramVariation:
    """Return a variation in which a role trusts one more principal."""
    [statement] = json.loads(trust(principal, condition))["Statement"]
    return add_statement(label, f"{next(FUNCTION_NAMES)}-role", statement, policy, "assumeRolePolicy")


def allow_assuming(
    label: str, resource: object, policy: str = ASSUME_ROLE_EXACT, action: str = "sts:AssumeRole"
) -> ProgramVariation:
    """Return a variation in which a role may assume other roles."""
    return add_statement(label, f"{next(FUNCTION_NAMES)}-grants", {**allow(action), "Resource": resource}, policy)


VARIATIONS: tuple[ProgramVariation, ...] = (
    trust_subject("every repository", "*", operator="StringLike"),
    trust_subject("whole owner", "repo:owner/*", operator="StringLike"),
    trust_subject("owner with a prefix", "repo:owner*", operator="StringLike"),
    trust_subject("every ref of a repository", "repo:owner/polyphony:*", operator="StringLike"),
    trust_subject("every environment", "repo:owner/polyphony:environment:*", operator="StringLike"),
    trust_subject("wildcard that StringEquals takes literally", "repo:owner/polyphony:environment:*"),
    trust_subject("environments with a prefix", "repo:owner/polyphony:environment:prod-?", operator="StringLike"),
    trust_subject("environment of every repository", "repo:owner/*:environment:prod", operator="StringLike"),
    trust_subject("pull requests", "repo:owner/polyphony:pull_request"),
    trust_subject("branch", "repo:owner/polyphony:ref:refs/heads/main"),
    trust_subject("tag", "repo:owner/polyphony:ref:refs/tags/v1"),
    trust_subject("one of several subjects", [EXACT_SUBJECT, "repo:owner/polyphony:pull_request"]),
    trust_subject("owner without a repository", "repo:owner:environment:prod"),
    trust_subject("reusable workflow", "job_workflow_ref:owner/polyphony/.github/workflows/x.yml@refs/heads/main"),
    trust_subject("subject if it exists", EXACT_SUBJECT, operator="StringEqualsIfExists"),
    trust_subject("all values", EXACT_SUBJECT, operator="ForAllValues:StringEquals"),
    trust_subject("not a subject", "repo:other/polyphony:environment:prod", operator="StringNotEquals"),
    trust_subject("policy variable", "repo:owner/${aws:PrincipalTag/repo}:environment:prod", operator="StringLike"),
    trust_github("no condition"),
    trust_github("no audience", StringEquals={SUBJECT_KEY: EXACT_SUBJECT}),
    trust_github(
        "audience of GitHub", StringEquals={AUDIENCE_KEY: "https://github.com/owner", SUBJECT_KEY: EXACT_SUBJECT}
    ),
    trust_github("every audience", StringLike={AUDIENCE_KEY: "*"}, StringEquals={SUBJECT_KEY: EXACT_SUBJECT}),
    trust_github("no subject", StringEquals=STS_AUDIENCE),
    trust_github("owner instead of a subject", StringEquals={**STS_AUDIENCE, f"{GITHUB}:repository_owner": "owner"}),
    trust_github("provider of an enterprise", host=f"{GITHUB}/company", StringEquals=STS_AUDIENCE),
    trust_github(
        "claims of another provider",
        host="token.example.com",
        StringEquals={**STS_AUDIENCE, SUBJECT_KEY: EXACT_SUBJECT},
    ),
    trust_github(
        "subjects of another provider",
        host="gitlab.example.com",
        StringLike={"gitlab.example.com:aud": "x", "gitlab.example.com:sub": "project_path:group/*"},
    ),
    trust_principal("everybody", "*"),
    trust_principal("every principal of AWS", {"AWS": "*"}),
    trust_principal("own account", {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}),
    trust_principal("own account id", {"AWS": ACCOUNT}),
    trust_principal("roles with a prefix", {"AWS": f"arn:aws:iam::{ACCOUNT}:role/polyphony-*"}),
    trust_principal("role with a placeholder", {"AWS": f"arn:aws:iam::{ACCOUNT}:role/polyphony-prod-?"}),
    trust_principal("user", {"AWS": f"arn:aws:iam::{ACCOUNT}:user/x"}),
    trust_principal("session", {"AWS": f"arn:aws:sts::{ACCOUNT}:assumed-role/x/y"}),
    trust_principal(
        "principals of an organisation",
        {"AWS": "*"},
        condition={"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}},
    ),
    trust_principal("one of several roles", {"AWS": [ROLE_ARN, f"arn:aws:iam::{ACCOUNT}:role/*"]}),
    trust_principal("foreign role", {"AWS": "arn:aws:iam::999999999999:role/x"}, "account-known"),
    trust_principal(
        "foreign role beside an own one", {"AWS": [ROLE_ARN, "arn:aws:iam::999999999999:role/x"]}, "account-known"
    ),
    trust_principal("SAML provider", {"Federated": f"arn:aws:iam::{ACCOUNT}:saml-provider/x"}, FEDERATED),
    trust_principal(
        "foreign identity pool",
        {"Federated": COGNITO},
        OWN_IDENTITY_POOL,
        {
            "StringEquals": {f"{COGNITO}:aud": f"us-east-1:{'0' * 8}"},
            "ForAnyValue:StringLike": {f"{COGNITO}:amr": "unauthenticated"},
        },
    ),
    trust_principal(
        "identity pools of a region",
        {"Federated": COGNITO},
        FEDERATED,
        {
            "StringLike": {f"{COGNITO}:aud": "us-east-1:*"},
            "ForAnyValue:StringLike": {f"{COGNITO}:amr": "authenticated"},
        },
    ),
    trust_principal(
        "identities of every type",
        {"Federated": COGNITO},
        FEDERATED,
        {"StringEquals": {f"{COGNITO}:aud": "x"}, "ForAnyValue:StringLike": {f"{COGNITO}:amr": "*"}},
    ),
    allow_assuming("every role", "*"),
    allow_assuming("every role of the account", f"arn:aws:iam::{ACCOUNT}:role/*"),
    allow_assuming("role with a placeholder in its name", f"arn:aws:iam::{ACCOUNT}:role/polyphony-prod-?dmin"),
    allow_assuming("role named by a tag", f"arn:aws:iam::{ACCOUNT}:role/${{aws:PrincipalTag/team}}"),
    allow_assuming("one name in every account", "arn:aws:iam::*:role/polyphony-prod-media"),
    allow_assuming("roles by a wildcard action", f"arn:aws:iam::{ACCOUNT}:role/x-*", action="sts:Assume*"),
    allow_assuming("web identity roles", f"arn:aws:iam::{ACCOUNT}:role/x-*", action="sts:AssumeRoleWithWebIdentity"),
    allow_assuming("root of accounts", f"arn:aws:iam::{ACCOUNT}:root", action="sts:AssumeRoot"),
    allow_assuming("foreign role to assume", "arn:aws:iam::999999999999:role/x", "account-known"),
    # Harmless.
    trust_subject("exact environment", EXACT_SUBJECT, ""),
    trust_subject("exact environment with StringLike", EXACT_SUBJECT, "", "StringLike"),
    trust_subject("immutable ids", "repo:owner@1234567/polyphony@987654321:environment:prod", ""),
    trust_subject("two environments", [EXACT_SUBJECT, "repo:owner/polyphony:environment:prod-preview"], ""),
    trust_github(
        "more conditions",
        "",
        StringEquals={**STS_AUDIENCE, SUBJECT_KEY: EXACT_SUBJECT},
        StringNotLike={SUBJECT_KEY: "repo:*:pull_request"},
        Bool={"aws:SecureTransport": "true"},
    ),
    trust_github(
        "key in another case",
        "",
        StringEquals={AUDIENCE_KEY.upper(): "sts.amazonaws.com", SUBJECT_KEY.upper(): EXACT_SUBJECT},
    ),
    trust_github(
        "exact subject of another provider",
        "",
        host="token.example.com",
        StringEquals={"token.example.com:aud": "x", "token.example.com:sub": "service-7"},
    ),
    trust_principal("own role", {"AWS": ROLE_ARN}, ""),
    trust_principal(
        "own role with a path", {"AWS": f"arn:aws:iam::{ACCOUNT}:role/teams/voice/polyphony-prod-media"}, ""
    ),
    allow_assuming("own role to assume", ROLE_ARN, ""),
)

"""Spec (the required behaviour) and variations of the guardrail policies about roles that trust federated identities or
other roles, or assume other roles. A variation is a change of one role of the recorded program.

A federated identity has a token of an identity provider, for example of GitHub, whose audience and subject the trust
policy must compare.
"""

import json
from itertools import cycle
from typing import Any

from guardrails.model import resource_types as t
from tests.policies.policy_harness import UNKNOWN, PolicyCase, PolicySpec, SampleResource, change_resource
from tests.policies.program_variations import ProgramVariation, add_statement, change_properties, found_by
from tests.policies.specs.guest_permissions import COGNITO, GUEST_TRUST
from tests.policies.specs.sample_iam_documents import ACCOUNT, ACCOUNT_ROOT, ROLE_ARN, allow, trust

FEDERATED, OWN_IDENTITY_POOL = "iam-trust-federated-conditioned", "iam-trust-own-identity-pool"
EXACT_PRINCIPAL, ASSUME_ROLE_EXACT = "iam-trust-exact-principal", "iam-assume-role-exact"
GITHUB = "token.actions.githubusercontent.com"
ROLES = f"arn:aws:iam::{ACCOUNT}:role"
FOREIGN_ROLE = "arn:aws:iam::999999999999:role/x"
PROVIDER_ARN = f"arn:aws:iam::{ACCOUNT}:oidc-provider/"
AUDIENCE_KEY, SUBJECT_KEY = f"{GITHUB}:aud", f"{GITHUB}:sub"
STS_AUDIENCE = {AUDIENCE_KEY: "sts.amazonaws.com"}
EXACT_SUBJECT = "repo:owner/polyphony:environment:prod"
FUNCTION_NAMES = cycle(
    f"{subsystem}-{function}"
    for subsystem, functions in {
        "ingestion": ("manifest-builder", "steps", "sweeper"),
        "livestream": ("agent", "authorizer", "care", "episodes", "transcript-windows", "video-chunks"),
        "meetings": ("auth-exchange", "bedrock-summarize", "start", "steps", "storage"),
        "transcription": ("audio-processor", "router"),
        "voice-qa": ("query-worker", "validate-lecture", "websocket-handler"),
    }.items()
    for function in functions
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


def trust_github(label: str, *, host: str = GITHUB, **condition: Any) -> ProgramVariation:
    """Return a variation in which a role trusts jobs of GitHub Actions, or tokens of another provider (`host`)."""
    text = trust({"Federated": PROVIDER_ARN + host}, condition, "sts:AssumeRoleWithWebIdentity")
    return change_properties(label, f"{next(FUNCTION_NAMES)}-role", {"assumeRolePolicy": text})


def trust_subject(label: str, subject: object, operator: str = "StringEquals") -> ProgramVariation:
    """Return a variation in which a role trusts jobs of GitHub Actions whose token has a subject."""
    condition: dict[str, Any] = {"StringEquals": dict(STS_AUDIENCE)}
    condition.setdefault(operator, {})[SUBJECT_KEY] = subject
    return trust_github(label, **condition)


def trust_principal(label: str, principal: object, condition: dict[str, object] | None = None) -> ProgramVariation:
    """Return a variation in which a role trusts one more principal."""
    [statement] = json.loads(trust(principal, condition))["Statement"]
    return add_statement(label, f"{next(FUNCTION_NAMES)}-role", statement, "assumeRolePolicy")


def allow_assuming(label: str, resource: object, action: str = "sts:AssumeRole") -> ProgramVariation:
    """Return a variation in which a role may assume other roles."""
    return add_statement(label, f"{next(FUNCTION_NAMES)}-grants", {**allow(action), "Resource": resource})


VARIATIONS: tuple[ProgramVariation, ...] = (
    *found_by(
        FEDERATED,
        trust_subject("every repository", "*", "StringLike"),
        trust_subject("whole owner", "repo:owner/*", "StringLike"),
        trust_subject("owner with a prefix", "repo:owner*", "StringLike"),
        trust_subject("every ref of a repository", "repo:owner/polyphony:*", "StringLike"),
        trust_subject("every environment", "repo:owner/polyphony:environment:*", "StringLike"),
        trust_subject("wildcard that StringEquals takes literally", "repo:owner/polyphony:environment:*"),
        trust_subject("environments with a prefix", "repo:owner/polyphony:environment:prod-?", "StringLike"),
        trust_subject("environment of every repository", "repo:owner/*:environment:prod", "StringLike"),
        trust_subject("pull requests", "repo:owner/polyphony:pull_request"),
        trust_subject("branch", "repo:owner/polyphony:ref:refs/heads/main"),
        trust_subject("tag", "repo:owner/polyphony:ref:refs/tags/v1"),
        trust_subject("one of several subjects", [EXACT_SUBJECT, "repo:owner/polyphony:pull_request"]),
        trust_subject("owner without a repository", "repo:owner:environment:prod"),
        trust_subject("reusable workflow", "job_workflow_ref:owner/polyphony/.github/workflows/x.yml@refs/heads/main"),
        trust_subject("subject if it exists", EXACT_SUBJECT, "StringEqualsIfExists"),
        trust_subject("all values", EXACT_SUBJECT, "ForAllValues:StringEquals"),
        trust_subject("not a subject", "repo:other/polyphony:environment:prod", "StringNotEquals"),
        trust_subject("policy variable", "repo:owner/${aws:PrincipalTag/repo}:environment:prod", "StringLike"),
        trust_github("no condition"),
        trust_github("no audience", StringEquals={SUBJECT_KEY: EXACT_SUBJECT}),
        trust_github(
            "audience of GitHub", StringEquals={AUDIENCE_KEY: "https://github.com/owner", SUBJECT_KEY: EXACT_SUBJECT}
        ),
        trust_github("every audience", StringLike={AUDIENCE_KEY: "*"}, StringEquals={SUBJECT_KEY: EXACT_SUBJECT}),
        trust_github("no subject", StringEquals=STS_AUDIENCE),
        trust_github(
            "owner instead of a subject", StringEquals={**STS_AUDIENCE, f"{GITHUB}:repository_owner": "owner"}
        ),
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
        trust_principal("SAML provider", {"Federated": f"arn:aws:iam::{ACCOUNT}:saml-provider/x"}),
        trust_principal(
            "identity pools of a region",
            {"Federated": COGNITO},
            {
                "StringLike": {f"{COGNITO}:aud": "us-east-1:*"},
                "ForAnyValue:StringLike": {f"{COGNITO}:amr": "authenticated"},
            },
        ),
        trust_principal(
            "identities of every type",
            {"Federated": COGNITO},
            {"StringEquals": {f"{COGNITO}:aud": "x"}, "ForAnyValue:StringLike": {f"{COGNITO}:amr": "*"}},
        ),
    ),
    *found_by(
        EXACT_PRINCIPAL,
        trust_principal("everybody", "*"),
        trust_principal("every principal of AWS", {"AWS": "*"}),
        trust_principal("own account", {"AWS": ACCOUNT_ROOT}),
        trust_principal("own account id", {"AWS": ACCOUNT}),
        trust_principal("roles with a prefix", {"AWS": f"{ROLES}/polyphony-*"}),
        trust_principal("role with a placeholder", {"AWS": f"{ROLES}/polyphony-prod-?"}),
        trust_principal("user", {"AWS": f"arn:aws:iam::{ACCOUNT}:user/x"}),
        trust_principal("session", {"AWS": f"arn:aws:sts::{ACCOUNT}:assumed-role/x/y"}),
        trust_principal(
            "principals of an organisation", {"AWS": "*"}, {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}
        ),
        trust_principal("one of several roles", {"AWS": [ROLE_ARN, f"{ROLES}/*"]}),
    ),
    *found_by(
        OWN_IDENTITY_POOL,
        trust_principal(
            "foreign identity pool",
            {"Federated": COGNITO},
            {
                "StringEquals": {f"{COGNITO}:aud": f"us-east-1:{'0' * 8}"},
                "ForAnyValue:StringLike": {f"{COGNITO}:amr": "unauthenticated"},
            },
        ),
    ),
    *found_by(
        ASSUME_ROLE_EXACT,
        allow_assuming("every role", "*"),
        allow_assuming("every role of the account", f"{ROLES}/*"),
        allow_assuming("role with a placeholder in its name", f"{ROLES}/polyphony-prod-?dmin"),
        allow_assuming("role named by a tag", f"{ROLES}/${{aws:PrincipalTag/team}}"),
        allow_assuming("one name in every account", "arn:aws:iam::*:role/polyphony-prod-media"),
        allow_assuming("roles by a wildcard action", f"{ROLES}/x-*", "sts:Assume*"),
        allow_assuming("web identity roles", f"{ROLES}/x-*", "sts:AssumeRoleWithWebIdentity"),
        allow_assuming("root of accounts", ACCOUNT_ROOT, "sts:AssumeRoot"),
    ),
    *found_by(
        "account-known",
        trust_principal("foreign role", {"AWS": FOREIGN_ROLE}),
        trust_principal("foreign role beside an own one", {"AWS": [ROLE_ARN, FOREIGN_ROLE]}),
        allow_assuming("foreign role to assume", FOREIGN_ROLE),
    ),
    # Harmless.
    trust_subject("exact environment", EXACT_SUBJECT),
    trust_subject("exact environment with StringLike", EXACT_SUBJECT, "StringLike"),
    trust_subject("immutable ids", "repo:owner@1234567/polyphony@987654321:environment:prod"),
    trust_subject("two environments", [EXACT_SUBJECT, "repo:owner/polyphony:environment:prod-preview"]),
    trust_github(
        "more conditions",
        StringEquals={**STS_AUDIENCE, SUBJECT_KEY: EXACT_SUBJECT},
        StringNotLike={SUBJECT_KEY: "repo:*:pull_request"},
        Bool={"aws:SecureTransport": "true"},
    ),
    trust_github(
        "key in another case",
        StringEquals={AUDIENCE_KEY.upper(): "sts.amazonaws.com", SUBJECT_KEY.upper(): EXACT_SUBJECT},
    ),
    trust_github(
        "exact subject of another provider",
        host="token.example.com",
        StringEquals={"token.example.com:aud": "x", "token.example.com:sub": "service-7"},
    ),
    trust_principal("own role", {"AWS": ROLE_ARN}),
    trust_principal("own role with a path", {"AWS": f"{ROLES}/teams/voice/polyphony-prod-media"}),
    allow_assuming("own role to assume", ROLE_ARN),
)

"""Who is let in: trust, guests, resource policies, permissions; and secrets that show."""

import json

from guardrails import types as t
from tests.policies.harness import UNKNOWN, Spec, Thing, changes, edits, inserted, spec
from tests.policies.specs.documents import ACCOUNT, REGION, ROLE_ARN, TABLE_ARN, allow, document, service, source, trust

ROLE = "ingestion-manifest-builder-role"
OWN = "${cognito-identity.amazonaws.com:sub}"
COGNITO = "cognito-identity.amazonaws.com"
GROUP_ARN = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule-group/default"
GUEST_TRUST = trust(
    {"Federated": COGNITO},
    {"StringEquals": {f"{COGNITO}:aud": "pool"}, "ForAnyValue:StringLike": {f"{COGNITO}:amr": "unauthenticated"}},
    "sts:AssumeRoleWithWebIdentity",
)
POOL_ROLES = Thing(
    t.IDENTITY_POOL_ROLES,
    {"identityPoolId": UNKNOWN, "roles": {"unauthenticated": f"arn:aws:iam::{ACCOUNT}:role/guest"}},
    "roles",
)
GUEST = Thing(t.ROLE, {"name": "guest", "assumeRolePolicy": UNKNOWN})
OWN_KEYS = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": f"{OWN}#*"}, "Null": {"dynamodb:LeadingKeys": "false"}}


def role(policy: str, good: str, bad: str, says: str) -> Spec:
    """A spec of one trust policy, by which the real builder's is then replaced."""
    return spec(
        policy,
        t.ROLE,
        {"name": "r", "assumeRolePolicy": good},
        {"assumeRolePolicy": bad},
        says,
        "assumeRolePolicy",
        breaks=changes(ROLE, {"assumeRolePolicy": bad}),
    )


def guest(policy: str, good: str, bad: str, says: str) -> Spec:
    """A spec of what guests may do; the role is known by its pool, whose id is not known."""

    def stack(text: str, *more: Thing) -> list[Thing]:
        return [GUEST, POOL_ROLES, Thing(t.ROLE_POLICY, {"role": "guest", "policy": text}, "p"), *more]

    return Spec(
        policy,
        good=stack(good),
        bad=stack(bad),
        says=says,
        unknown=stack(bad, Thing(t.ROLE_POLICY, {"role": "guest", "policy": UNKNOWN}, "late")),
        breaks=inserted(
            [
                Thing(t.ROLE, {"name": "visitor", "assumeRolePolicy": GUEST_TRUST}),
                Thing(t.ROLE_POLICY, {"role": "visitor", "policy": bad}, "p"),
            ]
        ),
        undecided=False,
    )


def bucket_policy(policy: str, good: str, bad: str, says: str) -> Spec:
    """A spec of one resource policy; the real audit bucket's is broken by it."""
    name = "foundation-audit-logs-policy"
    return spec(
        policy,
        t.BUCKET_POLICY,
        {"bucket": "b", "policy": good},
        {"policy": bad},
        says,
        "policy",
        breaks=edits(name, "policy", lambda found: found["Statement"].append(statement_of(bad))),
    )


def statement_of(text: str) -> object:
    """The only statement of a document."""
    return json.loads(text)["Statement"][0]


def outside(principal: object, action: str = "s3:GetObject", condition: dict[str, object] | None = None) -> str:
    """A bucket's policy."""
    return document(allow(action, "arn:aws:s3:::b/*", condition, Principal=principal))


SPECS = (
    role(
        "iam-trust-names-source",
        service("scheduler.amazonaws.com", source(GROUP_ARN)),
        service("scheduler.amazonaws.com"),
        "aws:SourceAccount is not compared",
    ),
    role(
        "iam-trust-usable",
        service("lambda.amazonaws.com"),
        service("lambda.amazonaws.com", source(TABLE_ARN)),
        "could never take on this role",
    ),
    role(
        "iam-trust-federated-conditioned",
        GUEST_TRUST,
        trust({"Federated": COGNITO}, {"StringEquals": {f"{COGNITO}:aud": "pool"}}),
        f"{COGNITO}:amr",
    ),
    role(
        "iam-trust-exact-principal", trust({"AWS": ROLE_ARN}), trust({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}), ":root"
    ),
    role(
        "iam-session-tags-conditioned",
        trust(
            {"AWS": ROLE_ARN},
            {"ForAllValues:StringEquals": {"aws:TagKeys": ["user"]}},
            ["sts:AssumeRole", "sts:TagSession"],
        ),
        trust({"AWS": ROLE_ARN}, None, ["sts:AssumeRole", "sts:TagSession"]),
        "any tag",
    ),
    guest(
        "guests-own-objects-only",
        document(allow("s3:PutObject", f"arn:aws:s3:::b/queries/{OWN}/*")),
        document(allow("s3:PutObject", "arn:aws:s3:::b/queries/*")),
        "arn:aws:s3:::b/queries/*",
    ),
    guest(
        "guests-own-items-only",
        document(allow(["dynamodb:GetItem", "dynamodb:PutItem"], TABLE_ARN, OWN_KEYS)),
        document(
            allow("dynamodb:GetItem", TABLE_ARN, {"ForAllValues:StringLike": OWN_KEYS["ForAllValues:StringLike"]})
        ),
        "also holds for a request without any key",
    ),
    guest(
        "guests-few-services",
        document(allow("execute-api:Invoke", f"arn:aws:execute-api:{REGION}:{ACCOUNT}:abc/live/$connect")),
        document(allow("states:StartExecution", f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:x")),
        "Guests may states:StartExecution",
    ),
    spec(
        "cognito-no-classic-flow",
        t.IDENTITY_POOL,
        {"allowClassicFlow": False},
        {"allowClassicFlow": True},
        "allowClassicFlow",
        "allowClassicFlow",
    ),
    bucket_policy(
        "resource-policy-not-public",
        outside("*", condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}}),
        outside("*"),
        "lets everybody s3:GetObject",
    ),
    bucket_policy(
        "resource-policy-source-account",
        outside({"Service": "logging.s3.amazonaws.com"}, condition={"StringEquals": {"aws:SourceAccount": ACCOUNT}}),
        outside({"Service": "logging.s3.amazonaws.com"}, condition={"ArnLike": {"aws:SourceArn": "arn:aws:s3:::b"}}),
        "logging.s3.amazonaws.com",
    ),
    bucket_policy(
        "resource-policy-no-wildcard-action",
        outside({"AWS": ROLE_ARN}),
        outside({"AWS": ROLE_ARN}, "s3:*"),
        "It allows s3:*",
    ),
    spec(
        "function-permission-source",
        t.FUNCTION_PERMISSION,
        {"principal": "s3.amazonaws.com", "sourceArn": "arn:aws:s3:::b", "sourceAccount": ACCOUNT, "qualifier": "live"},
        {"sourceAccount": None},
        "arn:aws:s3:::b names none",
        "sourceArn",
    ),
    spec(
        "function-url-not-public",
        t.FUNCTION_URL,
        {"authorizationType": "AWS_IAM"},
        {"authorizationType": "NONE"},
        "NONE",
        "authorizationType",
    ),
    spec(
        "no-secret-in-environment",
        t.FUNCTION,
        {
            "name": "f",
            "environment": {
                "variables": {"ENCRYPTION_KEY": "/polyphony/prod/key", "TOKEN_SECONDS": "3600", "LATE": UNKNOWN}
            },
        },
        {"environment": {"variables": {"API_KEY": "s3cr3t-value"}}},
        "API_KEY",
        "environment",
        breaks=changes(
            "ingestion-manifest-builder-function", {"environment": {"variables": {"NOTE": "AKIAABCDEFGHIJKLMNOP"}}}
        ),
    ),
    spec(
        "secret-parameter-encrypted",
        t.PARAMETER,
        {"name": "/p/encryption-key", "type": "SecureString"},
        {"type": "String"},
        "type String",
        "type",
    ),
)

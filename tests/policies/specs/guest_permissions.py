"""Specs of the policies about Cognito guests."""

from guardrails.model import resource_types as t
from tests.policies.policy_harness import (
    UNKNOWN,
    PolicyCase,
    PolicySpec,
    SampleResource,
    expect_finding,
    expect_no_finding,
    insert_resources,
    property_spec,
)
from tests.policies.specs.sample_iam_documents import ACCOUNT, REGION, TABLE_ARN, Statement, allow, document, trust

COGNITO = "cognito-identity.amazonaws.com"
OWN = f"${{{COGNITO}:sub}}"
KEYS = "dynamodb:LeadingKeys"
NOT_NULL = {"Null": {KEYS: "false"}}
OWN_KEYS = {"ForAllValues:StringLike": {KEYS: f"{OWN}#*"}, **NOT_NULL}
BUCKET = "arn:aws:s3:::b"
OWN_PREFIX = {"s3:prefix": f"{OWN}/*"}
POOL = {"StringEquals": {f"{COGNITO}:aud": "pool"}}
UNAUTHENTICATED = {"ForAnyValue:StringLike": {f"{COGNITO}:amr": "unauthenticated"}}
GUEST = SampleResource(t.ROLE, {"name": "guest", "assumeRolePolicy": UNKNOWN})


def guest_trust(**condition: object) -> str:
    """Return the trust policy of an identity pool's role."""
    return trust({"Federated": COGNITO}, condition, "sts:AssumeRoleWithWebIdentity")


GUEST_TRUST = guest_trust(**POOL, **UNAUTHENTICATED)


def pool_roles(role: str = "guest") -> SampleResource:
    """Return the attachment that names the guest role of a pool."""
    arn = f"arn:aws:iam::{ACCOUNT}:role/{role}"
    return SampleResource(
        t.IDENTITY_POOL_ROLES, {"identityPoolId": UNKNOWN, "roles": {"unauthenticated": arn}}, "roles"
    )


def guests(*statements: Statement) -> list[SampleResource]:
    """Return a guest role, its attachment, and a policy. The trust policy is unknown, because it contains the pool's
    id.
    """
    return [
        GUEST,
        pool_roles(),
        SampleResource(t.ROLE_POLICY, {"role": "guest", "policy": document(*statements)}, "grants"),
    ]


def guest(policy: str, good: Statement, bad: Statement, message_part: str) -> PolicySpec:
    """Return a spec of a guest's permissions."""
    return PolicySpec(
        policy,
        good=guests(good),
        bad=guests(bad),
        message_part=message_part,
        unknown=[*guests(bad), SampleResource(t.ROLE_POLICY, {"role": "guest", "policy": UNKNOWN}, "late")],
        break_program=insert_resources(
            [
                SampleResource(t.ROLE, {"name": "visitor", "assumeRolePolicy": GUEST_TRUST}),
                SampleResource(t.ROLE_POLICY, {"role": "visitor", "policy": document(bad)}, "grants"),
            ]
        ),
        undecided=False,
    )


SPECS = (
    guest(
        "guests-own-objects-only",
        allow("s3:PutObject", f"{BUCKET}/queries/{OWN}/*"),
        allow("s3:PutObject", f"{BUCKET}/queries/*"),
        f"{BUCKET}/queries/*",
    ),
    guest(
        "guests-own-items-only",
        allow(["dynamodb:GetItem", "dynamodb:PutItem"], TABLE_ARN, OWN_KEYS),
        allow("dynamodb:GetItem", TABLE_ARN, {"ForAllValues:StringLike": {KEYS: f"{OWN}#*"}}),
        "also matches a request without any key",
    ),
    guest(
        "guests-few-services",
        allow("execute-api:Invoke", f"arn:aws:execute-api:{REGION}:{ACCOUNT}:abc/live/$connect"),
        allow("states:StartExecution", f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:x"),
        "The guest role allows states:StartExecution",
    ),
    property_spec("cognito-no-classic-flow", t.IDENTITY_POOL, "allowClassicFlow", False, True, "allowClassicFlow"),
)


def reaches_other_objects(actions: str | list[str], *resources: str, **condition: object) -> PolicyCase:
    """Return a case of guests who can reach objects of other guests."""
    statement = allow(actions, list(resources), condition)
    return expect_finding(
        "guests-own-objects-only", "includes objects of other guests", *guests(statement), faulty_name="sample"
    )


def reaches_other_items(message_part: str, **condition: object) -> PolicyCase:
    """Return a case of guests who can reach items of other guests."""
    return expect_finding(
        "guests-own-items-only",
        message_part,
        *guests(allow("dynamodb:GetItem", TABLE_ARN, condition)),
        faulty_name="sample",
    )


def guest_by_trust_policy(kind: str) -> PolicyCase:
    """Return a case of a guest role without an attachment, identified by its trust policy."""
    claims = guest_trust(**POOL, **{"ForAnyValue:StringLike": {f"{COGNITO}:amr": kind}})
    grants = SampleResource(t.ROLE_POLICY, {"role": "r", "policy": document(allow("events:PutEvents", "*"))}, "grants")
    return expect_finding(
        "guests-few-services", "events", SampleResource(t.ROLE, {"name": "r", "assumeRolePolicy": claims}), grants
    )


PUTS_EVENTS = guests(allow("events:PutEvents", "*"))
REFERRING_POOL = SampleResource(
    t.IDENTITY_POOL_ROLES, {"roles": {"unauthenticated": UNKNOWN}}, "roles", references={"roles": ["sample"]}
)
EVERYTHING = guests(allow("*", "*"))
NOT_OWN, NO_KEY = "to the guest's own identity", "also matches a request without any key"

CASES = (
    *(
        expect_finding(
            "guests-few-services", f"The guest role allows {action}", *guests(allow(action, "*")), faulty_name="sample"
        )
        for action in ("bedrock:InvokeModel", "States:StartExecution", "events:PutEvents", "*")
    ),
    expect_no_finding("guests-few-services", *guests(allow("S3:PutObject", f"{BUCKET}/queries/{OWN}/*"))),
    *map(guest_by_trust_policy, ("unauthenticated", "unauth*", "*")),
    # If the ARN of the guest role is unknown, the attachment names the role by reference.
    expect_finding(
        "guests-few-services", "events:PutEvents", GUEST, REFERRING_POOL, *PUTS_EVENTS[2:], faulty_name="sample"
    ),
    expect_no_finding("guests-few-services", GUEST, pool_roles("guest-2"), *PUTS_EVENTS[2:]),
    expect_finding("guests-own-objects-only", "includes objects of other guests", *EVERYTHING, faulty_name="sample"),
    expect_finding("guests-own-items-only", NOT_OWN, *EVERYTHING, faulty_name="sample"),
    reaches_other_objects("S3:GetObject", f"{BUCKET}/*"),
    reaches_other_objects("s3:PutObject", f"{BUCKET}/*/{OWN}/*"),
    reaches_other_objects("s3:PutObject", f"{BUCKET}/queries/{OWN}/*", f"{BUCKET}/lectures/*"),
    reaches_other_objects("s3:GetObject", f"{BUCKET}/*", StringLike=OWN_PREFIX),
    reaches_other_objects(["s3:ListBucket", "s3:GetObject"], f"{BUCKET}*", StringLike=OWN_PREFIX),
    reaches_other_objects("s3:ListBucket", BUCKET, StringLike={"s3:prefix": [f"{OWN}/*", "*"]}),
    reaches_other_objects("s3:ListBucket", BUCKET, StringNotLike=OWN_PREFIX),
    reaches_other_objects("s3:ListBucket", BUCKET, StringLikeIfExists=OWN_PREFIX),
    expect_no_finding(
        "guests-own-objects-only",
        *guests(
            allow("s3:ListBucket", BUCKET, {"StringLike": {"S3:Prefix": [f"{OWN}/*"]}}),
            allow("s3:ListBucketVersions", BUCKET, {"StringEquals": {"s3:prefix": f"{OWN}/"}}),
        ),
    ),
    reaches_other_items(NO_KEY, **{"ForAllValues:StringLike": {KEYS: f"{OWN}#*"}, "Null": {KEYS: "true"}}),
    reaches_other_items(NOT_OWN),
    *(
        reaches_other_items(NOT_OWN, **{"ForAllValues:StringLike": {KEYS: key}}, **NOT_NULL)
        for key in ("*", f"*{OWN}#*", [f"{OWN}#*", "lecture#*"])
    ),
    reaches_other_items(NOT_OWN, **{"ForAnyValue:StringLike": {KEYS: f"{OWN}#*"}}, **NOT_NULL),
    *(
        expect_finding(
            "iam-trust-federated-conditioned",
            message_part,
            SampleResource(t.ROLE, {"assumeRolePolicy": guest_trust(**condition)}),
        )
        for condition, message_part in (
            (UNAUTHENTICATED, f"but does not compare {COGNITO}:aud"),
            ({**UNAUTHENTICATED, "StringLike": {f"{COGNITO}:aud": "*"}}, f"but does not compare {COGNITO}:aud"),
        )
    ),
)

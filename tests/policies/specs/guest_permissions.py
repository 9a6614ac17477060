"""What Cognito guests may do: their own objects and items, by few services."""

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
from tests.policies.specs.sample_documents import ACCOUNT, REGION, TABLE_ARN, Statement, allow, document, trust

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
    """The trust policy of an identity pool's role."""
    return trust({"Federated": COGNITO}, condition, "sts:AssumeRoleWithWebIdentity")


GUEST_TRUST = guest_trust(**POOL, **UNAUTHENTICATED)


def pool_roles(role: str = "guest") -> SampleResource:
    """The attachment by which a pool says which role its guests have."""
    arn = f"arn:aws:iam::{ACCOUNT}:role/{role}"
    return SampleResource(
        t.IDENTITY_POOL_ROLES, {"identityPoolId": UNKNOWN, "roles": {"unauthenticated": arn}}, "roles"
    )


def guests(*parse_statements: Statement) -> list[SampleResource]:
    """The role of a pool's guests, whose trust policy waits for the pool's id, with a policy."""
    return [
        GUEST,
        pool_roles(),
        SampleResource(t.ROLE_POLICY, {"role": "guest", "policy": document(*parse_statements)}, "grants"),
    ]


def guest(policy: str, good: Statement, bad: Statement, message_part: str) -> PolicySpec:
    """A spec of what guests may do."""
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


def others_objects(actions: str | list[str], *resources: str, **condition: object) -> PolicyCase:
    """Guests who reach objects of others."""
    statement = allow(actions, list(resources), condition)
    return expect_finding("guests-own-objects-only", "includes objects of other guests", *guests(statement), at="thing")


def others_items(message_part: str, **condition: object) -> PolicyCase:
    """Guests who reach items of others."""
    return expect_finding(
        "guests-own-items-only", message_part, *guests(allow("dynamodb:GetItem", TABLE_ARN, condition)), at="thing"
    )


def known_by_trust(kind: str) -> PolicyCase:
    """A role without an attachment, whose trust policy lets guests in."""
    claims = guest_trust(**POOL, **{"ForAnyValue:StringLike": {f"{COGNITO}:amr": kind}})
    grants = SampleResource(t.ROLE_POLICY, {"role": "r", "policy": document(allow("events:PutEvents", "*"))}, "grants")
    return expect_finding(
        "guests-few-services", "events", SampleResource(t.ROLE, {"name": "r", "assumeRolePolicy": claims}), grants
    )


PUTS_EVENTS = guests(allow("events:PutEvents", "*"))
REFERRING_POOL = SampleResource(
    t.IDENTITY_POOL_ROLES, {"roles": {"unauthenticated": UNKNOWN}}, "roles", references={"roles": ["thing"]}
)
EVERYTHING = guests(allow("*", "*"))
NOT_OWN, NO_KEY = "to the guest's own identity", "also matches a request without any key"

CASES = (
    *(
        expect_finding(
            "guests-few-services", f"The guest role allows {action}", *guests(allow(action, "*")), at="thing"
        )
        for action in ("bedrock:InvokeModel", "States:StartExecution", "events:PutEvents", "*")
    ),
    expect_no_finding("guests-few-services", *guests(allow("S3:PutObject", f"{BUCKET}/queries/{OWN}/*"))),
    *map(known_by_trust, ("unauthenticated", "unauth*", "*")),
    # A pool whose role's ARN is not known yet names the role by reference.
    expect_finding(
        "guests-few-services",
        "The guest role allows events:PutEvents",
        GUEST,
        REFERRING_POOL,
        *PUTS_EVENTS[2:],
        at="thing",
    ),
    expect_no_finding("guests-few-services", GUEST, pool_roles("guest-2"), *PUTS_EVENTS[2:]),
    expect_finding("guests-own-objects-only", "includes objects of other guests", *EVERYTHING, at="thing"),
    expect_finding("guests-own-items-only", NOT_OWN, *EVERYTHING, at="thing"),
    others_objects("S3:GetObject", f"{BUCKET}/*"),
    others_objects("s3:PutObject", f"{BUCKET}/*/{OWN}/*"),
    others_objects("s3:PutObject", f"{BUCKET}/queries/{OWN}/*", f"{BUCKET}/lectures/*"),
    others_objects("s3:GetObject", f"{BUCKET}/*", StringLike=OWN_PREFIX),
    others_objects(["s3:ListBucket", "s3:GetObject"], f"{BUCKET}*", StringLike=OWN_PREFIX),
    others_objects("s3:ListBucket", BUCKET, StringLike={"s3:prefix": [f"{OWN}/*", "*"]}),
    others_objects("s3:ListBucket", BUCKET, StringNotLike=OWN_PREFIX),
    others_objects("s3:ListBucket", BUCKET, StringLikeIfExists=OWN_PREFIX),
    expect_no_finding(
        "guests-own-objects-only",
        *guests(
            allow("s3:ListBucket", BUCKET, {"StringLike": {"S3:Prefix": [f"{OWN}/*"]}}),
            allow("s3:ListBucketVersions", BUCKET, {"StringEquals": {"s3:prefix": f"{OWN}/"}}),
        ),
    ),
    others_items(NO_KEY, **{"ForAllValues:StringLike": {KEYS: f"{OWN}#*"}, "Null": {KEYS: "true"}}),
    others_items(NOT_OWN),
    *(
        others_items(NOT_OWN, **{"ForAllValues:StringLike": {KEYS: key}}, **NOT_NULL)
        for key in ("*", f"*{OWN}#*", [f"{OWN}#*", "lecture#*"])
    ),
    others_items(NOT_OWN, **{"ForAnyValue:StringLike": {KEYS: f"{OWN}#*"}}, **NOT_NULL),
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

"""Specs (the required behaviour of each policy) and further cases of the guardrail policies about guests: users of a
Cognito identity pool without authentication.

A role is a guest role if the pool's attachment of roles names it, or if its trust policy allows unauthenticated
identities. Guests may only reach objects and items whose key contains their identity id.
"""

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
GUEST_ID = f"${{{COGNITO}:sub}}"
"""IAM policy variable with the identity id of the guest."""
LEADING_KEYS = "dynamodb:LeadingKeys"
KEY_REQUIRED = {"Null": {LEADING_KEYS: "false"}}
OWN_KEYS = {"ForAllValues:StringLike": {LEADING_KEYS: f"{GUEST_ID}#*"}, **KEY_REQUIRED}
BUCKET_ARN = "arn:aws:s3:::b"
OWN_PREFIX = {"s3:prefix": f"{GUEST_ID}/*"}
OF_POOL = {"StringEquals": {f"{COGNITO}:aud": "pool"}}
OF_GUESTS = {"ForAnyValue:StringLike": {f"{COGNITO}:amr": "unauthenticated"}}
GUEST_ROLE = SampleResource(t.ROLE, {"name": "guest", "assumeRolePolicy": UNKNOWN})
"""Role of guests. Its trust policy is unknown, because it contains the pool's id."""


def guest_trust(**condition: object) -> str:
    """Return the trust policy of an identity pool's role."""
    return trust({"Federated": COGNITO}, condition, "sts:AssumeRoleWithWebIdentity")


GUEST_TRUST = guest_trust(**OF_POOL, **OF_GUESTS)


def pool_roles(role_name: str = "guest") -> SampleResource:
    """Return the attachment that names the guest role of a pool."""
    arn = f"arn:aws:iam::{ACCOUNT}:role/{role_name}"
    return SampleResource(
        t.IDENTITY_POOL_ROLES, {"identityPoolId": UNKNOWN, "roles": {"unauthenticated": arn}}, "roles"
    )


def guest_policy(*statements: Statement) -> SampleResource:
    """Return a policy of the guest role."""
    return SampleResource(t.ROLE_POLICY, {"role": "guest", "policy": document(*statements)}, "grants")


def guest_with(*statements: Statement) -> list[SampleResource]:
    """Return the guest role, its attachment to the pool, and a policy with statements."""
    return [GUEST_ROLE, pool_roles(), guest_policy(*statements)]


def guest_spec(policy: str, good: Statement, bad: Statement, message_part: str) -> PolicySpec:
    """Return a spec of one statement of the guest role's policy."""
    return PolicySpec(
        policy,
        good=guest_with(good),
        bad=guest_with(bad),
        message_part=message_part,
        unknown=[*guest_with(bad), SampleResource(t.ROLE_POLICY, {"role": "guest", "policy": UNKNOWN}, "unknown")],
        break_program=insert_resources(
            [
                SampleResource(t.ROLE, {"name": "visitor", "assumeRolePolicy": GUEST_TRUST}),
                SampleResource(t.ROLE_POLICY, {"role": "visitor", "policy": document(bad)}, "grants"),
            ]
        ),
        undecided=False,
    )


SPECS = (
    guest_spec(
        "guests-own-objects-only",
        allow("s3:PutObject", f"{BUCKET_ARN}/queries/{GUEST_ID}/*"),
        allow("s3:PutObject", f"{BUCKET_ARN}/queries/*"),
        f"{BUCKET_ARN}/queries/*",
    ),
    guest_spec(
        "guests-own-items-only",
        allow(["dynamodb:GetItem", "dynamodb:PutItem"], TABLE_ARN, OWN_KEYS),
        allow("dynamodb:GetItem", TABLE_ARN, {"ForAllValues:StringLike": {LEADING_KEYS: f"{GUEST_ID}#*"}}),
        "also matches a request without any key",
    ),
    guest_spec(
        "guests-few-services",
        allow("execute-api:Invoke", f"arn:aws:execute-api:{REGION}:{ACCOUNT}:abc/live/$connect"),
        allow("states:StartExecution", f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:x"),
        "The guest role allows states:StartExecution",
    ),
    property_spec("cognito-no-classic-flow", t.IDENTITY_POOL, "allowClassicFlow", False, True, "allowClassicFlow"),
)


def foreign_objects_case(actions: str | list[str], *resources: str, **condition: object) -> PolicyCase:
    """Return a case of guests who can reach objects of other guests."""
    statement = allow(actions, list(resources), condition)
    return expect_finding(
        "guests-own-objects-only", "includes objects of other guests", *guest_with(statement), faulty_name="sample"
    )


def foreign_items_case(message_part: str, **condition: object) -> PolicyCase:
    """Return a case of guests who can reach items of other guests."""
    return expect_finding(
        "guests-own-items-only",
        message_part,
        *guest_with(allow("dynamodb:GetItem", TABLE_ARN, condition)),
        faulty_name="sample",
    )


def guest_by_trust_policy_case(authentication: str) -> PolicyCase:
    """Return a case of a guest role without an attachment, identified by its trust policy."""
    trust_policy = guest_trust(**OF_POOL, **{"ForAnyValue:StringLike": {f"{COGNITO}:amr": authentication}})
    grants = SampleResource(t.ROLE_POLICY, {"role": "r", "policy": document(allow("events:PutEvents", "*"))}, "grants")
    return expect_finding(
        "guests-few-services", "events", SampleResource(t.ROLE, {"name": "r", "assumeRolePolicy": trust_policy}), grants
    )


EVENTS_POLICY = guest_policy(allow("events:PutEvents", "*"))
ATTACHMENT_BY_REFERENCE = SampleResource(
    t.IDENTITY_POOL_ROLES, {"roles": {"unauthenticated": UNKNOWN}}, "roles", references={"roles": ["sample"]}
)
GUEST_WITH_ALL_PERMISSIONS = guest_with(allow("*", "*"))
NOT_OWN, NO_KEY = "to the guest's own identity", "also matches a request without any key"

CASES = (
    *(
        expect_finding(
            "guests-few-services",
            f"The guest role allows {action}",
            *guest_with(allow(action, "*")),
            faulty_name="sample",
        )
        for action in ("bedrock:InvokeModel", "States:StartExecution", "events:PutEvents", "*")
    ),
    expect_no_finding("guests-few-services", *guest_with(allow("S3:PutObject", f"{BUCKET_ARN}/queries/{GUEST_ID}/*"))),
    *map(guest_by_trust_policy_case, ("unauthenticated", "unauth*", "*")),
    # If the ARN of the guest role is unknown, the attachment names the role by reference.
    expect_finding(
        "guests-few-services",
        "events:PutEvents",
        GUEST_ROLE,
        ATTACHMENT_BY_REFERENCE,
        EVENTS_POLICY,
        faulty_name="sample",
    ),
    expect_no_finding("guests-few-services", GUEST_ROLE, pool_roles("guest-2"), EVENTS_POLICY),
    expect_finding(
        "guests-own-objects-only", "includes objects of other guests", *GUEST_WITH_ALL_PERMISSIONS, faulty_name="sample"
    ),
    expect_finding("guests-own-items-only", NOT_OWN, *GUEST_WITH_ALL_PERMISSIONS, faulty_name="sample"),
    foreign_objects_case("S3:GetObject", f"{BUCKET_ARN}/*"),
    foreign_objects_case("s3:PutObject", f"{BUCKET_ARN}/*/{GUEST_ID}/*"),
    foreign_objects_case("s3:PutObject", f"{BUCKET_ARN}/${{aws:PrincipalTag/folder, '*'}}/{GUEST_ID}/*"),
    foreign_objects_case("s3:PutObject", f"{BUCKET_ARN}/queries/{GUEST_ID}/*", f"{BUCKET_ARN}/lectures/*"),
    foreign_objects_case("s3:GetObject", f"{BUCKET_ARN}/*", StringLike=OWN_PREFIX),
    foreign_objects_case(["s3:ListBucket", "s3:GetObject"], f"{BUCKET_ARN}*", StringLike=OWN_PREFIX),
    foreign_objects_case("s3:ListBucket", BUCKET_ARN, StringLike={"s3:prefix": [f"{GUEST_ID}/*", "*"]}),
    foreign_objects_case("s3:ListBucket", BUCKET_ARN, StringNotLike=OWN_PREFIX),
    foreign_objects_case("s3:ListBucket", BUCKET_ARN, StringLikeIfExists=OWN_PREFIX),
    expect_no_finding(
        "guests-own-objects-only",
        *guest_with(
            allow("s3:ListBucket", BUCKET_ARN, {"StringLike": {"S3:Prefix": [f"{GUEST_ID}/*"]}}),
            allow("s3:ListBucketVersions", BUCKET_ARN, {"StringEquals": {"s3:prefix": f"{GUEST_ID}/"}}),
        ),
    ),
    foreign_items_case(
        NO_KEY, **{"ForAllValues:StringLike": {LEADING_KEYS: f"{GUEST_ID}#*"}, "Null": {LEADING_KEYS: "true"}}
    ),
    foreign_items_case(NOT_OWN),
    *(
        foreign_items_case(NOT_OWN, **{"ForAllValues:StringLike": {LEADING_KEYS: key}}, **KEY_REQUIRED)
        for key in ("*", f"*{GUEST_ID}#*", [f"{GUEST_ID}#*", "lecture#*"])
    ),
    foreign_items_case(NOT_OWN, **{"ForAnyValue:StringLike": {LEADING_KEYS: f"{GUEST_ID}#*"}}, **KEY_REQUIRED),
    *(
        expect_finding(
            "iam-trust-federated-conditioned",
            f"but does not compare {COGNITO}:aud",
            SampleResource(t.ROLE, {"assumeRolePolicy": guest_trust(**OF_GUESTS, **audience)}),
        )
        for audience in ({}, {"StringLike": {f"{COGNITO}:aud": "*"}})
    ),
)

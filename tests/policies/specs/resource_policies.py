"""Who is let in: trust, resource policies, permissions; and secrets that show."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from guardrails.model import resource_types as t
from tests.policies.policy_harness import (
    UNDECIDED,
    UNKNOWN,
    PolicyCase,
    PolicySpec,
    SampleResource,
    edit_json_property,
    expect_finding,
    expect_no_finding,
    property_spec,
    resource_spec,
)
from tests.policies.specs.guest_permissions import COGNITO, GUEST_TRUST, POOL, guest_trust
from tests.policies.specs.sample_documents import (
    ACCOUNT,
    REGION,
    ROLE_ARN,
    TABLE_ARN,
    Statement,
    allow,
    document,
    service,
    source,
    trust,
)

GROUP_ARN = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule-group/default"
RULE_ARN = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/x"
SESSIONS = ["sts:AssumeRole", "sts:TagSession"]
OWN_ACCOUNT = {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
AUDIENCE = {"StringEquals": {"token.example.com:aud": "x"}}


def role(policy: str, good: str, bad: str, message_part: str) -> PolicySpec:
    """A spec of one trust policy."""
    return property_spec(policy, t.ROLE, "assumeRolePolicy", good, bad, message_part)


def bucket_policy(policy: str, good: str, bad: str, message_part: str) -> PolicySpec:
    """A spec of one resource policy; the statement of the bad one is added to the real audit bucket's."""
    return resource_spec(
        policy,
        t.BUCKET_POLICY,
        {"bucket": "b", "policy": good},
        {"policy": bad},
        message_part,
        break_program=edit_json_property(
            "foundation-audit-logs-policy",
            "policy",
            lambda found: found["Statement"].extend(json.loads(bad)["Statement"]),
        ),
    )


def outside(principal: object, action: str = "s3:GetObject", condition: Mapping[str, Any] | None = None) -> str:
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
        "could never assume the role",
    ),
    role("iam-trust-federated-conditioned", GUEST_TRUST, guest_trust(**POOL), f"{COGNITO}:amr"),
    role(
        "iam-trust-exact-principal", trust({"AWS": ROLE_ARN}), trust({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}), ":root"
    ),
    role(
        "iam-session-tags-conditioned",
        trust({"AWS": ROLE_ARN}, {"ForAllValues:StringEquals": {"aws:TagKeys": ["user"]}}, SESSIONS),
        trust({"AWS": ROLE_ARN}, None, SESSIONS),
        "any tag",
    ),
    bucket_policy(
        "resource-policy-not-public",
        outside("*", condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}}),
        outside("*"),
        "allows s3:GetObject to every principal",
    ),
    bucket_policy(
        "resource-policy-source-account",
        outside({"Service": "logging.s3.amazonaws.com"}, condition=OWN_ACCOUNT),
        outside({"Service": "logging.s3.amazonaws.com"}, condition={"ArnLike": {"aws:SourceArn": "arn:aws:s3:::b"}}),
        "logging.s3.amazonaws.com",
    ),
    bucket_policy(
        "resource-policy-no-wildcard-action",
        outside({"AWS": ROLE_ARN}),
        outside({"AWS": ROLE_ARN}, "s3:*"),
        "action pattern s3:*",
    ),
    resource_spec(
        "function-permission-source",
        t.FUNCTION_PERMISSION,
        {"principal": "s3.amazonaws.com", "sourceArn": "arn:aws:s3:::b", "sourceAccount": ACCOUNT, "qualifier": "live"},
        {"sourceAccount": None},
        "arn:aws:s3:::b contains no account",
        "sourceArn",
        added=True,
    ),
    property_spec("function-url-not-public", t.FUNCTION_URL, "authorizationType", "AWS_IAM", "NONE", "NONE"),
    property_spec(
        "no-secret-in-environment",
        t.FUNCTION,
        "environment.variables",
        {"ENCRYPTION_KEY": "/p/key", "SECONDS": "3600", "LATE": UNKNOWN},
        {"API_KEY": "s3cr3t-value"},
        "API_KEY",
    ),
    resource_spec(
        "secret-parameter-encrypted",
        t.SSM_PARAMETER,
        {"name": "/p/encryption-key", "type": "SecureString"},
        {"type": "String"},
        "type String",
        added=True,
    ),
)

PUBLIC, OWNERLESS = "resource-policy-not-public", "resource-policy-source-account"
PERMISSION, SECRETS = "function-permission-source", "no-secret-in-environment"
FEDERATED, USABLE, EXACT = "iam-trust-federated-conditioned", "iam-trust-usable", "iam-trust-exact-principal"


def public(kind: str = t.QUEUE_POLICY, principal: Any = "*", **condition: Any) -> PolicyCase:
    """A resource policy that lets everybody in."""
    return expect_finding(
        PUBLIC, "allows x:Get to every principal", holder(kind, allow("x:Get", "*", condition, Principal=principal))
    )


def holder(kind: str, *parse_statements: Statement) -> SampleResource:
    """A resource with a policy."""
    return SampleResource(
        kind, {"name": "q", t.POLICY_DOCUMENT_PROPERTIES.get(kind, "policy"): document(*parse_statements)}
    )


def for_service(kind: str = t.TOPIC_POLICY, **condition: object) -> SampleResource:
    """A policy that lets a service in."""
    return holder(kind, allow("x:Get", "*", condition, Principal={"Service": "delivery.logs.amazonaws.com"}))


def trusting(message_part: str, text: str, policy: str = "iam-trust-names-source") -> PolicyCase:
    """A fault of a trust policy."""
    return expect_finding(policy, message_part, SampleResource(t.ROLE, {"assumeRolePolicy": text}))


def federated(**condition: object) -> SampleResource:
    """A role for tokens of an OpenID Connect provider."""
    provider = f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.example.com"
    return SampleResource(t.ROLE, {"assumeRolePolicy": trust({"Federated": provider}, {**AUDIENCE, **condition})})


def permission(**props: Any) -> SampleResource:
    """A function's permission."""
    return SampleResource(t.FUNCTION_PERMISSION, props)


def api_of(kind: str) -> list[SampleResource]:
    """A permission for a resource of this stack whose ARN is not known yet."""
    props = {"principal": "apigateway.amazonaws.com", "sourceArn": UNKNOWN}
    return [
        SampleResource(kind, {}, "source"),
        SampleResource(t.FUNCTION_PERMISSION, props, references={"sourceArn": ["source"]}),
    ]


def container(name: str, value: str) -> dict[str, object]:
    """A container with one environment variable."""
    return {"environment": [{"name": name, "value": value}]}


UNREADABLE = holder(t.QUEUE_POLICY, allow("sqs:SendMessage", Principal=["*"]))
EVERYBODY = allow("x:Get", "*", Principal="*")
ONE_BUCKET = {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::b"}}
LAYER = {"principal": "*", "action": "lambda:GetLayerVersion"}
IN_ORGANIZATION = {"type": "StringEquals", "key": "aws:PrincipalOrgID", "value": "o-1"}

CASES = (
    trusting("has no entry for this service", service("quicksight.amazonaws.com")),
    trusting("aws:SourceArn is not compared", service("states.amazonaws.com", OWN_ACCOUNT)),
    trusting("aws:SourceArn is not compared", service("states.amazonaws.com", source("*"))),
    trusting(
        "aws:SourceAccount is not compared",
        service("states.amazonaws.com", {**source("arn:aws:states:*"), "StringEquals": {"aws:SourceAccount": "*2"}}),
    ),
    trusting(
        "schedule-group",
        service("scheduler.amazonaws.com", source(f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/default/x")),
        USABLE,
    ),
    trusting("could never assume", service("backup.amazonaws.com", OWN_ACCOUNT), USABLE),
    trusting("trusts the principal *", trust("*"), EXACT),
    trusting("9:root", trust({"AWS": "arn:aws:iam::999999999999:root"}), EXACT),
    expect_no_finding(
        "iam-trust-names-source",
        SampleResource(
            t.ROLE, {"assumeRolePolicy": service("ecs-tasks.amazonaws.com", source(f"arn:aws:ecs:{REGION}:*"))}
        ),
    ),
    expect_finding(FEDERATED, "token.example.com:sub", federated()),
    expect_finding(FEDERATED, "identities of other owners", federated(StringLike={"token.example.com:sub": "repo:*"})),
    expect_no_finding(FEDERATED, federated(StringLike={"token.example.com:sub": "repo:owner/*"})),
    expect_finding(
        "iam-session-tags-conditioned",
        "any tag",
        SampleResource(t.ROLE_POLICY, {"policy": document(allow(SESSIONS, ROLE_ARN))}),
    ),
    *map(public, sorted(t.RESOURCE_POLICIES - {t.EVENT_BUS_PERMISSION, t.LAYER_PERMISSION})),
    public(principal={"AWS": "*"}),
    public(t.KMS_KEY, StringLike={"aws:PrincipalArn": "*"}),
    public(ArnLike={"aws:PrincipalArn": "arn:aws:iam::*:role/*"}),
    public(ArnLike={"aws:SourceArn": "arn:aws:s3:::*"}),
    public(StringNotEquals={"aws:SourceAccount": ACCOUNT}),
    public(t.QUEUE_POLICY, **{"ForAllValues:StringEquals": {"aws:SourceAccount": ACCOUNT}}),
    public(StringLike={"aws:PrincipalOrgID": "o-*"}),
    public(StringLike={"aws:SourceVpc": "vpc-*"}),
    public(StringLike={"aws:SourceAccount": "1*"}),
    public(NumericGreaterThan={"aws:SourceAccount": "1"}),
    expect_finding(PUBLIC, "lambda:GetLayerVersion to every principal", SampleResource(t.LAYER_PERMISSION, LAYER)),
    expect_finding(
        PUBLIC, "events:PutEvents to every principal", SampleResource(t.EVENT_BUS_PERMISSION, {"principal": "*"})
    ),
    expect_no_finding(PUBLIC, SampleResource(t.LAYER_PERMISSION, {**LAYER, "organizationId": "o-1"})),
    expect_no_finding(PUBLIC, SampleResource(t.LAYER_PERMISSION, {**LAYER, "principal": ACCOUNT})),
    expect_no_finding(PUBLIC, SampleResource(t.EVENT_BUS_PERMISSION, {"principal": "*", "condition": IN_ORGANIZATION})),
    expect_no_finding(PUBLIC, holder(t.QUEUE_POLICY, allow("x:Get", "*", ONE_BUCKET, Principal="*"))),
    expect_finding(PUBLIC, "cannot be checked", UNREADABLE, at="thing"),
    expect_finding(PUBLIC, "cannot be checked", SampleResource(t.QUEUE_POLICY, {"policy": "{"})),
    expect_finding(PUBLIC, "to every principal", UNREADABLE, replace(holder(t.TOPIC_POLICY, EVERYBODY), name="public")),
    expect_finding("iam-no-negation", "NotResource", holder(t.QUEUE_POLICY, {"NotResource": "x"})),
    expect_finding("iam-no-negation", "NotAction", holder(t.LOG_RESOURCE_POLICY, {"NotAction": "x"})),
    *(
        expect_finding(OWNERLESS, "without a condition on the account", for_service(kind, **condition))
        for kind in (t.TOPIC_POLICY, t.LOG_RESOURCE_POLICY)
        for condition in (
            {},
            {"StringLike": {"aws:SourceAccount": "1*"}},
            {"ForAllValues:StringEquals": {"aws:SourceAccount": ACCOUNT}},
            {"ArnNotLike": {"aws:SourceArn": RULE_ARN}},
        )
    ),
    expect_no_finding(OWNERLESS, for_service(ArnLike={"aws:SourceArn": RULE_ARN})),
    expect_no_finding(OWNERLESS, for_service(t.LOG_RESOURCE_POLICY, **OWN_ACCOUNT)),
    expect_no_finding(
        OWNERLESS, for_service(t.KMS_KEY, ArnLike={"kms:EncryptionContext:aws:logs:arn": "arn:aws:logs:r:1:x"})
    ),
    expect_finding(
        "resource-policy-no-wildcard-action",
        "x:*",
        holder(t.LOG_RESOURCE_POLICY, allow("x:*", Principal={"AWS": ACCOUNT})),
    ),
    expect_finding(PERMISSION, "every AWS account may call", permission(principal="*")),
    expect_finding(PERMISSION, "sourceArn is missing", permission(principal="apigateway.amazonaws.com")),
    expect_finding(
        PERMISSION, "sourceArn is missing", permission(principal="sns.amazonaws.com", sourceAccount=ACCOUNT)
    ),
    expect_finding(
        PERMISSION,
        "for any account",
        permission(principal="apigateway.amazonaws.com", sourceArn=f"arn:aws:execute-api:{REGION}:*:abc/live/*"),
    ),
    expect_no_finding(PERMISSION, permission(principal="events.amazonaws.com", sourceArn=RULE_ARN)),
    expect_no_finding(PERMISSION, *api_of(t.API_V2)),
    expect_no_finding(PERMISSION, *api_of(t.REST_API)),
    expect_finding(PERMISSION, UNDECIDED, *api_of(t.BUCKET)),
    expect_finding(
        SECRETS,
        "DB_PASSWORD",
        SampleResource(t.BATCH_JOB, {"containerProperties": json.dumps(container("DB_PASSWORD", "x1"))}),
    ),
    expect_finding(SECRETS, "--api-token", SampleResource(t.GLUE_JOB, {"defaultArguments": {"--api-token": "abc"}})),
    expect_finding(
        SECRETS,
        "a URL with a password",
        SampleResource(t.TASK_DEFINITION, {"containerDefinitions": json.dumps([container("URL", "pg://u:p@h/d")])}),
    ),
    expect_finding(
        SECRETS,
        "an AWS access key",
        SampleResource(t.FUNCTION, {"environment": {"variables": {"NOTE": f"AKIA{'X' * 16}"}}}),
    ),
    expect_no_finding(
        SECRETS,
        SampleResource(
            t.FUNCTION, {"environment": {"variables": {"TOKEN_AUDIENCE": "x", "MAX_TOKENS": "9", "API_KEY": "arn:x"}}}
        ),
    ),
)

"""Specs (the required behaviour of each policy) and further cases of the guardrail policies about trust policies,
resource policies, function permissions and secret parameters.
"""

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
from tests.policies.specs.guest_permissions import COGNITO, GUEST_TRUST, OF_POOL, guest_trust
from tests.policies.specs.sample_iam_documents import (
    ACCOUNT,
    ACCOUNT_ROOT,
    REGION,
    ROLE_ARN,
    TABLE_ARN,
    Statement,
    allow,
    document,
    source_condition,
    trust,
    trust_service,
)

NOT_PUBLIC, HAS_SOURCE_ACCOUNT = "resource-policy-not-public", "resource-policy-source-account"
NO_WILDCARD_ACTION, PERMISSION_SOURCE = "resource-policy-no-wildcard-action", "function-permission-source"
NAMES_SOURCE, TRUST_USABLE = "iam-trust-names-source", "iam-trust-usable"
FEDERATED, EXACT_PRINCIPAL = "iam-trust-federated-conditioned", "iam-trust-exact-principal"
TAGS_CONDITIONED = "iam-session-tags-conditioned"
GROUP_ARN = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule-group/default"
RULE_ARN = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/x"
ASSUME_WITH_TAGS = ["sts:AssumeRole", "sts:TagSession"]
OWN_SOURCE_ACCOUNT = {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
TOKEN_AUDIENCE = {"StringEquals": {"token.example.com:aud": "x"}}


def trust_policy_spec(policy: str, good: str, bad: str, message_part: str) -> PolicySpec:
    """Return a spec of a role's trust policy."""
    return property_spec(policy, t.ROLE, "assumeRolePolicy", good, bad, message_part)


def bucket_policy_spec(policy: str, good: str, bad: str, message_part: str) -> PolicySpec:
    """Return a spec of a bucket policy. The recorded program gets the fault in the policy of the audit bucket."""
    return resource_spec(
        policy,
        t.BUCKET_POLICY,
        {"bucket": "b", "policy": good},
        {"policy": bad},
        message_part,
        break_program=edit_json_property(
            "foundation-audit-logs-policy",
            "policy",
            lambda document: document["Statement"].extend(json.loads(bad)["Statement"]),
        ),
    )


def bucket_document(principal: object, action: str = "s3:GetObject", condition: Mapping[str, Any] | None = None) -> str:
    """Return a bucket policy as JSON."""
    return document(allow(action, "arn:aws:s3:::b/*", condition, Principal=principal))


SPECS = (
    trust_policy_spec(
        NAMES_SOURCE,
        trust_service("scheduler", source_condition(GROUP_ARN)),
        trust_service("scheduler"),
        "aws:SourceAccount is not compared",
    ),
    trust_policy_spec(
        TRUST_USABLE,
        trust_service("lambda"),
        trust_service("lambda", source_condition(TABLE_ARN)),
        "could never assume the role",
    ),
    trust_policy_spec(FEDERATED, GUEST_TRUST, guest_trust(**OF_POOL), f"{COGNITO}:amr"),
    trust_policy_spec(EXACT_PRINCIPAL, trust({"AWS": ROLE_ARN}), trust({"AWS": ACCOUNT_ROOT}), ":root"),
    trust_policy_spec(
        TAGS_CONDITIONED,
        trust({"AWS": ROLE_ARN}, {"ForAllValues:StringEquals": {"aws:TagKeys": ["user"]}}, ASSUME_WITH_TAGS),
        trust({"AWS": ROLE_ARN}, None, ASSUME_WITH_TAGS),
        "any tag",
    ),
    bucket_policy_spec(
        NOT_PUBLIC,
        bucket_document("*", condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}}),
        bucket_document("*"),
        "allows s3:GetObject to every principal",
    ),
    bucket_policy_spec(
        HAS_SOURCE_ACCOUNT,
        bucket_document({"Service": "logging.s3.amazonaws.com"}, condition=OWN_SOURCE_ACCOUNT),
        bucket_document(
            {"Service": "logging.s3.amazonaws.com"}, condition={"ArnLike": {"aws:SourceArn": "arn:aws:s3:::b"}}
        ),
        "logging.s3.amazonaws.com",
    ),
    bucket_policy_spec(
        NO_WILDCARD_ACTION,
        bucket_document({"AWS": ROLE_ARN}),
        bucket_document({"AWS": ROLE_ARN}, "s3:*"),
        "action pattern s3:*",
    ),
    resource_spec(
        PERMISSION_SOURCE,
        t.FUNCTION_PERMISSION,
        {"principal": "s3.amazonaws.com", "sourceArn": "arn:aws:s3:::b", "sourceAccount": ACCOUNT, "qualifier": "live"},
        {"sourceAccount": None},
        "arn:aws:s3:::b contains no account",
        "sourceArn",
        add_to_program=True,
    ),
    property_spec("function-url-not-public", t.FUNCTION_URL, "authorizationType", "AWS_IAM", "NONE", "NONE"),
    resource_spec(
        "secret-parameter-encrypted",
        t.SSM_PARAMETER,
        {"name": "/p/encryption-key", "type": "SecureString"},
        {"type": "String"},
        "type String",
        add_to_program=True,
    ),
)


def public_policy_case(kind: str = t.QUEUE_POLICY, principal: Any = "*", **condition: Any) -> PolicyCase:
    """Return a case of a resource policy that allows every principal."""
    return expect_finding(
        NOT_PUBLIC,
        "allows x:Get to every principal",
        resource_with_policy(kind, allow("x:Get", "*", condition, Principal=principal)),
    )


def resource_with_policy(kind: str, *statements: Statement) -> SampleResource:
    """Return a resource that has a policy with statements."""
    return SampleResource(kind, {"name": "q", t.POLICY_DOCUMENT_PROPERTIES.get(kind, "policy"): document(*statements)})


def policy_for_service(kind: str = t.TOPIC_POLICY, **condition: object) -> SampleResource:
    """Return a resource whose policy allows an AWS service under a condition."""
    return resource_with_policy(
        kind, allow("x:Get", "*", condition, Principal={"Service": "delivery.logs.amazonaws.com"})
    )


def trust_case(message_part: str, text: str, policy: str = NAMES_SOURCE) -> PolicyCase:
    """Return a case of a trust policy (`text`) with a fault."""
    return expect_finding(policy, message_part, SampleResource(t.ROLE, {"assumeRolePolicy": text}))


def role_for_oidc_tokens(**condition: object) -> SampleResource:
    """Return a role for tokens of an OpenID Connect provider."""
    provider = f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.example.com"
    return SampleResource(t.ROLE, {"assumeRolePolicy": trust({"Federated": provider}, {**TOKEN_AUDIENCE, **condition})})


def function_permission(**props: Any) -> SampleResource:
    """Return a function permission."""
    return SampleResource(t.FUNCTION_PERMISSION, props)


def permission_with_unknown_source(kind: str) -> list[SampleResource]:
    """Return a permission whose unknown source ARN is computed from a resource of this type."""
    props = {"principal": "apigateway.amazonaws.com", "sourceArn": UNKNOWN}
    return [
        SampleResource(kind, {}, "source"),
        SampleResource(t.FUNCTION_PERMISSION, props, references={"sourceArn": ["source"]}),
    ]


MALFORMED_QUEUE_POLICY = resource_with_policy(t.QUEUE_POLICY, allow("sqs:SendMessage", Principal=["*"]))
ALLOW_EVERY_PRINCIPAL = allow("x:Get", "*", Principal="*")
ONE_BUCKET = {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::b"}}
LAYER_FOR_EVERY_PRINCIPAL = {"principal": "*", "action": "lambda:GetLayerVersion"}
IN_ORGANIZATION = {"type": "StringEquals", "key": "aws:PrincipalOrgID", "value": "o-1"}

CASES = (
    trust_case("has no entry for this service", trust_service("quicksight")),
    trust_case("aws:SourceArn is not compared", trust_service("states", OWN_SOURCE_ACCOUNT)),
    trust_case("aws:SourceArn is not compared", trust_service("states", source_condition("*"))),
    trust_case(
        "aws:SourceAccount is not compared",
        trust_service("states", {**source_condition("arn:aws:states:*"), "StringEquals": {"aws:SourceAccount": "*2"}}),
    ),
    trust_case(
        "schedule-group",
        trust_service("scheduler", source_condition(f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/default/x")),
        TRUST_USABLE,
    ),
    trust_case("could never assume", trust_service("backup", OWN_SOURCE_ACCOUNT), TRUST_USABLE),
    trust_case("trusts the principal *", trust("*"), EXACT_PRINCIPAL),
    trust_case("9:root", trust({"AWS": "arn:aws:iam::999999999999:root"}), EXACT_PRINCIPAL),
    expect_no_finding(
        NAMES_SOURCE,
        SampleResource(
            t.ROLE, {"assumeRolePolicy": trust_service("ecs-tasks", source_condition(f"arn:aws:ecs:{REGION}:*"))}
        ),
    ),
    expect_finding(FEDERATED, "token.example.com:sub", role_for_oidc_tokens()),
    expect_finding(
        FEDERATED, "token.example.com:sub", role_for_oidc_tokens(StringLike={"token.example.com:sub": "repo:owner/*"})
    ),
    expect_finding(
        TAGS_CONDITIONED,
        "any tag",
        SampleResource(t.ROLE_POLICY, {"policy": document(allow(ASSUME_WITH_TAGS, ROLE_ARN))}),
    ),
    *map(public_policy_case, sorted(t.RESOURCE_POLICIES - {t.EVENT_BUS_PERMISSION, t.LAYER_PERMISSION})),
    public_policy_case(principal={"AWS": "*"}),
    public_policy_case(t.KMS_KEY, StringLike={"aws:PrincipalArn": "*"}),
    public_policy_case(ArnLike={"aws:PrincipalArn": "arn:aws:iam::*:role/*"}),
    public_policy_case(ArnLike={"aws:SourceArn": "arn:aws:s3:::*"}),
    public_policy_case(StringNotEquals={"aws:SourceAccount": ACCOUNT}),
    public_policy_case(t.QUEUE_POLICY, **{"ForAllValues:StringEquals": {"aws:SourceAccount": ACCOUNT}}),
    public_policy_case(StringLike={"aws:PrincipalOrgID": "o-*"}),
    public_policy_case(StringLike={"aws:SourceVpc": "vpc-*"}),
    public_policy_case(StringLike={"aws:SourceAccount": "1*"}),
    public_policy_case(NumericGreaterThan={"aws:SourceAccount": "1"}),
    expect_finding(
        NOT_PUBLIC,
        "lambda:GetLayerVersion to every principal",
        SampleResource(t.LAYER_PERMISSION, LAYER_FOR_EVERY_PRINCIPAL),
    ),
    expect_finding(
        NOT_PUBLIC, "events:PutEvents to every principal", SampleResource(t.EVENT_BUS_PERMISSION, {"principal": "*"})
    ),
    expect_no_finding(
        NOT_PUBLIC, SampleResource(t.LAYER_PERMISSION, {**LAYER_FOR_EVERY_PRINCIPAL, "organizationId": "o-1"})
    ),
    expect_no_finding(
        NOT_PUBLIC, SampleResource(t.LAYER_PERMISSION, {**LAYER_FOR_EVERY_PRINCIPAL, "principal": ACCOUNT})
    ),
    expect_no_finding(
        NOT_PUBLIC, SampleResource(t.EVENT_BUS_PERMISSION, {"principal": "*", "condition": IN_ORGANIZATION})
    ),
    expect_no_finding(NOT_PUBLIC, resource_with_policy(t.QUEUE_POLICY, allow("x:Get", "*", ONE_BUCKET, Principal="*"))),
    expect_finding(NOT_PUBLIC, "cannot be checked", MALFORMED_QUEUE_POLICY, faulty_name="sample"),
    expect_finding(NOT_PUBLIC, "cannot be checked", SampleResource(t.QUEUE_POLICY, {"policy": "{"})),
    expect_finding(
        NOT_PUBLIC,
        "every principal",
        MALFORMED_QUEUE_POLICY,
        replace(resource_with_policy(t.TOPIC_POLICY, ALLOW_EVERY_PRINCIPAL), name="public"),
    ),
    public_policy_case(StringEquals={"aws:PrincipalAccount": "${aws:PrincipalAccount}"}),
    public_policy_case(ArnLike={"aws:SourceArn": "arn:aws:sqs:us-east-1:123456789012:${aws:PrincipalTag/queue}"}),
    expect_no_finding(
        "iam-no-negation",
        resource_with_policy(t.QUEUE_POLICY, {"Effect": "Deny", "NotAction": "sqs:SendMessage", "Principal": "*"}),
    ),
    expect_finding("iam-no-negation", "NotResource", resource_with_policy(t.QUEUE_POLICY, {"NotResource": "x"})),
    expect_finding("iam-no-negation", "NotAction", resource_with_policy(t.LOG_RESOURCE_POLICY, {"NotAction": "x"})),
    *(
        expect_finding(HAS_SOURCE_ACCOUNT, "without a condition on the account", policy_for_service(kind, **condition))
        for kind in (t.TOPIC_POLICY, t.LOG_RESOURCE_POLICY)
        for condition in (
            {},
            {"StringLike": {"aws:SourceAccount": "1*"}},
            {"ForAllValues:StringEquals": {"aws:SourceAccount": ACCOUNT}},
            {"ArnNotLike": {"aws:SourceArn": RULE_ARN}},
        )
    ),
    expect_no_finding(HAS_SOURCE_ACCOUNT, policy_for_service(ArnLike={"aws:SourceArn": RULE_ARN})),
    expect_no_finding(HAS_SOURCE_ACCOUNT, policy_for_service(t.LOG_RESOURCE_POLICY, **OWN_SOURCE_ACCOUNT)),
    expect_no_finding(
        HAS_SOURCE_ACCOUNT,
        policy_for_service(t.KMS_KEY, ArnLike={"kms:EncryptionContext:aws:logs:arn": "arn:aws:logs:r:1:x"}),
    ),
    expect_finding(
        NO_WILDCARD_ACTION, "x:*", resource_with_policy(t.LOG_RESOURCE_POLICY, allow("x:*", Principal={"AWS": ACCOUNT}))
    ),
    expect_no_finding(
        NO_WILDCARD_ACTION, resource_with_policy(t.KMS_KEY, allow("kms:*", Principal={"AWS": ACCOUNT_ROOT}))
    ),
    expect_finding(
        NO_WILDCARD_ACTION,
        "kms:Get*",
        resource_with_policy(t.KMS_KEY, allow("kms:Get*", Principal={"AWS": ACCOUNT_ROOT})),
    ),
    expect_finding(
        NO_WILDCARD_ACTION, "kms:*", resource_with_policy(t.KMS_KEY, allow("kms:*", Principal={"AWS": ROLE_ARN}))
    ),
    expect_finding(PERMISSION_SOURCE, "every AWS account may call", function_permission(principal="*")),
    expect_finding(
        PERMISSION_SOURCE, "sourceArn is missing", function_permission(principal="apigateway.amazonaws.com")
    ),
    expect_finding(
        PERMISSION_SOURCE,
        "sourceArn is missing",
        function_permission(principal="sns.amazonaws.com", sourceAccount=ACCOUNT),
    ),
    expect_finding(
        PERMISSION_SOURCE,
        "for any account",
        function_permission(
            principal="apigateway.amazonaws.com", sourceArn=f"arn:aws:execute-api:{REGION}:*:abc/live/*"
        ),
    ),
    expect_no_finding(PERMISSION_SOURCE, function_permission(principal="events.amazonaws.com", sourceArn=RULE_ARN)),
    expect_no_finding(PERMISSION_SOURCE, *permission_with_unknown_source(t.API_V2)),
    expect_no_finding(PERMISSION_SOURCE, *permission_with_unknown_source(t.REST_API)),
    expect_finding(PERMISSION_SOURCE, UNDECIDED, *permission_with_unknown_source(t.BUCKET)),
)

"""Specs (the required behaviour of each policy) and further cases of the guardrail policies about limits of roles
(permissions boundary, duration of sessions, attached managed policies) and about two limits of IAM policies:

- A request without the key also meets a `ForAllValues` condition, so a `Null` condition must require the key.
- A wildcard in an ARN must match only names that start with the stack's prefix, `polyphony-prod-`.
"""

from dataclasses import replace
from typing import Any

from guardrails.model import resource_types as t
from tests.policies.policy_harness import (
    BOUNDARY,
    UNDECIDED,
    UNKNOWN,
    PolicyCase,
    PolicySpec,
    SampleResource,
    change_resource,
    expect_finding,
    expect_no_finding,
    resource_spec,
)
from tests.policies.specs.role_permissions import ADMINISTRATOR_ARN, role_policy, role_with_inline_policies
from tests.policies.specs.sample_iam_documents import (
    ACCOUNT,
    BOUNDARY_ARN,
    REGION,
    ROLE_ARN,
    TABLE_ARN,
    allow,
    document,
    trust,
)

HAS_BOUNDARY, SESSION_SHORT = "iam-role-has-boundary", "iam-session-short"
POLICY_OF_STACK, NEEDS_KEY = "iam-managed-policy-of-stack", "iam-for-all-values-needs-key"
WITHIN_STACK = "iam-wildcard-within-stack"
OUR_ARN = f"arn:aws:iam::{ACCOUNT}:policy/ours"
LEADING_KEYS = "dynamodb:LeadingKeys"
OPTIONAL_KEYS = {"ForAllValues:StringEquals": {LEADING_KEYS: "${aws:PrincipalTag/user}"}}
REQUIRED_KEYS = {**OPTIONAL_KEYS, "Null": {LEADING_KEYS: "false"}}
OUR_POLICY = SampleResource(t.MANAGED_POLICY, {"name": "ours", "policy": document()}, "ours")


def policy_on_arn(arn: str, actions: str | list[str] = "x:Do") -> SampleResource:
    """Return an IAM policy that allows actions on one ARN."""
    return role_policy(document(allow(actions, arn)), "sample")


def beyond_stack_case(arn: str) -> PolicyCase:
    """Return a case of a wildcard that also matches resources of other stacks."""
    return expect_finding(WITHIN_STACK, "beyond the prefix polyphony-prod-", policy_on_arn(arn))


def accepted_arn_case(arn: str, actions: str | list[str] = "x:Do") -> PolicyCase:
    """Return a case of an ARN that the policy about wildcards accepts: it names one resource, or resources with the stack's
    prefix, or resources whose names AWS generates, or other policies check it.
    """
    return expect_no_finding(WITHIN_STACK, policy_on_arn(arn, actions))


def optional_key_case(key: str, *samples: SampleResource) -> PolicyCase:
    """Return a case of a condition that a request without the key meets."""
    return expect_finding(NEEDS_KEY, f"compares {key}", *samples)


def policy_with_condition(condition: dict[str, Any]) -> SampleResource:
    """Return an IAM policy with a condition."""
    return role_policy(document(allow("dynamodb:GetItem", TABLE_ARN, condition)), "sample")


def sample_role(**props: Any) -> SampleResource:
    """Return a role with the stack's permissions boundary."""
    return SampleResource(t.ROLE, {"name": "r", "permissionsBoundary": BOUNDARY_ARN, **props})


def role_with_boundary(value: object) -> SampleResource:
    """Return a role with a permissions boundary."""
    return SampleResource(t.ROLE, {"name": "r", "permissionsBoundary": value})


CASES = (
    # Permissions boundaries of roles.
    *(
        expect_finding(HAS_BOUNDARY, "permissionsBoundary is", sample)
        for sample in (
            SampleResource(t.ROLE, {"name": "r"}),
            role_with_boundary(""),
            role_with_boundary("arn:aws:iam::aws:policy/AdministratorAccess"),
            role_with_boundary(f"arn:aws:iam::{ACCOUNT}:policy/boundary-prod"),
            role_with_boundary(f"arn:aws:iam::{ACCOUNT}:policy/polyphony-bootstrap/boundary-dev"),
            role_with_boundary(f"{BOUNDARY_ARN}-old"),
            role_with_boundary(f"arn:aws:iam::{ACCOUNT}:policy/other/{BOUNDARY}"),
        )
    ),
    expect_no_finding(HAS_BOUNDARY, role_with_boundary(BOUNDARY_ARN)),
    expect_no_finding(HAS_BOUNDARY, role_with_boundary(f"arn:aws-cn:iam::{ACCOUNT}:policy/{BOUNDARY}")),
    # Maximum durations of sessions.
    expect_finding(SESSION_SHORT, "maxSessionDuration is 3601", sample_role(maxSessionDuration=3601)),
    expect_no_finding(SESSION_SHORT, sample_role(maxSessionDuration=3600)),
    expect_no_finding(SESSION_SHORT, sample_role()),
    # Managed policies that are attached to roles. OUR_ARN belongs to the stack only together with OUR_POLICY.
    expect_finding(
        POLICY_OF_STACK, OUR_ARN, SampleResource(t.ROLE_POLICY_ATTACHMENT, {"role": "r", "policyArn": OUR_ARN})
    ),
    expect_finding(POLICY_OF_STACK, OUR_ARN, sample_role(managedPolicyArns=[OUR_ARN])),
    expect_finding(
        POLICY_OF_STACK, OUR_ARN, SampleResource(t.POLICY_ATTACHMENT, {"roles": ["r"], "policyArn": OUR_ARN})
    ),
    expect_finding(
        POLICY_OF_STACK, OUR_ARN, SampleResource(t.ROLE_POLICY_ATTACHMENTS, {"roleName": "r", "policyArns": [OUR_ARN]})
    ),
    expect_finding(
        POLICY_OF_STACK, "theirs", OUR_POLICY, sample_role(managedPolicyArns=[OUR_ARN, f"{OUR_ARN}-theirs"])
    ),
    expect_no_finding(
        POLICY_OF_STACK, OUR_POLICY, SampleResource(t.ROLE_POLICY_ATTACHMENT, {"role": "r", "policyArn": OUR_ARN})
    ),
    expect_no_finding(POLICY_OF_STACK, OUR_POLICY, sample_role(managedPolicyArns=[OUR_ARN])),
    expect_no_finding(
        POLICY_OF_STACK,
        OUR_POLICY,
        SampleResource(t.ROLE_POLICY_ATTACHMENT, {"policyArn": UNKNOWN}, references={"policyArn": ["ours"]}),
    ),
    expect_no_finding(POLICY_OF_STACK, replace(sample_role(), provider_outputs={"managedPolicyArns": [OUR_ARN]})),
    expect_no_finding(POLICY_OF_STACK, sample_role()),
    # Conditions that a request without the key meets, and others.
    optional_key_case(LEADING_KEYS, policy_with_condition(OPTIONAL_KEYS)),
    optional_key_case(LEADING_KEYS, policy_with_condition({**OPTIONAL_KEYS, "Null": {LEADING_KEYS: "true"}})),
    optional_key_case(LEADING_KEYS, policy_with_condition({**OPTIONAL_KEYS, "Null": {"aws:TagKeys": "false"}})),
    optional_key_case(LEADING_KEYS, policy_with_condition({"ForAllValues:StringLike": {LEADING_KEYS: "x*"}})),
    optional_key_case("aws:TagKeys", policy_with_condition({"ForAllValues:StringEquals": {"aws:TagKeys": ["user"]}})),
    optional_key_case(
        "aws:PrincipalOrgPaths", policy_with_condition({"forallvalues:StringLike": {"aws:PrincipalOrgPaths": "o-1/*"}})
    ),
    optional_key_case(
        LEADING_KEYS, role_with_inline_policies(document(allow("dynamodb:GetItem", TABLE_ARN, OPTIONAL_KEYS)))
    ),
    optional_key_case(
        "aws:TagKeys",
        SampleResource(
            t.ROLE,
            {"assumeRolePolicy": trust({"AWS": ROLE_ARN}, {"ForAllValues:StringEquals": {"aws:TagKeys": "user"}})},
        ),
    ),
    optional_key_case(
        "aws:PrincipalArn",
        SampleResource(
            t.QUEUE_POLICY,
            {
                "policy": document(
                    allow(
                        "sqs:SendMessage", "*", {"ForAllValues:ArnLike": {"aws:PrincipalArn": ROLE_ARN}}, Principal="*"
                    )
                )
            },
        ),
    ),
    optional_key_case(
        LEADING_KEYS,
        SampleResource(t.MANAGED_POLICY, {"policy": document(allow("dynamodb:GetItem", TABLE_ARN, OPTIONAL_KEYS))}),
    ),
    expect_no_finding(NEEDS_KEY, policy_with_condition(REQUIRED_KEYS)),
    expect_no_finding(NEEDS_KEY, policy_with_condition({**OPTIONAL_KEYS, "Null": {"DynamoDB:leadingkeys": False}})),
    expect_no_finding(NEEDS_KEY, policy_with_condition({"ForAnyValue:StringEquals": {LEADING_KEYS: "x"}})),
    expect_no_finding(NEEDS_KEY, policy_with_condition({"StringEquals": {"aws:SourceAccount": ACCOUNT}})),
    expect_no_finding(NEEDS_KEY, role_policy(document({**allow("x:Do", "*", OPTIONAL_KEYS), "Effect": "Deny"}))),
    # Wildcards that also match names of other stacks.
    *(
        beyond_stack_case(arn)
        for arn in (
            "arn:aws:s3:::polyphony-*",
            "arn:aws:s3:::*-recordings-*/*",
            "arn:aws:s3:::polyphony-prod*/*",
            "arn:aws:s3:::polyphony-pro?-meetings/*",
            f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/*-meetings",
            f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/polyphony-*-meetings/index/*",
            f"arn:aws:dynamodb:{REGION}:*:table/polyphony-prod-meetings",
            f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:polyphony-*:live",
            f"arn:aws:lambda:{REGION}:{ACCOUNT}:*:polyphony-prod-x",
            f"arn:aws:*:{REGION}:{ACCOUNT}:function:polyphony-prod-x",
            f"arn:*:sqs:{REGION}:{ACCOUNT}:polyphony-prod-q",
            f"arn:aws:sqs:{REGION}:{ACCOUNT}:poly*",
            f"arn:aws:sns:{REGION}:{ACCOUNT}:*-alerts",
            f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:polyphony-staging-*",
            f"arn:aws:states:{REGION}:{ACCOUNT}:execution:poly*:x",
            f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/*:*",
            f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:*polyphony-prod-*",
            f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/polyphony*",
            f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:p*-??????",
            f"arn:aws:iam::{ACCOUNT}:role/polyphony*",
            f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/team/*",
            f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/*",
            f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/d*",
            f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/${{aws:PrincipalTag/table}}",
            "arn:aws:s3*",
        )
    ),
    # ARNs that the policy about wildcards accepts.
    *(
        accepted_arn_case(arn)
        for arn in (
            "*",  # other policies check which actions may have it
            "arn:aws:s3:::polyphony-prod-meetings/*",
            "arn:aws:s3:::polyphony-prod-*",
            "arn:aws:s3:::named-exactly/raw/${aws:PrincipalTag/user}/*",
            f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/polyphony-prod-meetings-*",
            f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/any/index/*",
            f"arn:aws:dynamodb:*:{ACCOUNT}:table/any",
            f"arn:aws:glue:{REGION}:{ACCOUNT}:database/polyphony_prod_*",
            f"arn:aws:batch:{REGION}:{ACCOUNT}:job-definition/media:*",
            f"arn:aws:states:{REGION}:{ACCOUNT}:execution:workflow:*",
            f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/polyphony-prod-*:*",
            f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/named:*",
            f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/apigateway/*",
            f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:named-??????",
            f"arn:aws:execute-api:{REGION}:{ACCOUNT}:a1b2/*/POST/@connections/*",
            "arn:aws:bedrock:*::foundation-model/anthropic.claude",
        )
    ),
    accepted_arn_case(f"arn:aws:batch:{REGION}:{ACCOUNT}:job/*", ["batch:CancelJob", "batch:TerminateJob"]),
    # Unknown values.
    expect_finding(HAS_BOUNDARY, UNDECIDED, role_with_boundary(UNKNOWN)),
    expect_finding(POLICY_OF_STACK, UNDECIDED, OUR_POLICY, sample_role(managedPolicyArns=[UNKNOWN])),
)
SPECS = (
    resource_spec(
        HAS_BOUNDARY,
        t.ROLE,
        {"permissionsBoundary": BOUNDARY_ARN},
        {"permissionsBoundary": ADMINISTRATOR_ARN},
        "Administrator",
    ),
    resource_spec(
        SESSION_SHORT, t.ROLE, {"maxSessionDuration": 3600}, {"maxSessionDuration": 43200}, "is 43200 seconds"
    ),
    PolicySpec(
        POLICY_OF_STACK,
        good=[OUR_POLICY, SampleResource(t.ROLE, {"name": "r", "managedPolicyArns": [OUR_ARN]})],
        bad=[SampleResource(t.ROLE, {"name": "r", "managedPolicyArns": [OUR_ARN]})],
        message_part=OUR_ARN,
        unknown=[SampleResource(t.ROLE, {"name": "r", "managedPolicyArns": [UNKNOWN]})],
        break_program=change_resource(t.ROLE, {"managedPolicyArns": [OUR_ARN]}),
    ),
    resource_spec(
        NEEDS_KEY,
        t.ROLE_POLICY,
        {"policy": document(allow("dynamodb:GetItem", TABLE_ARN, REQUIRED_KEYS))},
        {"policy": document(allow("dynamodb:GetItem", TABLE_ARN, OPTIONAL_KEYS))},
        LEADING_KEYS,
    ),
    resource_spec(
        WITHIN_STACK,
        t.ROLE_POLICY,
        {"policy": document(allow("s3:GetObject", "arn:aws:s3:::polyphony-prod-*/*"))},
        {"policy": document(allow("s3:GetObject", "arn:aws:s3:::polyphony-*/*"))},
        "arn:aws:s3:::polyphony-*/*",
    ),
)

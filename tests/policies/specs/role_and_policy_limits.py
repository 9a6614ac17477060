"""Specs of the policies about limits of roles (boundary, duration of sessions, managed policies) and about two limits
of IAM policies (`ForAllValues` conditions, wildcards in ARNs): bad and harmless variations by family.
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
from tests.policies.specs.role_permissions import ADMINISTRATOR, grants, inline
from tests.policies.specs.sample_iam_documents import ACCOUNT, REGION, ROLE_ARN, TABLE_ARN, allow, document, trust

BOUND, SESSION, FOREIGN = "iam-role-has-boundary", "iam-session-short", "iam-managed-policy-of-stack"
FOR_ALL, WITHIN = "iam-for-all-values-needs-key", "iam-wildcard-within-stack"
BOUNDARY_ARN = f"arn:aws:iam::{ACCOUNT}:policy/{BOUNDARY}"
OURS = f"arn:aws:iam::{ACCOUNT}:policy/ours"
KEYS = "dynamodb:LeadingKeys"
LEADING = {"ForAllValues:StringEquals": {KEYS: "${aws:PrincipalTag/user}"}}
REQUIRED = {**LEADING, "Null": {KEYS: "false"}}
OUR_POLICY = SampleResource(t.MANAGED_POLICY, {"name": "ours", "policy": document()}, "ours")


def on(arn: str, actions: str | list[str] = "x:Do") -> SampleResource:
    """Return an IAM policy that allows actions on one ARN."""
    return grants(document(allow(actions, arn)), "sample")


def beyond(arn: str) -> PolicyCase:
    """Return a case of a wildcard that also matches resources of other stacks."""
    return expect_finding(WITHIN, "beyond the prefix polyphony-prod-", on(arn))


def within(arn: str, actions: str | list[str] = "x:Do") -> PolicyCase:
    """Return a case of an ARN that the policy about wildcards accepts.

    The ARN names a resource exactly, or its name starts with the stack's prefix, or AWS generates the names of such
    resources, or other policies check it.
    """
    return expect_no_finding(WITHIN, on(arn, actions))


def optional_key(key: str, *samples: SampleResource) -> PolicyCase:
    """Return a case of a condition that is met if the key is absent."""
    return expect_finding(FOR_ALL, f"compares {key}", *samples)


def conditioned(condition: dict[str, Any]) -> SampleResource:
    """Return an IAM policy with a condition."""
    return grants(document(allow("dynamodb:GetItem", TABLE_ARN, condition)), "sample")


def a_role(**props: Any) -> SampleResource:
    """Return a role with the stack's permissions boundary."""
    return SampleResource(t.ROLE, {"name": "r", "permissionsBoundary": BOUNDARY_ARN, **props})


def bounded(value: object) -> SampleResource:
    """Return a role with a permissions boundary."""
    return SampleResource(t.ROLE, {"name": "r", "permissionsBoundary": value})


BOUNDARIES = (
    *(
        expect_finding(BOUND, "permissionsBoundary is", sample)
        for sample in (
            SampleResource(t.ROLE, {"name": "r"}),
            bounded(""),
            bounded("arn:aws:iam::aws:policy/AdministratorAccess"),
            bounded(f"arn:aws:iam::{ACCOUNT}:policy/boundary-prod"),
            bounded(f"arn:aws:iam::{ACCOUNT}:policy/polyphony-bootstrap/boundary-dev"),
            bounded(f"{BOUNDARY_ARN}-old"),
            bounded(f"arn:aws:iam::{ACCOUNT}:policy/other/{BOUNDARY}"),
        )
    ),
    expect_no_finding(BOUND, bounded(BOUNDARY_ARN)),
    expect_no_finding(BOUND, bounded(f"arn:aws-cn:iam::{ACCOUNT}:policy/{BOUNDARY}")),
)
SESSIONS = (
    *(
        expect_finding(SESSION, f"maxSessionDuration is {seconds}", a_role(maxSessionDuration=seconds))
        for seconds in (3601, 7200, 14400, 43200)
    ),
    *(expect_no_finding(SESSION, a_role(maxSessionDuration=seconds)) for seconds in (900, 3600)),
    expect_no_finding(SESSION, a_role()),
)
POLICIES_FROM_ELSEWHERE = (
    expect_finding(FOREIGN, OURS, SampleResource(t.ROLE_POLICY_ATTACHMENT, {"role": "r", "policyArn": OURS})),
    expect_finding(FOREIGN, OURS, a_role(managedPolicyArns=[OURS])),
    expect_finding(FOREIGN, OURS, SampleResource(t.POLICY_ATTACHMENT, {"roles": ["r"], "policyArn": OURS})),
    expect_finding(FOREIGN, OURS, SampleResource(t.ROLE_POLICY_ATTACHMENTS, {"roleName": "r", "policyArns": [OURS]})),
    expect_finding(FOREIGN, "theirs", OUR_POLICY, a_role(managedPolicyArns=[OURS, f"{OURS}-theirs"])),
    expect_no_finding(FOREIGN, OUR_POLICY, SampleResource(t.ROLE_POLICY_ATTACHMENT, {"role": "r", "policyArn": OURS})),
    expect_no_finding(FOREIGN, OUR_POLICY, a_role(managedPolicyArns=[OURS])),
    expect_no_finding(
        FOREIGN,
        OUR_POLICY,
        SampleResource(t.ROLE_POLICY_ATTACHMENT, {"policyArn": UNKNOWN}, references={"policyArn": ["ours"]}),
    ),
    expect_no_finding(FOREIGN, replace(a_role(), provider_outputs={"managedPolicyArns": [OURS]})),
    expect_no_finding(FOREIGN, a_role()),
)
OPTIONAL_KEYS = (
    optional_key(KEYS, conditioned(LEADING)),
    optional_key(KEYS, conditioned({**LEADING, "Null": {KEYS: "true"}})),
    optional_key(KEYS, conditioned({**LEADING, "Null": {"aws:TagKeys": "false"}})),
    optional_key(KEYS, conditioned({"ForAllValues:StringLike": {KEYS: "x*"}})),
    optional_key("aws:TagKeys", conditioned({"ForAllValues:StringEquals": {"aws:TagKeys": ["user"]}})),
    optional_key("aws:PrincipalOrgPaths", conditioned({"forallvalues:StringLike": {"aws:PrincipalOrgPaths": "o-1/*"}})),
    optional_key(KEYS, inline(document(allow("dynamodb:GetItem", TABLE_ARN, LEADING)))),
    optional_key(
        "aws:TagKeys",
        SampleResource(
            t.ROLE,
            {"assumeRolePolicy": trust({"AWS": ROLE_ARN}, {"ForAllValues:StringEquals": {"aws:TagKeys": "user"}})},
        ),
    ),
    optional_key(
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
    optional_key(
        KEYS, SampleResource(t.MANAGED_POLICY, {"policy": document(allow("dynamodb:GetItem", TABLE_ARN, LEADING))})
    ),
    expect_no_finding(FOR_ALL, conditioned(REQUIRED)),
    expect_no_finding(FOR_ALL, conditioned({**LEADING, "Null": {"DynamoDB:leadingkeys": False}})),
    expect_no_finding(FOR_ALL, conditioned({"ForAnyValue:StringEquals": {KEYS: "x"}})),
    expect_no_finding(FOR_ALL, conditioned({"StringEquals": {"aws:SourceAccount": ACCOUNT}})),
    expect_no_finding(FOR_ALL, grants(document({**allow("x:Do", "*", LEADING), "Effect": "Deny"}))),
)
NAMES_BEYOND = tuple(
    map(
        beyond,
        (
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
        ),
    )
)
NAMES_WITHIN = (
    *map(
        within,
        (
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
        ),
    ),
    within(f"arn:aws:batch:{REGION}:{ACCOUNT}:job/*", ["batch:CancelJob", "batch:TerminateJob"]),
)
SPECS = (
    resource_spec(
        BOUND, t.ROLE, {"permissionsBoundary": BOUNDARY_ARN}, {"permissionsBoundary": ADMINISTRATOR}, "Administrator"
    ),
    resource_spec(SESSION, t.ROLE, {"maxSessionDuration": 3600}, {"maxSessionDuration": 43200}, "is 43200 seconds"),
    PolicySpec(
        FOREIGN,
        good=[OUR_POLICY, SampleResource(t.ROLE, {"name": "r", "managedPolicyArns": [OURS]})],
        bad=[SampleResource(t.ROLE, {"name": "r", "managedPolicyArns": [OURS]})],
        message_part=OURS,
        unknown=[SampleResource(t.ROLE, {"name": "r", "managedPolicyArns": [UNKNOWN]})],
        break_program=change_resource(t.ROLE, {"managedPolicyArns": [OURS]}),
    ),
    resource_spec(
        FOR_ALL,
        t.ROLE_POLICY,
        {"policy": document(allow("dynamodb:GetItem", TABLE_ARN, REQUIRED))},
        {"policy": document(allow("dynamodb:GetItem", TABLE_ARN, LEADING))},
        KEYS,
    ),
    resource_spec(
        WITHIN,
        t.ROLE_POLICY,
        {"policy": document(allow("s3:GetObject", "arn:aws:s3:::polyphony-prod-*/*"))},
        {"policy": document(allow("s3:GetObject", "arn:aws:s3:::polyphony-*/*"))},
        "arn:aws:s3:::polyphony-*/*",
    ),
)
FAMILIES = {
    "boundaries": BOUNDARIES,
    "sessions": SESSIONS,
    "managed policies from elsewhere": POLICIES_FROM_ELSEWHERE,
    "optional condition keys": OPTIONAL_KEYS,
    "names beyond the stack": NAMES_BEYOND,
    "names within the stack": NAMES_WITHIN,
}
CASES = (
    *(case for cases in FAMILIES.values() for case in cases),
    expect_finding(BOUND, UNDECIDED, bounded(UNKNOWN)),
    expect_finding(FOREIGN, UNDECIDED, OUR_POLICY, a_role(managedPolicyArns=[UNKNOWN])),
)

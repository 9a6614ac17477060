"""Specs (the required behaviour of each policy) and further cases of the guardrail policies about roles and what they
permit: IAM policy documents, attached managed policies, credentials, role passing (`iam:PassRole`), and privilege
escalation.
"""

from guardrails.model import resource_types as t
from tests.policies.policy_harness import (
    UNKNOWN,
    PolicyCase,
    PolicySpec,
    SampleResource,
    edit_json_property,
    expect_finding,
    expect_no_finding,
    insert_resources,
    property_spec,
    resource_spec,
)
from tests.policies.specs.sample_iam_documents import ACCOUNT, REGION, ROLE_ARN, TABLE_ARN, Statement, allow, document

READ_DOCUMENT = document(allow("dynamodb:GetItem"))
IN_NAMESPACE = {"StringEquals": {"cloudwatch:namespace": "Polyphony"}}
TO_MEDIACONVERT = {"StringEquals": {"iam:PassedToService": "mediaconvert.amazonaws.com"}}
PASS_TO_MEDIACONVERT = allow("iam:PassRole", ROLE_ARN, TO_MEDIACONVERT)
PASS_TO_GLUE = allow("iam:PassRole", ROLE_ARN, {"StringEquals": {"iam:PassedToService": "glue.amazonaws.com"}})
CREATE_MEDIACONVERT_JOB = allow("mediaconvert:CreateJob", f"arn:aws:mediaconvert:{REGION}:{ACCOUNT}:queues/Default")
ADMINISTRATOR_ARN = "arn:aws:iam::aws:policy/AdministratorAccess"
LAMBDA_BASIC_ARN = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
OUR_ARN = f"arn:aws:iam::{ACCOUNT}:policy/teams/ours"
ESCALATION_DOCUMENT = document(allow("iam:PutRolePolicy", ROLE_ARN))
FUNCTIONS_WITH_ONE_ROLE = [
    SampleResource(t.ROLE, {"name": "a"}, "a"),
    SampleResource(t.FUNCTION, {"name": "f", "role": UNKNOWN}, references={"role": ["a"]}),
    SampleResource(t.FUNCTION, {"name": "g", "role": UNKNOWN}, "other", references={"role": ["a"]}),
]
"""A role, and two functions that refer to it, because its ARN is unknown."""


def role_policy(text: str, name: str = "grants") -> SampleResource:
    """Return a policy resource of the role `r`."""
    return SampleResource(t.ROLE_POLICY, {"role": "r", "policy": text}, name)


def role(**props: object) -> SampleResource:
    """Return the role `r`."""
    return SampleResource(t.ROLE, {"name": "r", **props})


def role_with_inline_policies(*texts: str) -> SampleResource:
    """Return the role `r` with inline policies, which are a property of the role."""
    return role(inlinePolicies=[{"name": str(number), "policy": text} for number, text in enumerate(texts)])


def role_policy_spec(policy: str, good: str, bad: Statement, message_part: str) -> PolicySpec:
    """Return a spec of a role's policy: a good document, and a bad statement."""
    return resource_spec(policy, t.ROLE_POLICY, {"role": "r", "policy": good}, {"policy": document(bad)}, message_part)


DOCUMENT_SPECS = (
    role_policy_spec("iam-no-wildcard-action", READ_DOCUMENT, allow("dynamodb:*"), "dynamodb:*"),
    role_policy_spec(
        "iam-no-star-resource",
        document(allow("xray:PutTraceSegments", "*")),
        allow(["xray:PutTraceSegments", "dynamodb:GetItem"], "*"),
        "dynamodb:GetItem on *",
    ),
    role_policy_spec(
        "iam-resource-is-named",
        document(
            allow("ec2:CreateNetworkInterface", f"arn:aws:ec2:{REGION}:{ACCOUNT}:*/*"),
            allow("s3:GetObject", "arn:aws:s3:::b/*"),
        ),
        allow("dynamodb:GetItem", f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/*"),
        ":table/*",
    ),
    role_policy_spec("iam-action-exists", READ_DOCUMENT, allow("s3:HeadObject", "arn:aws:s3:::b/k"), "s3:HeadObject"),
    role_policy_spec(
        "iam-resource-fits-action",
        document(allow("s3:GetObject", "arn:aws:s3:::b/k/*")),
        allow("dynamodb:GetItem", "arn:aws:s3:::b/k"),
        "arn:aws:s3:::b/k",
    ),
    role_policy_spec(
        "iam-no-negation", READ_DOCUMENT, {"Effect": "Allow", "NotAction": "iam:*", "Resource": TABLE_ARN}, "NotAction"
    ),
    role_policy_spec(
        "iam-metrics-in-namespace",
        document(allow("cloudwatch:PutMetricData", "*", IN_NAMESPACE)),
        allow("cloudwatch:PutMetricData", "*"),
        "every namespace",
    ),
    role_policy_spec(
        "iam-pass-role-exact",
        document(PASS_TO_MEDIACONVERT),
        allow("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/polyphony-*", TO_MEDIACONVERT),
        "role/polyphony-*",
    ),
    role_policy_spec(
        "iam-pass-role-to-service", document(PASS_TO_MEDIACONVERT), allow("iam:PassRole", ROLE_ARN), "every service"
    ),
    role_policy_spec(
        "iam-assume-role-exact",
        document(allow("sts:AssumeRole", ROLE_ARN)),
        allow("sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/*"),
        "role/*",
    ),
    role_policy_spec(
        "mediaconvert-job-has-role",
        document(CREATE_MEDIACONVERT_JOB, PASS_TO_MEDIACONVERT),
        CREATE_MEDIACONVERT_JOB,
        "would refuse every job",
    ),
)
SPECS = (
    *DOCUMENT_SPECS,
    resource_spec(
        "iam-no-full-access-policy",
        t.ROLE_POLICY_ATTACHMENT,
        {"role": "r", "policyArn": OUR_ARN},
        {"policyArn": "arn:aws:iam::aws:policy/AmazonS3FullAccess"},
        "AmazonS3FullAccess",
    ),
    property_spec(
        "iam-no-managed-policy", t.ROLE, "managedPolicyArns", [], [LAMBDA_BASIC_ARN], "AWSLambdaBasicExecutionRole"
    ),
    PolicySpec(
        "iam-no-long-lived-credentials",
        good=[role()],
        bad=[SampleResource(t.ACCESS_KEY, {"user": "u"})],
        message_part="an access key",
        unknown=[SampleResource(t.ACCESS_KEY, {"user": UNKNOWN})],
        break_program=insert_resources([SampleResource(t.USER, {"name": "u"})]),
        undecided=False,
    ),
    PolicySpec(
        "iam-one-role-per-function",
        good=[
            *FUNCTIONS_WITH_ONE_ROLE[:2],
            SampleResource(t.ROLE, {"name": "b"}, "b"),
            SampleResource(t.FUNCTION, {"name": "g", "role": UNKNOWN}, "other", references={"role": ["b"]}),
        ],
        bad=[
            SampleResource(t.FUNCTION, {"name": "f", "role": ROLE_ARN}),
            SampleResource(t.FUNCTION, {"name": "g", "role": ROLE_ARN}, "other"),
        ],
        message_part="shares its role with other",
        unknown=[
            SampleResource(t.FUNCTION, {"name": "f", "role": UNKNOWN}),
            SampleResource(t.FUNCTION, {"name": "g", "role": ROLE_ARN}, "other"),
        ],
        break_program=insert_resources(FUNCTIONS_WITH_ONE_ROLE),
        also_faulty=["other"],
    ),
    PolicySpec(
        "iam-no-escalation",
        good=[role(), role_policy(READ_DOCUMENT)],
        bad=[role(), role_policy(document(PASS_TO_GLUE)), role_policy(document(allow("glue:CreateJob", "*")), "more")],
        message_part="iam:PassRole and glue:CreateJob",
        unknown=[role(), role_policy(UNKNOWN, "unknown"), role_policy(ESCALATION_DOCUMENT)],
        break_program=edit_json_property(
            "ingestion-manifest-builder-grants",
            "policy",
            lambda policy: policy["Statement"].append(
                allow("lambda:UpdateFunctionCode", "arn:aws:lambda:::function:x")
            ),
            "ingestion-manifest-builder-role",
        ),
        undecided=False,
    ),
)


def inline_policy_case(document_spec: PolicySpec) -> PolicyCase:
    """Return a case in which the fault of a spec is in a role's inline policy."""
    return expect_finding(
        document_spec.policy,
        document_spec.message_part,
        role_with_inline_policies(READ_DOCUMENT, document_spec.bad[0].props["policy"]),
        faulty_name="sample",
    )


def attachment_by_reference(role_name: str) -> SampleResource:
    """Return an attachment with unknown ARNs, which refers to the resource of a role and to the policy `ours`."""
    return SampleResource(
        t.ROLE_POLICY_ATTACHMENT,
        {"role": UNKNOWN, "policyArn": UNKNOWN},
        "attachment",
        references={"role": [role_name], "policyArn": ["ours"]},
    )


def stacks_with_permissions(text: str) -> list[list[SampleResource]]:
    """Return stacks in which the role `r` gets the permissions of a document, each in another way."""
    our_policy = SampleResource(t.MANAGED_POLICY, {"name": "ours", "policy": text}, "ours")
    policy_with_unknown_arn = SampleResource(t.MANAGED_POLICY, {"name": "ours", "policy": text, "arn": UNKNOWN}, "ours")
    attachments = (
        (t.ROLE_POLICY_ATTACHMENT, {"role": "r", "policyArn": OUR_ARN}),
        (t.POLICY_ATTACHMENT, {"roles": ["other", "r"], "policyArn": OUR_ARN}),
        (t.ROLE_POLICY_ATTACHMENTS, {"roleName": "r", "policyArns": [LAMBDA_BASIC_ARN, OUR_ARN]}),
    )
    return [
        [role(), role_policy(text)],
        [role_with_inline_policies(text)],
        [role_with_inline_policies(UNKNOWN, text)],
        *([role(), our_policy, SampleResource(kind, props, "attachment")] for kind, props in attachments),
        [role(), policy_with_unknown_arn, attachment_by_reference("sample")],
        [our_policy, role(managedPolicyArns=[OUR_ARN])],
    ]


ROLE_WITH_PROVIDER_OUTPUTS = SampleResource(
    t.ROLE,
    {"name": "r"},
    provider_outputs={
        "inlinePolicies": [{"name": "grants", "policy": ESCALATION_DOCUMENT}],
        "managedPolicyArns": [OUR_ARN],
    },
)
"""Role whose policies only the provider returns, as they were before the deployment. They do not count."""
UNNAMED_ARNS = [
    "arn:aws:s3:::*/*",
    "arn:aws:s3:::*/queries/*",
    f"arn:aws:s3:{REGION}:{ACCOUNT}:accesspoint/*/object/queries/*",
    "arn:aws:dynamodb:*:*:table/*/index/*",
    f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:*-??????",
    f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:*:live",
    f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:*:log-stream:*",
    f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/*",
    f"arn:aws:execute-api:{REGION}:{ACCOUNT}:*/*/POST/@connections/*",
    f"arn:aws:states:{REGION}:{ACCOUNT}:execution:*:x*",
    f"arn:aws:apigateway:{REGION}::/restapis/*/stages/live",
    f"arn:aws:sns:{REGION}:{ACCOUNT}:*:subscription",
    f"arn:aws:sqs:{REGION}:{ACCOUNT}:*",
    f"arn:aws:sqs:{REGION}:{ACCOUNT}:",
]
"""ARNs that match all resources of a type."""
NAMED_ARNS = [
    "arn:aws:s3:::b/*",
    f"arn:aws:s3:{REGION}:{ACCOUNT}:accesspoint/b/object/*",
    "arn:aws:dynamodb:*:*:table/t/index/*",
    f"arn:aws:glue:{REGION}:{ACCOUNT}:catalog",
    f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:s-??????",
    f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:*-prod-?:live",
    f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/x:*",
    f"arn:aws:execute-api:{REGION}:{ACCOUNT}:a1/*/POST/@connections/*",
    f"arn:aws:states:{REGION}:{ACCOUNT}:execution:m:*",
    f"arn:aws:apigateway:{REGION}::/restapis/a1/stages/*",
    f"arn:aws:autoscaling:{REGION}:{ACCOUNT}:autoScalingGroup:*:autoScalingGroupName/g",
    f"arn:aws:sqs:{REGION}:{ACCOUNT}:q",
]
"""ARNs that contain a name, although some also contain wildcards."""
ATTACHMENTS_OF_ALL_POLICIES = (t.GROUP_POLICY_ATTACHMENTS, t.ROLE_POLICY_ATTACHMENTS, t.USER_POLICY_ATTACHMENTS)
ANY_SERVICE = {"StringLike": {"iam:PassedToService": "*.amazonaws.com"}}

CASES = (
    expect_finding("iam-no-wildcard-action", "action pattern *.", role_policy(document(allow("*", "*")))),
    expect_finding("iam-no-negation", "NotPrincipal", role(assumeRolePolicy=document({"NotPrincipal": {"AWS": "x"}}))),
    expect_finding("iam-pass-role-exact", "iam:PassRole on *", role_policy(document(allow("iam:*", "*")))),
    expect_finding(
        "iam-pass-role-to-service",
        "one exact service",
        role_policy(document(allow("iam:PassRole", ROLE_ARN, ANY_SERVICE))),
    ),
    expect_finding(
        "iam-resource-fits-action",
        "sqs:SendMessage",
        role_policy(document(allow("s3:ListBucket", "arn:aws:s3:::b/key"), allow("sqs:SendMessage", TABLE_ARN))),
    ),
    *(
        expect_finding(
            "iam-resource-is-named", "every resource of that type", role_policy(document(allow("s3:GetObject", arn)))
        )
        for arn in UNNAMED_ARNS
    ),
    *(
        expect_no_finding("iam-resource-is-named", role_policy(document(allow("s3:GetObject", arn))))
        for arn in NAMED_ARNS
    ),
    *map(inline_policy_case, DOCUMENT_SPECS),
    *(
        expect_finding(
            "iam-no-full-access-policy",
            "AdministratorAccess",
            SampleResource(kind, {"policyArns": [OUR_ARN, ADMINISTRATOR_ARN]}),
        )
        for kind in ATTACHMENTS_OF_ALL_POLICIES
    ),
    *(
        expect_finding(
            "iam-no-managed-policy",
            "attached policy AWSL",
            SampleResource(kind, {"policyArns": [OUR_ARN, LAMBDA_BASIC_ARN]}),
        )
        for kind in ATTACHMENTS_OF_ALL_POLICIES
    ),
    *(
        expect_no_finding("iam-no-managed-policy", SampleResource(kind, {"policyArns": [OUR_ARN]}))
        for kind in ATTACHMENTS_OF_ALL_POLICIES
    ),
    *(
        expect_finding("iam-no-escalation", "may call iam:PutRolePolicy", *stack, faulty_name="sample")
        for stack in stacks_with_permissions(ESCALATION_DOCUMENT)
    ),
    *(expect_no_finding("iam-no-escalation", *stack) for stack in stacks_with_permissions(READ_DOCUMENT)),
    expect_finding(
        "iam-no-escalation",
        "may call iam:PutRolePolicy",
        role(),
        SampleResource(t.ROLE, {"name": "other"}, "other"),
        SampleResource(t.MANAGED_POLICY, {"name": "ours", "policy": ESCALATION_DOCUMENT}, "ours"),
        attachment_by_reference("other"),
        faulty_name="other",
    ),
    expect_finding(
        "iam-no-escalation",
        "The holder of the policy may call iam:PutRolePolicy",
        ROLE_WITH_PROVIDER_OUTPUTS,
        role_policy(READ_DOCUMENT),
        SampleResource(t.MANAGED_POLICY, {"name": "ours", "policy": ESCALATION_DOCUMENT}, "ours"),
        faulty_name="ours",
    ),
)

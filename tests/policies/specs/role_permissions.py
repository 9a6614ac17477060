"""Specs of the policies about roles and what they permit: documents, credentials, role passing, privilege escalation."""

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

READS = document(allow("dynamodb:GetItem"))
NAMESPACE = {"StringEquals": {"cloudwatch:namespace": "Polyphony"}}
MEDIA = {"StringEquals": {"iam:PassedToService": "mediaconvert.amazonaws.com"}}
PASS = allow("iam:PassRole", ROLE_ARN, MEDIA)
PASS_TO_GLUE = allow("iam:PassRole", ROLE_ARN, {"StringEquals": {"iam:PassedToService": "glue.amazonaws.com"}})
CREATE = allow("mediaconvert:CreateJob", f"arn:aws:mediaconvert:{REGION}:{ACCOUNT}:queues/Default")
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
BASIC = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
OURS = f"arn:aws:iam::{ACCOUNT}:policy/teams/ours"
ESCALATION = document(allow("iam:PutRolePolicy", ROLE_ARN))
SHARED = [
    SampleResource(t.ROLE, {"name": "a"}, "a"),
    SampleResource(t.FUNCTION, {"name": "f", "role": UNKNOWN}, "sample", references={"role": ["a"]}),
    SampleResource(t.FUNCTION, {"name": "g", "role": UNKNOWN}, "other", references={"role": ["a"]}),
]


def grants(text: str, name: str = "grants") -> SampleResource:
    """Return a policy of the role `r`."""
    return SampleResource(t.ROLE_POLICY, {"role": "r", "policy": text}, name)


def role(**more: object) -> SampleResource:
    """Return the role `r`."""
    return SampleResource(t.ROLE, {"name": "r", **more})


def inline(*texts: str) -> SampleResource:
    """Return the role `r` with inline policies."""
    return role(inlinePolicies=[{"name": str(number), "policy": text} for number, text in enumerate(texts)])


def role_policy(policy: str, good: str, bad: Statement, message_part: str) -> PolicySpec:
    """Return a spec of one policy document."""
    return resource_spec(policy, t.ROLE_POLICY, {"role": "r", "policy": good}, {"policy": document(bad)}, message_part)


DOCUMENTS = (
    role_policy("iam-no-wildcard-action", READS, allow("dynamodb:*"), "dynamodb:*"),
    role_policy(
        "iam-no-star-resource",
        document(allow("xray:PutTraceSegments", "*")),
        allow(["xray:PutTraceSegments", "dynamodb:GetItem"], "*"),
        "dynamodb:GetItem on *",
    ),
    role_policy(
        "iam-resource-is-named",
        document(
            allow("ec2:CreateNetworkInterface", f"arn:aws:ec2:{REGION}:{ACCOUNT}:*/*"),
            allow("s3:GetObject", "arn:aws:s3:::b/*"),
        ),
        allow("dynamodb:GetItem", f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/*"),
        ":table/*",
    ),
    role_policy("iam-action-exists", READS, allow("s3:HeadObject", "arn:aws:s3:::b/k"), "s3:HeadObject"),
    role_policy(
        "iam-resource-fits-action",
        document(allow("s3:GetObject", "arn:aws:s3:::b/k/*")),
        allow("dynamodb:GetItem", "arn:aws:s3:::b/k"),
        "arn:aws:s3:::b/k",
    ),
    role_policy(
        "iam-no-negation", READS, {"Effect": "Allow", "NotAction": "iam:*", "Resource": TABLE_ARN}, "NotAction"
    ),
    role_policy(
        "iam-metrics-in-namespace",
        document(allow("cloudwatch:PutMetricData", "*", NAMESPACE)),
        allow("cloudwatch:PutMetricData", "*"),
        "every namespace",
    ),
    role_policy(
        "iam-pass-role-exact",
        document(PASS),
        allow("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/polyphony-*", MEDIA),
        "role/polyphony-*",
    ),
    role_policy("iam-pass-role-to-service", document(PASS), allow("iam:PassRole", ROLE_ARN), "every service"),
    role_policy(
        "iam-assume-role-exact",
        document(allow("sts:AssumeRole", ROLE_ARN)),
        allow("sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/*"),
        "role/*",
    ),
    role_policy("mediaconvert-job-has-role", document(CREATE, PASS), CREATE, "would refuse every job"),
)
SPECS = (
    *DOCUMENTS,
    resource_spec(
        "iam-no-full-access-policy",
        t.ROLE_POLICY_ATTACHMENT,
        {"role": "r", "policyArn": OURS},
        {"policyArn": "arn:aws:iam::aws:policy/AmazonS3FullAccess"},
        "AmazonS3FullAccess",
    ),
    property_spec("iam-no-managed-policy", t.ROLE, "managedPolicyArns", [], [BASIC], "AWSLambdaBasicExecutionRole"),
    PolicySpec(
        "iam-no-long-lived-credentials",
        good=[role()],
        bad=[SampleResource(t.ACCESS_KEY, {"user": "u"})],
        message_part="an access key",
        unknown=[SampleResource(t.ACCESS_KEY, {"user": UNKNOWN}, "sample")],
        break_program=insert_resources([SampleResource(t.USER, {"name": "u"})]),
        undecided=False,
    ),
    PolicySpec(
        "iam-one-role-per-function",
        good=[
            *SHARED[:2],
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
        break_program=insert_resources(SHARED),
        also_faulty=["other"],
    ),
    PolicySpec(
        "iam-no-escalation",
        good=[role(), grants(READS)],
        bad=[role(), grants(document(PASS_TO_GLUE)), grants(document(allow("glue:CreateJob", "*")), "more")],
        message_part="iam:PassRole and glue:CreateJob",
        unknown=[role(), grants(UNKNOWN, "late"), grants(ESCALATION)],
        break_program=edit_json_property(
            "ingestion-manifest-builder-grants",
            "policy",
            lambda found: found["Statement"].append(allow("lambda:UpdateFunctionCode", "arn:aws:lambda:::function:x")),
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
        inline(READS, document_spec.bad[0].props["policy"]),
        faulty_name="sample",
    )


def variants_with_document(text: str) -> list[list[SampleResource]]:
    """Return all variants of a stack in which the role `r` gets a document's permissions."""
    ours = SampleResource(t.MANAGED_POLICY, {"name": "ours", "policy": text}, "ours")
    late = SampleResource(t.MANAGED_POLICY, {"name": "ours", "policy": text, "arn": UNKNOWN}, "ours")
    unknown = {"role": UNKNOWN, "policyArn": UNKNOWN}
    references = {"role": ["sample"], "policyArn": ["ours"]}
    return [
        [role(), grants(text)],
        [inline(text)],
        [inline(UNKNOWN, text)],
        [role(), ours, SampleResource(t.ROLE_POLICY_ATTACHMENT, {"role": "r", "policyArn": OURS}, "attachment")],
        [role(), late, SampleResource(t.ROLE_POLICY_ATTACHMENT, unknown, "attachment", references=references)],
        [role(), ours, SampleResource(t.POLICY_ATTACHMENT, {"roles": ["other", "r"], "policyArn": OURS}, "attachment")],
        [
            role(),
            ours,
            SampleResource(t.ROLE_POLICY_ATTACHMENTS, {"roleName": "r", "policyArns": [BASIC, OURS]}, "attachment"),
        ],
        [ours, role(managedPolicyArns=[OURS])],
    ]


READ_BACK = SampleResource(
    t.ROLE,
    {"name": "r"},
    provider_outputs={"inlinePolicies": [{"name": "grants", "policy": ESCALATION}], "managedPolicyArns": [OURS]},
)
"""A role whose policies are only returned by the provider, in their state before the deployment."""
NAMELESS = [
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
    f"arn:aws:wafv2:{REGION}:{ACCOUNT}:regional/webacl/*/*",
    f"arn:aws:sns:{REGION}:{ACCOUNT}:*:subscription",
    f"arn:aws:sqs:{REGION}:{ACCOUNT}:*",
    f"arn:aws:sqs:{REGION}:{ACCOUNT}:",
]
NAMED = [
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
    f"arn:aws:wafv2:{REGION}:{ACCOUNT}:regional/webacl/w/*",
    f"arn:aws:autoscaling:{REGION}:{ACCOUNT}:autoScalingGroup:*:autoScalingGroupName/g",
    f"arn:aws:sqs:{REGION}:{ACCOUNT}:q",
]
EXCLUSIVE = (t.GROUP_POLICY_ATTACHMENTS, t.ROLE_POLICY_ATTACHMENTS, t.USER_POLICY_ATTACHMENTS)
ANY_SERVICE = {"StringLike": {"iam:PassedToService": "*.amazonaws.com"}}

CASES = (
    expect_finding("iam-no-wildcard-action", "action pattern *.", grants(document(allow("*", "*")))),
    expect_finding("iam-no-negation", "NotPrincipal", role(assumeRolePolicy=document({"NotPrincipal": {"AWS": "x"}}))),
    expect_finding("iam-pass-role-exact", "iam:PassRole on *", grants(document(allow("iam:*", "*")))),
    expect_finding(
        "iam-pass-role-to-service", "one exact service", grants(document(allow("iam:PassRole", ROLE_ARN, ANY_SERVICE)))
    ),
    expect_finding(
        "iam-resource-fits-action",
        "sqs:SendMessage",
        grants(document(allow("s3:ListBucket", "arn:aws:s3:::b/key"), allow("sqs:SendMessage", TABLE_ARN))),
    ),
    *(
        expect_finding(
            "iam-resource-is-named", "every resource of that type", grants(document(allow("s3:GetObject", arn)))
        )
        for arn in NAMELESS
    ),
    *(expect_no_finding("iam-resource-is-named", grants(document(allow("s3:GetObject", arn)))) for arn in NAMED),
    *map(inline_policy_case, DOCUMENTS),
    *(
        expect_finding(
            "iam-no-full-access-policy", "AdministratorAccess", SampleResource(k, {"policyArns": [OURS, ADMINISTRATOR]})
        )
        for k in EXCLUSIVE
    ),
    *(
        expect_finding(
            "iam-no-managed-policy", "attached policy AWSL", SampleResource(k, {"policyArns": [OURS, BASIC]})
        )
        for k in EXCLUSIVE
    ),
    *(expect_no_finding("iam-no-managed-policy", SampleResource(kind, {"policyArns": [OURS]})) for kind in EXCLUSIVE),
    *(
        expect_finding("iam-no-escalation", "may call iam:PutRolePolicy", *way, faulty_name="sample")
        for way in variants_with_document(ESCALATION)
    ),
    *(expect_no_finding("iam-no-escalation", *way) for way in variants_with_document(READS)),
    expect_finding(
        "iam-no-escalation",
        "may call iam:PutRolePolicy",
        role(),
        SampleResource(t.ROLE, {"name": "other"}, "other"),
        SampleResource(t.MANAGED_POLICY, {"name": "ours", "policy": ESCALATION}, "ours"),
        SampleResource(
            t.ROLE_POLICY_ATTACHMENT,
            {"role": UNKNOWN, "policyArn": UNKNOWN},
            "attachment",
            references={"role": ["other"], "policyArn": ["ours"]},
        ),
        faulty_name="other",
    ),
    expect_finding(
        "iam-no-escalation",
        "The holder of the policy may call iam:PutRolePolicy",
        READ_BACK,
        grants(READS),
        SampleResource(t.MANAGED_POLICY, {"name": "ours", "policy": ESCALATION}, "ours"),
        faulty_name="ours",
    ),
)

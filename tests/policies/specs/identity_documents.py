"""What roles may do: documents, passing, escalation, identities."""

from guardrails.model import resource_types as t
from tests.policies.policy_harness import UNKNOWN, Case, Spec, Thing, edits, finds, inserted, passes, setting, spec
from tests.policies.specs.sample_documents import ACCOUNT, REGION, ROLE_ARN, TABLE_ARN, Statement, allow, document

READS = document(allow("dynamodb:GetItem"))
NAMESPACE = {"StringEquals": {"cloudwatch:namespace": "Polyphony"}}
MEDIA = {"StringEquals": {"iam:PassedToService": "mediaconvert.amazonaws.com"}}
PASS = allow("iam:PassRole", ROLE_ARN, MEDIA)
CREATE = allow("mediaconvert:CreateJob", f"arn:aws:mediaconvert:{REGION}:{ACCOUNT}:queues/Default")
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
BASIC = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
OURS = f"arn:aws:iam::{ACCOUNT}:policy/teams/ours"
ESCALATION = document(allow("iam:PutRolePolicy", ROLE_ARN))
SHARED = [
    Thing(t.ROLE, {"name": "a"}, "a"),
    Thing(t.FUNCTION, {"name": "f", "role": UNKNOWN}, "thing", refers={"role": ["a"]}),
    Thing(t.FUNCTION, {"name": "g", "role": UNKNOWN}, "other", refers={"role": ["a"]}),
]


def grants(text: str, name: str = "grants") -> Thing:
    """A policy of the role `r`."""
    return Thing(t.ROLE_POLICY, {"role": "r", "policy": text}, name)


def role(**more: object) -> Thing:
    """The role `r`."""
    return Thing(t.ROLE, {"name": "r", **more})


def inline(*texts: str) -> Thing:
    """The role `r` with inline policies."""
    return role(inlinePolicies=[{"name": str(number), "policy": text} for number, text in enumerate(texts)])


def role_policy(policy: str, good: str, bad: Statement, says: str) -> Spec:
    """A spec of one document."""
    return spec(policy, t.ROLE_POLICY, {"role": "r", "policy": good}, {"policy": document(bad)}, says)


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
    role_policy("mediaconvert-job-has-role", document(CREATE, PASS), CREATE, "every job would be refused"),
)
SPECS = (
    *DOCUMENTS,
    spec(
        "iam-no-full-access-policy",
        t.ROLE_POLICY_ATTACHMENT,
        {"role": "r", "policyArn": OURS},
        {"policyArn": "arn:aws:iam::aws:policy/AmazonS3FullAccess"},
        "AmazonS3FullAccess",
    ),
    setting("iam-no-managed-policy", t.ROLE, "managedPolicyArns", [], [BASIC], "AWSLambdaBasicExecutionRole"),
    Spec(
        "iam-no-long-lived-credentials",
        good=[role()],
        bad=[Thing(t.ACCESS_KEY, {"user": "u"})],
        says="an access key",
        unknown=[Thing(t.ACCESS_KEY, {"user": UNKNOWN}, "thing")],
        breaks=inserted([Thing(t.USER, {"name": "u"})]),
        undecided=False,
    ),
    Spec(
        "iam-one-role-a-function",
        good=[
            *SHARED[:2],
            Thing(t.ROLE, {"name": "b"}, "b"),
            Thing(t.FUNCTION, {"name": "g", "role": UNKNOWN}, "other", refers={"role": ["b"]}),
        ],
        bad=[
            Thing(t.FUNCTION, {"name": "f", "role": ROLE_ARN}),
            Thing(t.FUNCTION, {"name": "g", "role": ROLE_ARN}, "other"),
        ],
        says="shares its role with other",
        unknown=[
            Thing(t.FUNCTION, {"name": "f", "role": UNKNOWN}),
            Thing(t.FUNCTION, {"name": "g", "role": ROLE_ARN}, "other"),
        ],
        breaks=inserted(SHARED),
        also=["other"],
    ),
    Spec(
        "iam-no-escalation",
        good=[role(), grants(READS)],
        bad=[role(), grants(document(PASS)), grants(document(allow("glue:CreateJob", "*")), "more")],
        says="iam:PassRole and glue:CreateJob",
        unknown=[role(), grants(UNKNOWN, "late"), grants(ESCALATION)],
        breaks=edits(
            "ingestion-manifest-builder-grants",
            "policy",
            lambda found: found["Statement"].append(allow("lambda:UpdateFunctionCode", "arn:aws:lambda:::function:x")),
            "ingestion-manifest-builder-role",
        ),
        undecided=False,
    ),
)


def judged_inline(one: Spec) -> Case:
    """A document's fault, found in a role's inline policy too."""
    return finds(one.policy, one.says, inline(READS, one.bad[0].props["policy"]), at="thing")


def ways(text: str) -> list[list[Thing]]:
    """Every way to give the role `r` what a document says."""
    ours = Thing(t.MANAGED_POLICY, {"name": "ours", "policy": text}, "ours")
    late = Thing(t.MANAGED_POLICY, {"name": "ours", "policy": text, "arn": UNKNOWN}, "ours")
    unknown = {"role": UNKNOWN, "policyArn": UNKNOWN}
    refers = {"role": ["thing"], "policyArn": ["ours"]}
    return [
        [role(), grants(text)],
        [inline(text)],
        [inline(UNKNOWN, text)],
        [role(), ours, Thing(t.ROLE_POLICY_ATTACHMENT, {"role": "r", "policyArn": OURS}, "attachment")],
        [role(), late, Thing(t.ROLE_POLICY_ATTACHMENT, unknown, "attachment", refers=refers)],
        [role(), ours, Thing(t.POLICY_ATTACHMENT, {"roles": ["other", "r"], "policyArn": OURS}, "attachment")],
        [role(), ours, Thing(t.ROLE_POLICY_ATTACHMENTS, {"roleName": "r", "policyArns": [BASIC, OURS]}, "attachment")],
        [ours, role(managedPolicyArns=[OURS])],
    ]


READ_BACK = Thing(
    t.ROLE,
    {"name": "r"},
    answers={"inlinePolicies": [{"name": "grants", "policy": ESCALATION}], "managedPolicyArns": [OURS]},
)
"""A role whose rights are only what the provider answered: as they were before this deployment."""
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
    finds("iam-no-wildcard-action", "It allows *.", grants(document(allow("*", "*")))),
    finds("iam-no-negation", "NotPrincipal", role(assumeRolePolicy=document({"NotPrincipal": {"AWS": "x"}}))),
    finds("iam-pass-role-exact", "It may pass *", grants(document(allow("iam:*", "*")))),
    finds(
        "iam-pass-role-to-service", "no single service", grants(document(allow("iam:PassRole", ROLE_ARN, ANY_SERVICE)))
    ),
    finds(
        "iam-resource-fits-action",
        "sqs:SendMessage",
        grants(document(allow("s3:ListBucket", "arn:aws:s3:::b/key"), allow("sqs:SendMessage", TABLE_ARN))),
    ),
    *(
        finds("iam-resource-is-named", "everything of that kind", grants(document(allow("s3:GetObject", arn))))
        for arn in NAMELESS
    ),
    *(passes("iam-resource-is-named", grants(document(allow("s3:GetObject", arn)))) for arn in NAMED),
    *map(judged_inline, DOCUMENTS),
    *(
        finds("iam-no-full-access-policy", "It has Ad", Thing(k, {"policyArns": [OURS, ADMINISTRATOR]}))
        for k in EXCLUSIVE
    ),
    *(finds("iam-no-managed-policy", "It has AWSL", Thing(k, {"policyArns": [OURS, BASIC]})) for k in EXCLUSIVE),
    *(passes("iam-no-managed-policy", Thing(kind, {"policyArns": [OURS]})) for kind in EXCLUSIVE),
    *(finds("iam-no-escalation", "It may iam:PutRolePolicy", *way, at="thing") for way in ways(ESCALATION)),
    *(passes("iam-no-escalation", *way) for way in ways(READS)),
    finds(
        "iam-no-escalation",
        "It may iam:PutRolePolicy",
        role(),
        Thing(t.ROLE, {"name": "other"}, "other"),
        Thing(t.MANAGED_POLICY, {"name": "ours", "policy": ESCALATION}, "ours"),
        Thing(
            t.ROLE_POLICY_ATTACHMENT,
            {"role": UNKNOWN, "policyArn": UNKNOWN},
            "attachment",
            refers={"role": ["other"], "policyArn": ["ours"]},
        ),
        at="other",
    ),
    passes(
        "iam-no-escalation",
        READ_BACK,
        grants(READS),
        Thing(t.MANAGED_POLICY, {"name": "ours", "policy": ESCALATION}, "ours"),
    ),
)

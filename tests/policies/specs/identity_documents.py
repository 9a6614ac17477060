"""What roles may do: documents, passing, escalation, identities."""

from guardrails import types as t
from tests.policies.harness import UNKNOWN, Spec, Thing, changes, edits, inserted, spec
from tests.policies.specs.documents import ACCOUNT, REGION, ROLE_ARN, TABLE_ARN, allow, document

GRANTS = "ingestion-manifest-builder-grants"
POLICY = {"role": "r", "policy": document(allow("dynamodb:GetItem"))}
NAMESPACE = {"StringEquals": {"cloudwatch:namespace": "Polyphony"}}
MEDIA = {"StringEquals": {"iam:PassedToService": "mediaconvert.amazonaws.com"}}
PASS = allow("iam:PassRole", ROLE_ARN, MEDIA)
CREATE = allow("mediaconvert:CreateJob", f"arn:aws:mediaconvert:{REGION}:{ACCOUNT}:queues/Default")


def role_policy(policy: str, good: str, bad: str, says: str) -> Spec:
    """A spec of one document; the real builder's document is broken by the bad one's statements."""
    return spec(
        policy,
        t.ROLE_POLICY,
        {"role": "r", "policy": good},
        {"policy": bad},
        says,
        "policy",
        breaks=changes(GRANTS, {"policy": bad}),
    )


SPECS = (
    role_policy("iam-no-wildcard-action", POLICY["policy"], document(allow("dynamodb:*")), "dynamodb:*"),
    role_policy(
        "iam-no-star-resource",
        document(allow("xray:PutTraceSegments", "*")),
        document(allow(["xray:PutTraceSegments", "dynamodb:GetItem"], "*")),
        "dynamodb:GetItem on *",
    ),
    role_policy(
        "iam-resource-is-named",
        document(
            allow("ec2:CreateNetworkInterface", f"arn:aws:ec2:{REGION}:{ACCOUNT}:*/*"),
            allow("s3:GetObject", "arn:aws:s3:::b/*"),
        ),
        document(allow("dynamodb:GetItem", f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/*")),
        ":table/*",
    ),
    role_policy(
        "iam-action-exists", POLICY["policy"], document(allow("s3:HeadObject", "arn:aws:s3:::b/k")), "s3:HeadObject"
    ),
    role_policy(
        "iam-resource-fits-action",
        document(allow("s3:GetObject", "arn:aws:s3:::b/k/*")),
        document(allow("dynamodb:GetItem", "arn:aws:s3:::b/k")),
        "arn:aws:s3:::b/k",
    ),
    role_policy(
        "iam-no-negation",
        POLICY["policy"],
        document({"Effect": "Allow", "NotAction": "iam:*", "Resource": TABLE_ARN}),
        "NotAction",
    ),
    role_policy(
        "iam-metrics-in-namespace",
        document(allow("cloudwatch:PutMetricData", "*", NAMESPACE)),
        document(allow("cloudwatch:PutMetricData", "*")),
        "every namespace",
    ),
    role_policy(
        "iam-pass-role-exact",
        document(PASS),
        document(allow("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/polyphony-*", MEDIA)),
        "role/polyphony-*",
    ),
    role_policy("iam-pass-role-to-service", document(PASS), document(allow("iam:PassRole", ROLE_ARN)), "every service"),
    role_policy(
        "iam-assume-role-exact",
        document(allow("sts:AssumeRole", ROLE_ARN)),
        document(allow("sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/*")),
        "role/*",
    ),
    role_policy("mediaconvert-job-has-role", document(CREATE, PASS), document(CREATE), "every job would be refused"),
    spec(
        "iam-no-full-access-policy",
        t.ROLE_POLICY_ATTACHMENT,
        {"role": "r", "policyArn": f"arn:aws:iam::{ACCOUNT}:policy/ours"},
        {"policyArn": "arn:aws:iam::aws:policy/AmazonS3FullAccess"},
        "AmazonS3FullAccess",
        "policyArn",
        breaks=changes(
            "ingestion-manifest-builder-role", {"managedPolicyArns": ["arn:aws:iam::aws:policy/AdministratorAccess"]}
        ),
    ),
    spec(
        "iam-no-managed-policy",
        t.ROLE,
        {"name": "r", "managedPolicyArns": []},
        {"managedPolicyArns": ["arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"]},
        "AWSLambdaBasicExecutionRole",
        "managedPolicyArns",
        breaks=changes(
            "ingestion-manifest-builder-role",
            {"managedPolicyArns": ["arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"]},
        ),
    ),
    Spec(
        "iam-no-long-lived-credentials",
        good=[Thing(t.ROLE, {"name": "r"})],
        bad=[Thing(t.ACCESS_KEY, {"user": "u"})],
        says="an access key",
        unknown=[Thing(t.ACCESS_KEY, {"user": UNKNOWN}, "thing")],
        breaks=inserted([Thing(t.USER, {"name": "u"})]),
        undecided=False,
    ),
    Spec(
        "iam-one-role-a-function",
        good=[
            Thing(t.ROLE, {"name": "a"}, "a"),
            Thing(t.ROLE, {"name": "b"}, "b"),
            Thing(t.FUNCTION, {"name": "f", "role": UNKNOWN}, "thing", refers={"role": ["a"]}),
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
        breaks=inserted(
            [
                Thing(t.ROLE, {"name": "a"}, "a"),
                Thing(t.FUNCTION, {"name": "f", "role": UNKNOWN}, "thing", refers={"role": ["a"]}),
                Thing(t.FUNCTION, {"name": "g", "role": UNKNOWN}, "other", refers={"role": ["a"]}),
            ]
        ),
        also=["other"],
    ),
    Spec(
        "iam-no-escalation",
        good=[Thing(t.ROLE, {"name": "r"}), Thing(t.ROLE_POLICY, POLICY, "p")],
        bad=[
            Thing(t.ROLE, {"name": "r"}),
            Thing(t.ROLE_POLICY, {"role": "r", "policy": document(PASS)}, "p"),
            Thing(t.ROLE_POLICY, {"role": "r", "policy": document(allow("glue:CreateJob", "*"))}, "q"),
        ],
        says="iam:PassRole and glue:CreateJob",
        unknown=[
            Thing(t.ROLE, {"name": "r"}),
            Thing(t.ROLE_POLICY, {"role": "r", "policy": UNKNOWN}, "late"),
            Thing(t.ROLE_POLICY, {"role": "r", "policy": document(allow("iam:PutRolePolicy", ROLE_ARN))}, "q"),
        ],
        breaks=edits(
            GRANTS,
            "policy",
            lambda found: found["Statement"].append(allow("lambda:UpdateFunctionCode", "arn:aws:lambda:::function:x")),
            "ingestion-manifest-builder-role",
        ),
        undecided=False,
    ),
)

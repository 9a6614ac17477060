"""Specs of the policies against privilege escalation: bad and harmless cases by family."""

from collections.abc import Sequence
from typing import Any

from guardrails.model import resource_types as t
from tests.policies.policy_harness import (
    UNKNOWN,
    PolicyCase,
    SampleResource,
    expect_finding,
    expect_no_finding,
    resource_spec,
)
from tests.policies.specs.role_permissions import grants, inline, role
from tests.policies.specs.sample_iam_documents import ACCOUNT, REGION, ROLE_ARN, Statement, allow, document, service

ESCALATION, BY_RESOURCE = "iam-no-escalation", "resource-policy-no-escalation"
BOUNDARY_ARN = f"arn:aws:iam::{ACCOUNT}:policy/polyphony-bootstrap/boundary-prod"
FUNCTION_ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:polyphony-prod-strong"
MACHINE_ARN = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:polyphony-prod-workflow"
KEY_ARN = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0b1c2d3e-aaaa-bbbb-cccc-0123456789ab"
BUCKET_ARN = "arn:aws:s3:::polyphony-prod-meetings-recordings"
QUEUE_ARN = f"arn:aws:sqs:{REGION}:{ACCOUNT}:polyphony-prod-q"
JOB_ARN = f"arn:aws:glue:{REGION}:{ACCOUNT}:job/polyphony-prod-spark"
DEFINITION_ARN = f"arn:aws:batch:{REGION}:{ACCOUNT}:job-definition/polyphony-prod-media"
POLICY_ARN = f"arn:aws:iam::{ACCOUNT}:policy/ours"
QUEUE_OF_MEDIA = f"arn:aws:mediaconvert:{REGION}:{ACCOUNT}:queues/Default"
ECS_ARN = f"arn:aws:ecs:{REGION}:{ACCOUNT}"
WITH_BOUNDARY = {"StringEquals": {"iam:PermissionsBoundary": BOUNDARY_ARN}}
ONLY_FOR_AWS = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
MEDIA_ROLE = SampleResource(t.ROLE, {"name": "polyphony-prod-media"}, "media")
WORKFLOW_TRUST = service("states.amazonaws.com")
SCRIPT = {"scriptLocation": "s3://polyphony-prod-lake/scripts/1/job.py"}


def passes(principal: str | None, role_arn: str = ROLE_ARN) -> Statement:
    """Return a statement that allows passing one role to one service, or to every service."""
    return allow("iam:PassRole", role_arn, {"StringEquals": {"iam:PassedToService": principal}} if principal else None)


def bad(message_part: str, *statements: Statement, around: Sequence[SampleResource] = ()) -> PolicyCase:
    """Return a case of a role that can gain permissions."""
    return expect_finding(
        ESCALATION, message_part, *around, role(), grants(document(*statements)), faulty_name="sample"
    )


def harmless(*statements: Statement, around: Sequence[SampleResource] = (), **props: Any) -> PolicyCase:
    """Return a case of a role that cannot gain permissions."""
    return expect_no_finding(ESCALATION, *around, role(**props), grants(document(*statements)))


def for_principal(kind: str, action: Any, **more: Any) -> SampleResource:
    """Return a resource whose policy allows an action to one role."""
    principal = {"Principal": {"AWS": ROLE_ARN}, "Resource": "*", **more}
    return SampleResource(kind, {"policy": document({"Effect": "Allow", "Action": action, **principal})})


PERMISSIONS = (
    *(
        bad(action, allow(action, ROLE_ARN))
        for action in (
            "iam:AttachRolePolicy",
            "iam:DeleteRolePermissionsBoundary",
            "iam:DeleteRolePolicy",
            "iam:DetachRolePolicy",
            "iam:PutRolePermissionsBoundary",
            "iam:PutRolePolicy",
            "iam:TagRole",
            "iam:UpdateAssumeRolePolicy",
            "iam:UpdateRole",
        )
    ),
    bad("iam:CreatePolicyVersion", allow("iam:CreatePolicyVersion", POLICY_ARN)),
    bad("iam:SetDefaultPolicyVersion", allow("iam:SetDefaultPolicyVersion", POLICY_ARN)),
    bad("iam:CreateAccessKey", allow("iam:CreateAccessKey", f"arn:aws:iam::{ACCOUNT}:user/admin")),
    bad("iam:DeleteRolePermissionsBoundary", allow("iam:DeleteRolePermissionsBoundary", ROLE_ARN, WITH_BOUNDARY)),
    bad("iam:PutRolePolicy", allow("iam:PutRolePolicy", f"arn:aws:iam::{ACCOUNT}:role/polyphony-*", WITH_BOUNDARY)),
    bad(
        "iam:PutRolePolicy",
        allow("iam:PutRolePolicy", ROLE_ARN, {"StringEqualsIfExists": {"iam:PermissionsBoundary": BOUNDARY_ARN}}),
    ),
    bad("kms:PutKeyPolicy", allow("kms:PutKeyPolicy", KEY_ARN)),
    bad("kms:CreateGrant", allow("kms:CreateGrant", KEY_ARN)),
    bad("kms:CreateGrant", allow("kms:CreateGrant", f"arn:aws:kms:{REGION}:{ACCOUNT}:key/*", ONLY_FOR_AWS)),
    bad("s3:PutBucketPolicy", allow("s3:PutBucketPolicy", BUCKET_ARN)),
    bad("s3:PutBucketPublicAccessBlock", allow("s3:PutBucketPublicAccessBlock", BUCKET_ARN)),
    bad("s3:PutObjectAcl", allow("s3:PutObjectAcl", f"{BUCKET_ARN}/*")),
    bad("sqs:SetQueueAttributes", allow("sqs:SetQueueAttributes", QUEUE_ARN)),
    bad("lambda:AddPermission", allow("lambda:AddPermission", FUNCTION_ARN)),
    bad("logs:PutResourcePolicy", allow("logs:PutResourcePolicy", "*")),
    bad("organizations:AttachPolicy", allow("organizations:AttachPolicy", "*")),
    bad("sts:GetFederationToken", allow("sts:GetFederationToken", "*")),
    bad("rolesanywhere:CreateProfile", allow("rolesanywhere:CreateProfile", "*")),
    bad("identitystore:CreateGroupMembership", allow("identitystore:CreateGroupMembership", "*")),
)
WILDCARDS = (
    bad("and so change permissions", allow("*", "*")),
    bad("and so change permissions", allow("iam:*", ROLE_ARN)),
    bad("iam:PutRolePolicy", allow("iam:Put?olePolicy", ROLE_ARN)),
    bad("iam:PutRolePolicy", allow("IAM:PUTROLEP*", ROLE_ARN)),
    bad("iam:AttachRolePolicy", allow("i*:AttachRoleP*", ROLE_ARN)),
    bad("lambda:UpdateFunctionCode", allow("lambda:Update*", FUNCTION_ARN)),
    bad("ssm:StartSession", allow("ssm:S????Session", "*")),
    bad("and so change permissions", {"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}),
    bad("and so change permissions", {"Effect": "Allow", "NotAction": ["kms:*", "s3:Get*"], "Resource": ROLE_ARN}),
    bad("iam:PutRolePolicy", {"Effect": "Allow", "Action": "iam:PutRolePolicy", "NotResource": ROLE_ARN}),
)
PASSED_ROLES = (
    *(
        bad(f"iam:PassRole and {action}", passes(principal), allow(action, "*"))
        for principal, action in (
            ("lambda.amazonaws.com", "lambda:CreateFunction"),
            ("ecs-tasks.amazonaws.com", "ecs:RegisterTaskDefinition"),
            ("ecs-tasks.amazonaws.com", "batch:RegisterJobDefinition"),
            ("ec2.amazonaws.com", "ec2:RequestSpotInstances"),
            ("ec2.amazonaws.com", "autoscaling:CreateAutoScalingGroup"),
            ("glue.amazonaws.com", "glue:CreateSession"),
            ("states.amazonaws.com", "states:CreateStateMachine"),
            ("scheduler.amazonaws.com", "scheduler:CreateSchedule"),
            ("pipes.amazonaws.com", "pipes:CreatePipe"),
            ("cloudformation.amazonaws.com", "cloudformation:CreateStack"),
            ("codebuild.amazonaws.com", "codebuild:CreateProject"),
            ("sagemaker.amazonaws.com", "sagemaker:CreateProcessingJob"),
            ("bedrock-agentcore.amazonaws.com", "bedrock-agentcore:CreateCodeInterpreter"),
            ("apprunner.amazonaws.com", "apprunner:CreateService"),
            ("synthetics.amazonaws.com", "synthetics:CreateCanary"),
        )
    ),
    bad("iam:PassRole and lambda:CreateFunction", passes(None), allow("lambda:CreateFunction", FUNCTION_ARN)),
    bad(
        "iam:PassRole and lambda:CreateFunction",
        allow("iam:PassRole", ROLE_ARN, {"StringLike": {"iam:PassedToService": "*.amazonaws.com"}}),
        allow("lambda:CreateFunction", FUNCTION_ARN),
    ),
    expect_finding(
        ESCALATION,
        "iam:PassRole and lambda:CreateFunction",
        inline(document(passes("lambda.amazonaws.com"))),
        grants(document(allow("lambda:CreateFunction", FUNCTION_ARN))),
        faulty_name="sample",
    ),
)
RUNNING_CODE = (
    *(
        bad(action, allow(action, resource))
        for action, resource in (
            ("lambda:UpdateFunctionCode", FUNCTION_ARN),
            ("lambda:UpdateFunctionConfiguration", FUNCTION_ARN),
            ("states:UpdateStateMachine", MACHINE_ARN),
            ("glue:UpdateJob", JOB_ARN),
            ("glue:UpdateDevEndpoint", f"arn:aws:glue:{REGION}:{ACCOUNT}:devEndpoint/e"),
            ("ssm:SendCommand", f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/i-0123456789abcdef0"),
            ("ssm:StartSession", f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/i-0123456789abcdef0"),
            ("ssm:StartAutomationExecution", f"arn:aws:ssm:{REGION}:{ACCOUNT}:automation-definition/d:1"),
            ("ecs:ExecuteCommand", f"{ECS_ARN}:cluster/polyphony-prod-c"),
            ("ecs:UpdateService", f"{ECS_ARN}:service/polyphony-prod-c/s"),
            ("codebuild:StartBuild", f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/p"),
            ("cloudformation:UpdateStack", f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/s/1"),
            ("cloudformation:ExecuteChangeSet", f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/s/1"),
            ("ec2:ModifyInstanceAttribute", f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/i-0123456789abcdef0"),
            ("ec2-instance-connect:SendSSHPublicKey", f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/i-0123456789abcdef0"),
            ("ecr:PutImage", f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/polyphony-prod-images"),
            ("events:PutTargets", f"arn:aws:events:{REGION}:{ACCOUNT}:rule/polyphony-prod-r"),
            ("bedrock-agentcore:InvokeCodeInterpreter", "*"),
            ("batch:SubmitJob", f"arn:aws:batch:{REGION}:{ACCOUNT}:job-definition/*"),
            ("glue:StartJobRun", f"arn:aws:glue:{REGION}:{ACCOUNT}:job/polyphony-*"),
            ("ecs:RunTask", "*"),
        )
    ),
    bad(
        "runs with its own role",
        allow("s3:PutObject", "arn:aws:s3:::polyphony-prod-lake/*"),
        around=[SampleResource(t.GLUE_JOB, {"roleArn": f"{ROLE_ARN}-x", "command": SCRIPT}, "job")],
    ),
    bad(
        "runs with its own role",
        allow("s3:PutObject", "arn:aws:s3:::polyphony-prod-lake/scripts/2/*"),
        around=[
            SampleResource(
                t.GLUE_JOB,
                {
                    "roleArn": f"{ROLE_ARN}-x",
                    "command": SCRIPT,
                    "defaultArguments": {"--extra-py-files": "s3://polyphony-prod-lake/scripts/2/handlers.zip"},
                },
                "job",
            )
        ],
    ),
)
ROLES_OUTSIDE = (
    bad("no role of this stack", allow("sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/OrganizationAccountAccessRole")),
    bad(
        "no role of this stack", allow("sts:AssumeRole", ROLE_ARN), around=[SampleResource(t.ROLE, {"name": "x"}, "x")]
    ),
    bad("no role of this stack", passes("mediaconvert.amazonaws.com", f"arn:aws:iam::{ACCOUNT}:role/ci/deploy")),
)
HOLDERS_OUTSIDE = tuple(
    expect_finding(ESCALATION, "The holder of the policy may call iam:PutRolePolicy", SampleResource(kind, props))
    for kind in (t.MANAGED_POLICY, t.ROLE_POLICY, t.USER_POLICY, t.GROUP_POLICY)
    for props in [{"role": "another", "policy": document(allow("iam:PutRolePolicy", ROLE_ARN))}]
)
RESOURCE_GRANTS = (
    *(
        expect_finding(BY_RESOURCE, action, for_principal(kind, action))
        for kind, action in (
            (t.KMS_KEY, "kms:PutKeyPolicy"),
            (t.KMS_KEY_POLICY, "kms:CreateGrant"),
            (t.BUCKET_POLICY, "s3:PutBucketPolicy"),
            (t.BUCKET_POLICY, "s3:PutObjectAcl"),
            (t.QUEUE_POLICY, "sqs:AddPermission"),
            (t.TOPIC_POLICY, "sns:SetTopicAttributes"),
            (t.SECRET_POLICY, "secretsmanager:PutResourcePolicy"),
            (t.IMAGE_REPOSITORY_POLICY, "ecr:SetRepositoryPolicy"),
            (t.IMAGE_REPOSITORY_POLICY, "ecr:PutImage"),
            (t.TABLE_POLICY, "dynamodb:PutResourcePolicy"),
        )
    ),
    expect_finding(BY_RESOURCE, "kms:", for_principal(t.KMS_KEY, "kms:*")),
    expect_finding(BY_RESOURCE, "s3:", for_principal(t.BUCKET_POLICY, "s3:Put*")),
    *(
        expect_finding(BY_RESOURCE, f"allows {action}", SampleResource(t.FUNCTION_PERMISSION, {"action": action}))
        for action in ("lambda:*", "lambda:UpdateFunctionCode", "lambda:AddPermission", "*")
    ),
)
HARMLESS = (
    harmless(allow(["s3:GetObject", "s3:PutObject"], f"{BUCKET_ARN}/work/*")),
    harmless(allow("lambda:InvokeFunction", FUNCTION_ARN)),
    harmless(allow("states:StartExecution", MACHINE_ARN)),
    harmless(allow("batch:SubmitJob", [DEFINITION_ARN, f"{DEFINITION_ARN}:*"])),
    harmless(allow(["glue:StartJobRun", "glue:GetJobRun"], JOB_ARN)),
    harmless(allow(["iam:GetRole", "iam:ListRolePolicies"], ROLE_ARN)),
    harmless(allow(["kms:Decrypt", "kms:GenerateDataKey"], KEY_ARN)),
    harmless(allow("kms:CreateGrant", KEY_ARN, ONLY_FOR_AWS)),
    harmless(allow("iam:PutRolePolicy", ROLE_ARN, WITH_BOUNDARY)),
    harmless({"Effect": "Deny", "Action": "iam:*", "Resource": "*"}),
    harmless(
        passes("mediaconvert.amazonaws.com"),
        allow("mediaconvert:CreateJob", QUEUE_OF_MEDIA),
        around=[MEDIA_ROLE],
    ),
    harmless(passes("mediaconvert.amazonaws.com"), allow("lambda:InvokeFunction", FUNCTION_ARN), around=[MEDIA_ROLE]),
    harmless(allow("sts:AssumeRole", ROLE_ARN), around=[MEDIA_ROLE]),
    harmless(
        passes("lambda.amazonaws.com"),
        allow(["lambda:GetFunction", "lambda:DeleteFunction"], FUNCTION_ARN),
        around=[MEDIA_ROLE],
    ),
    harmless(allow("logs:PutResourcePolicy", "*"), assumeRolePolicy=WORKFLOW_TRUST),
    harmless(
        allow("lambda:UpdateFunctionConfiguration", FUNCTION_ARN),
        around=[
            SampleResource(t.FUNCTION, {"name": "polyphony-prod-strong", "role": f"arn:aws:iam::{ACCOUNT}:role/r"}, "f")
        ],
    ),
    harmless(
        allow("s3:PutObject", "arn:aws:s3:::polyphony-prod-lake/*"),
        around=[SampleResource(t.GLUE_JOB, {"roleArn": f"arn:aws:iam::{ACCOUNT}:role/r", "command": SCRIPT}, "job")],
    ),
    harmless(
        allow("s3:PutObject", "arn:aws:s3:::polyphony-prod-lake/data/*"),
        around=[SampleResource(t.GLUE_JOB, {"roleArn": f"{ROLE_ARN}-x", "command": SCRIPT}, "job")],
    ),
    expect_no_finding(BY_RESOURCE, for_principal(t.BUCKET_POLICY, ["s3:GetObject", "s3:PutObject"])),
    expect_no_finding(BY_RESOURCE, for_principal(t.KMS_KEY, ["kms:Decrypt", "kms:DescribeKey"])),
    expect_no_finding(BY_RESOURCE, for_principal(t.KMS_KEY, "kms:CreateGrant", Condition=ONLY_FOR_AWS)),
    expect_no_finding(
        BY_RESOURCE, for_principal(t.KMS_KEY, "kms:*", Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"})
    ),
    expect_no_finding(BY_RESOURCE, for_principal(t.QUEUE_POLICY, "sqs:*", Effect="Deny")),
    expect_no_finding(BY_RESOURCE, SampleResource(t.FUNCTION_PERMISSION, {"action": "lambda:InvokeFunctionUrl"})),
)
SPECS = (
    resource_spec(
        BY_RESOURCE,
        t.FUNCTION_PERMISSION,
        {"action": "lambda:InvokeFunction", "function": "f"},
        {"action": "lambda:UpdateFunctionCode"},
        "allows lambda:UpdateFunctionCode",
    ),
)
FAMILIES = {
    "permissions": PERMISSIONS,
    "wildcards": WILDCARDS,
    "passed roles": PASSED_ROLES,
    "running code": RUNNING_CODE,
    "roles outside the stack": ROLES_OUTSIDE,
    "holders outside the stack": HOLDERS_OUTSIDE,
    "grants by resources": RESOURCE_GRANTS,
    "harmless": HARMLESS,
}
CASES = (
    *(case for cases in FAMILIES.values() for case in cases),
    expect_no_finding(ESCALATION, role(), grants(UNKNOWN)),
)

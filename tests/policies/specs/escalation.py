"""Spec (the required behaviour) and further cases of the guardrail policies against privilege escalation: a role must
not be able to give itself more permissions, for example by changing its own policy, or by changing code that runs with
another role.
"""

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
from tests.policies.specs.role_permissions import role, role_policy, role_with_inline_policies
from tests.policies.specs.sample_iam_documents import (
    ACCOUNT,
    ACCOUNT_ROOT,
    BOUNDARY_ARN,
    REGION,
    ROLE_ARN,
    Statement,
    allow,
    document,
    trust_service,
)

NO_ESCALATION, RESOURCE_ESCALATION = "iam-no-escalation", "resource-policy-no-escalation"
FUNCTION_ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:polyphony-prod-strong"
MACHINE_ARN = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:polyphony-prod-workflow"
KEY_ARN = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0b1c2d3e-aaaa-bbbb-cccc-0123456789ab"
BUCKET_ARN = "arn:aws:s3:::polyphony-prod-meetings-recordings"
OUR_QUEUE_ARN = f"arn:aws:sqs:{REGION}:{ACCOUNT}:polyphony-prod-q"
JOB_ARN = f"arn:aws:glue:{REGION}:{ACCOUNT}:job/polyphony-prod-spark"
DEFINITION_ARN = f"arn:aws:batch:{REGION}:{ACCOUNT}:job-definition/polyphony-prod-media"
R_ARN = f"arn:aws:iam::{ACCOUNT}:role/r"
"""ARN of the role `r`, which all cases are about."""
POLICY_ARN = f"arn:aws:iam::{ACCOUNT}:policy/ours"
MEDIACONVERT_QUEUE_ARN = f"arn:aws:mediaconvert:{REGION}:{ACCOUNT}:queues/Default"
INSTANCE_ARN = f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/i-0123456789abcdef0"
ECS_PREFIX = f"arn:aws:ecs:{REGION}:{ACCOUNT}"
WITH_BOUNDARY = {"StringEquals": {"iam:PermissionsBoundary": BOUNDARY_ARN}}
GRANT_FOR_AWS_RESOURCE = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
MEDIA_ROLE = SampleResource(t.ROLE, {"name": "polyphony-prod-media"}, "media")
WORKFLOW_TRUST = trust_service("states")


def pass_role(service: str, role_arn: str = ROLE_ARN) -> Statement:
    """Return a statement that allows passing a role to one service, for example `lambda`."""
    return allow("iam:PassRole", role_arn, {"StringEquals": {"iam:PassedToService": f"{service}.amazonaws.com"}})


def escalation_case(
    message_part: str, *statements: Statement, other_resources: Sequence[SampleResource] = ()
) -> PolicyCase:
    """Return a case of a role that can gain permissions."""
    return expect_finding(
        NO_ESCALATION, message_part, *other_resources, role(), role_policy(document(*statements)), faulty_name="sample"
    )


def action_case(action: str, resource: str = "*", condition: dict[str, Any] | None = None) -> PolicyCase:
    """Return a case of a role that can gain permissions with one action, which the message names."""
    return escalation_case(action, allow(action, resource, condition))


def harmless_case(*statements: Statement, other_resources: Sequence[SampleResource] = (), **props: Any) -> PolicyCase:
    """Return a case of a role that cannot gain permissions."""
    return expect_no_finding(NO_ESCALATION, *other_resources, role(**props), role_policy(document(*statements)))


def resource_for_role(kind: str, action: Any, **elements: Any) -> SampleResource:
    """Return a resource whose policy allows actions to one role."""
    statement = {"Effect": "Allow", "Action": action, "Principal": {"AWS": ROLE_ARN}, "Resource": "*", **elements}
    return SampleResource(kind, {"policy": document(statement)})


def glue_job(role_arn: str = f"{ROLE_ARN}-x", **props: object) -> list[SampleResource]:
    """Return a Glue job whose script is an object in the lake bucket, by default with another role than `r`."""
    command = {"scriptLocation": "s3://polyphony-prod-lake/scripts/1/job.py"}
    return [SampleResource(t.GLUE_JOB, {"roleArn": role_arn, "command": command, **props}, "job")]


CASES = (
    # Actions that change permissions.
    *(
        action_case(action, ROLE_ARN)
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
    action_case("iam:CreatePolicyVersion", POLICY_ARN),
    action_case("iam:SetDefaultPolicyVersion", POLICY_ARN),
    action_case("iam:CreateAccessKey", f"arn:aws:iam::{ACCOUNT}:user/admin"),
    action_case("iam:DeleteRolePermissionsBoundary", ROLE_ARN, WITH_BOUNDARY),
    action_case("iam:PutRolePolicy", f"arn:aws:iam::{ACCOUNT}:role/polyphony-*", WITH_BOUNDARY),
    action_case("iam:PutRolePolicy", ROLE_ARN, {"StringEqualsIfExists": {"iam:PermissionsBoundary": BOUNDARY_ARN}}),
    action_case("kms:PutKeyPolicy", KEY_ARN),
    action_case("kms:CreateGrant", KEY_ARN),
    action_case("kms:CreateGrant", f"arn:aws:kms:{REGION}:{ACCOUNT}:key/*", GRANT_FOR_AWS_RESOURCE),
    action_case("s3:PutBucketPolicy", BUCKET_ARN),
    action_case("s3:PutBucketPublicAccessBlock", BUCKET_ARN),
    action_case("s3:PutObjectAcl", f"{BUCKET_ARN}/*"),
    action_case("sqs:SetQueueAttributes", OUR_QUEUE_ARN),
    action_case("lambda:AddPermission", FUNCTION_ARN),
    action_case("logs:PutResourcePolicy"),
    action_case("organizations:AttachPolicy"),
    action_case("sts:GetFederationToken"),
    action_case("rolesanywhere:CreateProfile"),
    action_case("identitystore:CreateGroupMembership"),
    # The same actions by wildcards or NotAction.
    escalation_case("and so change permissions", allow("*", "*")),
    escalation_case("and so change permissions", allow("iam:*", ROLE_ARN)),
    escalation_case("iam:PutRolePolicy", allow("iam:Put?olePolicy", ROLE_ARN)),
    escalation_case("iam:PutRolePolicy", allow("IAM:PUTROLEP*", ROLE_ARN)),
    escalation_case("iam:AttachRolePolicy", allow("i*:AttachRoleP*", ROLE_ARN)),
    escalation_case("lambda:UpdateFunctionCode", allow("lambda:Update*", FUNCTION_ARN)),
    escalation_case("ssm:StartSession", allow("ssm:S????Session", "*")),
    escalation_case("and so change permissions", {"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}),
    escalation_case(
        "and so change permissions", {"Effect": "Allow", "NotAction": ["kms:*", "s3:Get*"], "Resource": ROLE_ARN}
    ),
    escalation_case("iam:PutRolePolicy", {"Effect": "Allow", "Action": "iam:PutRolePolicy", "NotResource": ROLE_ARN}),
    # Roles that are passed to a service in which the role can run code.
    *(
        escalation_case(f"iam:PassRole and {action}", pass_role(service), allow(action, "*"))
        for service, action in (
            ("lambda", "lambda:CreateFunction"),
            ("ecs-tasks", "ecs:RegisterTaskDefinition"),
            ("ecs-tasks", "batch:RegisterJobDefinition"),
            ("ec2", "ec2:RequestSpotInstances"),
            ("ec2", "autoscaling:CreateAutoScalingGroup"),
            ("glue", "glue:CreateSession"),
            ("states", "states:CreateStateMachine"),
            ("scheduler", "scheduler:CreateSchedule"),
            ("pipes", "pipes:CreatePipe"),
            ("cloudformation", "cloudformation:CreateStack"),
            ("codebuild", "codebuild:CreateProject"),
            ("sagemaker", "sagemaker:CreateProcessingJob"),
            ("bedrock-agentcore", "bedrock-agentcore:CreateCodeInterpreter"),
            ("apprunner", "apprunner:CreateService"),
            ("synthetics", "synthetics:CreateCanary"),
        )
    ),
    escalation_case(
        "iam:PassRole and lambda:CreateFunction",
        allow("iam:PassRole", ROLE_ARN),
        allow("lambda:CreateFunction", FUNCTION_ARN),
    ),
    escalation_case(
        "iam:PassRole and lambda:CreateFunction",
        allow("iam:PassRole", ROLE_ARN, {"StringLike": {"iam:PassedToService": "*.amazonaws.com"}}),
        allow("lambda:CreateFunction", FUNCTION_ARN),
    ),
    expect_finding(
        NO_ESCALATION,
        "iam:PassRole and lambda:CreateFunction",
        role_with_inline_policies(document(pass_role("lambda"))),
        role_policy(document(allow("lambda:CreateFunction", FUNCTION_ARN))),
        faulty_name="sample",
    ),
    # Actions that run or change code that has another role.
    *(
        action_case(action, resource)
        for action, resource in (
            ("lambda:UpdateFunctionCode", FUNCTION_ARN),
            ("lambda:UpdateFunctionConfiguration", FUNCTION_ARN),
            ("states:UpdateStateMachine", MACHINE_ARN),
            ("glue:UpdateJob", JOB_ARN),
            ("glue:UpdateDevEndpoint", f"arn:aws:glue:{REGION}:{ACCOUNT}:devEndpoint/e"),
            ("ssm:SendCommand", INSTANCE_ARN),
            ("ssm:StartSession", INSTANCE_ARN),
            ("ssm:StartAutomationExecution", f"arn:aws:ssm:{REGION}:{ACCOUNT}:automation-definition/d:1"),
            ("ecs:ExecuteCommand", f"{ECS_PREFIX}:cluster/polyphony-prod-c"),
            ("ecs:UpdateService", f"{ECS_PREFIX}:service/polyphony-prod-c/s"),
            ("codebuild:StartBuild", f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/p"),
            ("cloudformation:UpdateStack", f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/s/1"),
            ("cloudformation:ExecuteChangeSet", f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/s/1"),
            ("ec2:ModifyInstanceAttribute", INSTANCE_ARN),
            ("ec2-instance-connect:SendSSHPublicKey", INSTANCE_ARN),
            ("ecr:PutImage", f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/polyphony-prod-images"),
            ("events:PutTargets", f"arn:aws:events:{REGION}:{ACCOUNT}:rule/polyphony-prod-r"),
            ("bedrock-agentcore:InvokeCodeInterpreter", "*"),
            ("batch:SubmitJob", f"arn:aws:batch:{REGION}:{ACCOUNT}:job-definition/*"),
            ("glue:StartJobRun", f"arn:aws:glue:{REGION}:{ACCOUNT}:job/polyphony-*"),
            ("ecs:RunTask", "*"),
        )
    ),
    escalation_case(
        "runs with its own role",
        allow("s3:PutObject", "arn:aws:s3:::polyphony-prod-lake/*"),
        other_resources=glue_job(),
    ),
    escalation_case(
        "runs with its own role",
        allow("s3:PutObject", "arn:aws:s3:::polyphony-prod-lake/scripts/2/*"),
        other_resources=glue_job(
            defaultArguments={"--extra-py-files": "s3://polyphony-prod-lake/scripts/2/handlers.zip"}
        ),
    ),
    # Roles that do not belong to the stack.
    escalation_case(
        "no role of this stack", allow("sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/OrganizationAccountAccessRole")
    ),
    escalation_case(
        "no role of this stack",
        allow("sts:AssumeRole", ROLE_ARN),
        other_resources=[SampleResource(t.ROLE, {"name": "x"}, "x")],
    ),
    escalation_case("no role of this stack", pass_role("mediaconvert", f"arn:aws:iam::{ACCOUNT}:role/ci/deploy")),
    # Policies of a role, user or group that does not belong to the stack.
    *(
        expect_finding(
            NO_ESCALATION,
            "The holder of the policy may call iam:PutRolePolicy",
            SampleResource(kind, {"role": "another", "policy": document(allow("iam:PutRolePolicy", ROLE_ARN))}),
        )
        for kind in (t.MANAGED_POLICY, t.ROLE_POLICY, t.USER_POLICY, t.GROUP_POLICY)
    ),
    # Resource policies that allow a role to change permissions or code.
    *(
        expect_finding(RESOURCE_ESCALATION, action, resource_for_role(kind, action))
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
    expect_finding(RESOURCE_ESCALATION, "kms:", resource_for_role(t.KMS_KEY, "kms:*")),
    expect_finding(RESOURCE_ESCALATION, "s3:", resource_for_role(t.BUCKET_POLICY, "s3:Put*")),
    *(
        expect_finding(
            RESOURCE_ESCALATION, f"allows {action}", SampleResource(t.FUNCTION_PERMISSION, {"action": action})
        )
        for action in ("lambda:*", "lambda:UpdateFunctionCode", "lambda:AddPermission", "*")
    ),
    # Harmless.
    harmless_case(allow(["s3:GetObject", "s3:PutObject"], f"{BUCKET_ARN}/work/*")),
    harmless_case(allow("lambda:InvokeFunction", FUNCTION_ARN)),
    harmless_case(allow("states:StartExecution", MACHINE_ARN)),
    harmless_case(allow("batch:SubmitJob", [DEFINITION_ARN, f"{DEFINITION_ARN}:*"])),
    harmless_case(allow(["glue:StartJobRun", "glue:GetJobRun"], JOB_ARN)),
    harmless_case(allow(["iam:GetRole", "iam:ListRolePolicies"], ROLE_ARN)),
    harmless_case(allow(["kms:Decrypt", "kms:GenerateDataKey"], KEY_ARN)),
    harmless_case(allow("kms:CreateGrant", KEY_ARN, GRANT_FOR_AWS_RESOURCE)),
    harmless_case(allow("iam:PutRolePolicy", ROLE_ARN, WITH_BOUNDARY)),
    harmless_case({"Effect": "Deny", "Action": "iam:*", "Resource": "*"}),
    harmless_case(
        pass_role("mediaconvert"), allow("mediaconvert:CreateJob", MEDIACONVERT_QUEUE_ARN), other_resources=[MEDIA_ROLE]
    ),
    harmless_case(
        pass_role("mediaconvert"), allow("lambda:InvokeFunction", FUNCTION_ARN), other_resources=[MEDIA_ROLE]
    ),
    harmless_case(allow("sts:AssumeRole", ROLE_ARN), other_resources=[MEDIA_ROLE]),
    harmless_case(
        pass_role("lambda"),
        allow(["lambda:GetFunction", "lambda:DeleteFunction"], FUNCTION_ARN),
        other_resources=[MEDIA_ROLE],
    ),
    # Step Functions requires this permission of a workflow that writes logs.
    harmless_case(allow("logs:PutResourcePolicy", "*"), assumeRolePolicy=WORKFLOW_TRUST),
    # The function and the job have the same role as the policy that allows to change them.
    harmless_case(
        allow("lambda:UpdateFunctionConfiguration", FUNCTION_ARN),
        other_resources=[SampleResource(t.FUNCTION, {"name": "polyphony-prod-strong", "role": R_ARN}, "f")],
    ),
    harmless_case(allow("s3:PutObject", "arn:aws:s3:::polyphony-prod-lake/*"), other_resources=glue_job(R_ARN)),
    # The job runs no code from this folder.
    harmless_case(allow("s3:PutObject", "arn:aws:s3:::polyphony-prod-lake/data/*"), other_resources=glue_job()),
    expect_no_finding(RESOURCE_ESCALATION, resource_for_role(t.BUCKET_POLICY, ["s3:GetObject", "s3:PutObject"])),
    expect_no_finding(RESOURCE_ESCALATION, resource_for_role(t.KMS_KEY, ["kms:Decrypt", "kms:DescribeKey"])),
    expect_no_finding(
        RESOURCE_ESCALATION, resource_for_role(t.KMS_KEY, "kms:CreateGrant", Condition=GRANT_FOR_AWS_RESOURCE)
    ),
    expect_no_finding(RESOURCE_ESCALATION, resource_for_role(t.KMS_KEY, "kms:*", Principal={"AWS": ACCOUNT_ROOT})),
    expect_no_finding(RESOURCE_ESCALATION, resource_for_role(t.QUEUE_POLICY, "sqs:*", Effect="Deny")),
    expect_no_finding(
        RESOURCE_ESCALATION, SampleResource(t.FUNCTION_PERMISSION, {"action": "lambda:InvokeFunctionUrl"})
    ),
    # Unknown values.
    expect_no_finding(NO_ESCALATION, role(), role_policy(UNKNOWN)),
)
SPECS = (
    resource_spec(
        RESOURCE_ESCALATION,
        t.FUNCTION_PERMISSION,
        {"action": "lambda:InvokeFunction", "function": "f"},
        {"action": "lambda:UpdateFunctionCode"},
        "allows lambda:UpdateFunctionCode",
    ),
)

"""Actions by which a role can gain permissions that it was not granted.

The table of all IAM actions (`iam_action_table`) marks actions that manage permissions, and actions that pass a role.
It does not mark all of them, so this module adds actions from published lists. These lists are the paths of
pathfinding.cloud (Datadog), the edges of PMapper (NCC Group), and "AWS IAM Privilege Escalation" (Rhino Security Labs).
"""

import functools
from collections.abc import Iterable, Mapping
from typing import Final

from guardrails.model import iam_action_table

PASS_ROLE: Final = "iam:PassRole"  # noqa: S105 - an action, not a secret
CHANGING_LEVELS: Final = frozenset({"Tagging", "Write", iam_action_table.PERMISSIONS_MANAGEMENT})
"""Access levels of the actions that change something."""

PASSING_PATTERNS: Final = (
    "airflow:*Environment",
    "amplify:*App",
    "amplify:*Branch",
    "appsync:*DataSource",
    "apprunner:*Service",
    "batch:*ComputeEnvironment",
    "batch:RegisterJobDefinition",
    "bedrock:*Agent",
    "bedrock:*Flow",
    "bedrock-agentcore:*",
    "cloud9:CreateEnvironment*",
    "cloudformation:*ChangeSet",
    "cloudformation:*Stack",
    "cloudformation:*StackInstances",
    "cloudformation:*StackSet",
    "codebuild:*Project",
    "codebuild:StartBuild*",
    "codedeploy:*DeploymentGroup",
    "codepipeline:*Pipeline",
    "datapipeline:*Pipeline*",
    "ec2:*LaunchTemplate*",
    "ec2:*Fleet*",
    "ecs:*Service",
    "ecs:RegisterTaskDefinition",
    "elasticbeanstalk:*Environment",
    "events:PutTargets",
    "firehose:*DeliveryStream",
    "firehose:UpdateDestination",
    "glue:*Crawler",
    "glue:*DevEndpoint",
    "glue:*Job",
    "glue:*JobFromSourceControl",
    "glue:*MLTransform",
    "glue:*Session",
    "iot:*TopicRule",
    "lambda:UpdateFunctionConfiguration*",
    "sagemaker:*",
    "ssm:*Association*",
    "ssm:*MaintenanceWindow*",
    "ssm:CreateActivation",
    "ssm:SendCommand",
    "ssm:StartAutomationExecution",
    "states:*StateMachine",
    "synthetics:*Canary",
)
"""Actions that pass a role to a service that acts with it, in addition to the actions for which the table names
iam:PassRole as a dependent action."""

CHANGING_PATTERNS: Final = (
    "amplify:Update*",
    "apprunner:UpdateService",
    "appsync:Update*",
    "bedrock:Update*",
    "bedrock-agentcore:InvokeCodeInterpreter",
    "bedrock-agentcore:StartCodeInterpreterSession",
    "bedrock-agentcore:UpdateAgentRuntime",
    "cloudformation:*ChangeSet",
    "cloudformation:Update*",
    "codebuild:UpdateProject",
    "codebuild:Start*",
    "codedeploy:CreateDeployment",
    "codepipeline:UpdatePipeline",
    "datapipeline:PutPipelineDefinition",
    "ec2-instance-connect:Send*",
    "ec2-instance-connect:Open*",
    "ec2:*IamInstanceProfile*",
    "ec2:CreateLaunchTemplateVersion",
    "ec2:CreateReplaceRootVolumeTask",
    "ec2:ModifyInstanceAttribute",
    "ec2:ModifyLaunchTemplate",
    "ecr:PutImage",
    "ecs:ExecuteCommand",
    "ecs:UpdateService",
    "elasticmapreduce:AddJobFlowSteps",
    "events:PutTargets",
    "glue:*JobFromSourceControl",
    "glue:RunStatement",
    "glue:UpdateDevEndpoint",
    "glue:UpdateJob",
    "iot:ReplaceTopicRule",
    "lambda:UpdateFunctionCode*",
    "lambda:UpdateFunctionConfiguration*",
    "lightsail:DownloadDefaultKeyPair",
    "lightsail:GetInstanceAccessDetails",
    "pipes:UpdatePipe",
    "sagemaker:*NotebookInstanceLifecycleConfig",
    "sagemaker:CreatePresigned*",
    "sagemaker:StartSession",
    "sagemaker:UpdateNotebookInstance",
    "sagemaker:UpdatePipeline",
    "scheduler:UpdateSchedule",
    "ssm:*Association*",
    "ssm:ResumeSession",
    "ssm:SendCommand",
    "ssm:StartAutomationExecution",
    "ssm:StartChangeRequestExecution",
    "ssm:StartSession",
    "ssm:UpdateDocument*",
    "states:UpdateStateMachine*",
    "synthetics:UpdateCanary",
)
"""Actions that change or replace what an existing function, job, workflow or machine runs with its role, or that run
commands there."""

OVERRIDING_PATTERNS: Final = (
    "batch:SubmitJob",
    "ecs:RunTask",
    "ecs:StartTask",
    "emr-containers:StartJobRun",
    "emr-serverless:StartJobRun",
    "glue:StartJobRun",
)
"""Actions that start a job with its role, and whose callers may override the command or the script."""

CREDENTIAL_PATTERNS: Final = (
    "cognito-identity:Get*Credentials*",
    "cognito-identity:GetOpenIdToken*",
    "datazone:Get*Credentials*",
    "identitystore:CreateGroupMembership",
    "organizations:AttachPolicy",
    "organizations:DetachPolicy",
    "organizations:DisablePolicyType",
    "organizations:UpdatePolicy",
    "redshift*:GetClusterCredentials*",
    "redshift*:GetCredentials",
    "rolesanywhere:*Profile*",
    "rolesanywhere:*TrustAnchor*",
    "sts:AssumeRoot",
    "sts:GetFederationToken",
)
"""Actions that return credentials of another identity or give it further permissions, although the table does not
list them as managing permissions."""

PRINCIPALS_OF_SERVICES: Final[Mapping[str, frozenset[str]]] = {
    "autoscaling": frozenset({"autoscaling", "ec2"}),
    "batch": frozenset({"batch", "ecs-tasks", "ec2", "spotfleet"}),
    "ec2": frozenset({"ec2", "spotfleet", "vpc-flow-logs"}),
    "ecs": frozenset({"ecs", "ecs-tasks"}),
    "elasticbeanstalk": frozenset({"elasticbeanstalk", "ec2"}),
    "elasticmapreduce": frozenset({"elasticmapreduce", "ec2"}),
    "imagebuilder": frozenset({"imagebuilder", "ec2"}),
}
"""First labels of the service principals to which the actions of a service pass a role, by the prefix of the actions.
For example, `ec2` is the first label of `ec2.amazonaws.com`. If a prefix is not listed, the label is the prefix itself.
"""


def _expand(patterns: Iterable[str]) -> frozenset[str]:
    """Return the actions that match a pattern, without those that only read."""
    actions: frozenset[str] = frozenset().union(*map(iam_action_table.expand_pattern, patterns))
    return frozenset(
        action for action in actions if iam_action_table.get_access_level(action) not in iam_action_table.READING_LEVELS
    )


def load_escalation_actions() -> None:
    """Compute the sets of actions now, so that the first policy that needs them does not wait."""
    iam_action_table.load_action_table()
    list_passing_actions()
    list_changing_actions()
    list_overriding_actions()
    list_permission_actions()


@functools.cache
def list_passing_actions() -> frozenset[str]:
    """Return the actions that pass a role to a service. Actions that delete or stop something pass none."""
    actions = _expand(PASSING_PATTERNS) | iam_action_table.list_actions_with_dependency(PASS_ROLE)
    return frozenset(action for action in actions if not action.partition(":")[2].startswith(("Delete", "Stop")))


@functools.cache
def list_changing_actions() -> frozenset[str]:
    """Return the actions that change what runs with an existing role."""
    return frozenset(
        action for action in _expand(CHANGING_PATTERNS) if not action.partition(":")[2].startswith(("Delete", "Stop"))
    )


@functools.cache
def list_overriding_actions() -> frozenset[str]:
    """Return the actions that start a job whose command the caller may override."""
    return _expand(OVERRIDING_PATTERNS)


@functools.cache
def list_permission_actions() -> frozenset[str]:
    """Return the actions that change permissions or return the credentials of another identity.

    These are all actions of the access level Permissions management, all actions of IAM that change something, and the
    actions of `CREDENTIAL_PATTERNS`. iam:PassRole is left out, because it has separate policies.
    """
    managing = frozenset(
        action
        for action in iam_action_table.expand_pattern("*")
        if iam_action_table.get_access_level(action) == iam_action_table.PERMISSIONS_MANAGEMENT
        or (action.startswith("iam:") and iam_action_table.get_access_level(action) in CHANGING_LEVELS)
    )
    credentials = frozenset().union(*map(iam_action_table.expand_pattern, CREDENTIAL_PATTERNS))
    return (managing | credentials) - {PASS_ROLE}


def get_principal_labels(action: str) -> frozenset[str]:
    """Return the first labels of the service principals to which an action passes a role."""
    prefix = action.partition(":")[0]
    return PRINCIPALS_OF_SERVICES.get(prefix, frozenset({prefix}))

"""Accesses to resources outside the stack that its policies allow on purpose.

Most of these accesses cannot be prevented, because IAM cannot limit them to a name or tag of the stack. The stacks of
one account share them, and docs/deploying.md lists their titles. The other accesses are those to the bootstrap's
resources that hold the stack's own state. A test compares the groups with the page and finds groups that no request
needs.
"""

import fnmatch
from collections.abc import Callable
from dataclasses import dataclass

from local.preview.preview_provider import ACCOUNT, REGION
from tests.bootstrap.attack_requests import KMS_SERVICES, Attempt
from tests.bootstrap.attack_targets import NO_TAGS, STACK, AccessLevel, Ownership, Target
from tests.bootstrap.escalation_search import PROGRAM
from tests.bootstrap.role_template import STATE_KEY_ARN

OWNERSHIP_TAGS = {"project", "environment"}
STATE = f"arn:aws:s3:::polyphony-bootstrap-{STACK}-{ACCOUNT}"
READS = (AccessLevel.READ, AccessLevel.LIST)


@dataclass(frozen=True)
class AccessGroup:
    """Group of accesses."""

    title: str
    """Text of the group's list item in docs/deploying.md. The groups of `STATE_ACCESSES` are not in the list."""
    actions: str
    """Patterns of actions, separated by spaces."""
    arns: str = "*"
    """Patterns of ARNs, separated by spaces."""
    has_accepted_values: Callable[[str, Target, Attempt], bool] = lambda *_: True
    """Further condition on the request."""

    def matches(self, principal: str, target: Target, attempt: Attempt) -> bool:
        """Return True if the request belongs to this group."""
        access = attempt.access
        return (
            any(fnmatch.fnmatchcase(access.action, pattern) for pattern in self.actions.split())
            and any(fnmatch.fnmatchcase(access.arn, pattern) for pattern in self.arns.split())
            and self.has_accepted_values(principal, target, attempt)
        )


def _keeps_ownership(principal: str, target: Target, attempt: Attempt) -> bool:
    changed_keys = {key.lower() for key, _ in attempt.added_tags or ()} | {key.lower() for key in attempt.removed_keys}
    return not changed_keys & OWNERSHIP_TAGS


def _is_through_service(principal: str, target: Target, attempt: Attempt) -> bool:
    service = str(attempt.context.get("kms:ViaService", "")).partition(".")[0]
    is_grant = attempt.access.action == "kms:CreateGrant"
    return service in KMS_SERVICES and (not is_grant or attempt.context.get("kms:GrantIsForAWSResource") == "true")


def _is_in_region(principal: str, target: Target, attempt: Attempt) -> bool:
    # The boundary does not limit roles of the program to one region, because their own policies do.
    return principal == PROGRAM or attempt.context.get("aws:RequestedRegion", REGION) == REGION


def _is_read(principal: str, target: Target, attempt: Attempt) -> bool:
    return attempt.access.level in READS and _is_in_region(principal, target, attempt)


SHARED_ACCESSES = (
    AccessGroup(
        "Reading the configuration of APIs, identity pools, memories, backup plans, anomaly monitors and event source mappings",
        "apigateway:GET backup:* bedrock-agentcore:GetMemory bedrock-agentcore:ListTagsForResource ce:* cognito-identity:* "
        "lambda:GetEventSourceMapping lambda:ListTags",
        "arn:aws:apigateway:*::/account *::/restapis/* *::/apis/* *::/tags/* *:backup-plan:* *:memory/* *:anomaly* "
        "*:identitypool/* *:event-source-mapping:*",
        _is_read,
    ),
    AccessGroup(
        "Lists and descriptions of the account: alarms, networks, jobs, parameters without values, keys, log groups, tags",
        "backup:Describe* batch:Describe* batch:ListJobs cloudwatch:DescribeAlarms ec2:Describe* "
        "ecr:GetAuthorizationToken glue:GetSecurityConfiguration logs:DescribeLogGroups logs:DescribeResourcePolicies "
        "logs:*LogDeliver* s3:GetAccountPublicAccessBlock sns:GetSubscriptionAttributes ssm:DescribeParameters "
        "states:ValidateStateMachineDefinition tag:GetResources xray:Get*",
        has_accepted_values=_is_read,
    ),
    AccessGroup("Tags of APIs except `Project` and `Environment`", "apigateway:*", "*::/tags/*", _keeps_ownership),
    AccessGroup("Roles of identity pools", "cognito-identity:SetIdentityPoolRoles"),
    AccessGroup(
        "Log groups of APIs, whose names contain only the API's id",
        "logs:*",
        "*:log-group:/aws/apigateway/* *:log-group:API-Gateway-Execution-Logs_*",
    ),
    AccessGroup(
        "Settings of the account: API Gateway's role for logs, AWS Backup's settings, log deliveries and their resource policies",
        "apigateway:PATCH backup:UpdateRegionSettings backup-storage:MountCapsule logs:PutResourcePolicy logs:*LogDelivery",
        "arn:aws:apigateway:*::/account [*]",
    ),
    AccessGroup(
        "Glue security configurations and subscriptions of topics",
        "glue:*SecurityConfiguration sns:SetSubscriptionAttributes sns:Unsubscribe",
    ),
    AccessGroup(
        "Network interfaces: creation, and deletion of an unattached one",
        "ec2:CreateNetworkInterface ec2:DeleteNetworkInterface",
    ),
    AccessGroup(
        "The tag `aws-glue-service-resource` of network interfaces",
        "ec2:CreateTags",
        "*:network-interface/*",
        lambda _, __, attempt: attempt.context.get("aws:TagKeys") == ["aws-glue-service-resource"],
    ),
    AccessGroup(
        "KMS keys of others, only through AWS Backup, DynamoDB, Lambda and Systems Manager, which encrypt the stack's own "
        "resources with them",
        "kms:*",
        has_accepted_values=_is_through_service,
    ),
    AccessGroup("Private hosted zones, to which a network can be associated", "route53:AssociateVPCWithHostedZone"),
    AccessGroup(
        "Service-linked roles of AWS Backup, Batch and API Gateway",
        "iam:CreateServiceLinkedRole",
        "*:role/aws-service-role/*",
        # The search requests only the role of AWS Backup, as an example of the three.
        lambda _, __, attempt: attempt.context["iam:AWSServiceName"] == "backup.amazonaws.com",
    ),
    AccessGroup("Archives of all events of the account's event bus", "events:CreateArchive", "*:event-bus/default"),
    AccessGroup("Calls of APIs and messages to WebSocket connections", "execute-api:*"),
    AccessGroup(
        "Jobs: cancelling Batch jobs, and starting MediaConvert jobs, transcription jobs and streams",
        "batch:*Job mediaconvert:CreateJob transcribe:Start*",
        "*:job/* *:queues/* [*]",
    ),
    AccessGroup(
        "Agents, inference profiles and models",
        "bedrock-agentcore:InvokeAgentRuntime bedrock:InvokeModel*",
    ),
    AccessGroup("Metrics and traces", "cloudwatch:PutMetricData xray:Put*"),
    AccessGroup(
        "Backups without the tag `Environment`, and the stack's own backups, which a change of their tags can give to another "
        "stack",
        "backup:*",
        "*:recovery-point:*",
        lambda _, target, __: target.tags == NO_TAGS or target.ownership is Ownership.OWN,
    ),
)
"""Accesses that docs/deploying.md lists."""

STATE_ACCESSES = (
    AccessGroup("state", "s3:*Object", f"{STATE}/*"),
    AccessGroup("bucket of the state", "s3:GetBucketLocation s3:ListBucket", STATE),
    AccessGroup("key of the state", "kms:Decrypt kms:Encrypt kms:GenerateDataKey", STATE_KEY_ARN),
)
"""Accesses to the bootstrap's resources that hold the stack's state."""


def is_accepted(principal: str, target: Target, attempt: Attempt) -> bool:
    """Return True if a request belongs to a group of this module."""
    return any(group.matches(principal, target, attempt) for group in (*SHARED_ACCESSES, *STATE_ACCESSES))

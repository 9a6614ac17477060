"""IAM role with which API Gateway writes the logs of APIs, and the account setting that names it.

A region of an account has only one such role, so only the stack with `foundation.logs.apiGatewayRoleOwned` creates it.
API Gateway refuses a stage with logs while the role is missing. So in this stack, all resources of the subsystems are
created after the account setting.
"""

import pulumi
from pulumi_aws import apigateway

from components.blocks.iam.grant import Grant, grant
from components.blocks.iam.role import Role, RoleArgs
from components.blocks.iam.trust_policy import Service
from components.blocks.naming.physical_names import Kind
from components.blocks.naming.subsystem_scope import Scope

LOG_GROUPS = ("API-Gateway-Execution-Logs_*", "/aws/apigateway/*")
"""Patterns of the log groups: the first for execution logs of REST APIs, the second for execution logs of WebSocket
APIs and for the access logs of both."""
ACTIONS = (
    "CreateLogGroup",
    "CreateLogStream",
    "DescribeLogStreams",
    "FilterLogEvents",
    "GetLogEvents",
    "PutLogEvents",
)
"""Actions on log groups that API Gateway requires of this role. They are those of AWS' managed policy for the role
(AmazonAPIGatewayPushToCloudWatchLogs). Its only other action, DescribeLogGroups, has a grant of its own, because it
cannot be limited to log groups."""


class ApiLogRole(pulumi.ComponentResource):
    """Role for logs, and the account setting of API Gateway that names it."""

    def __init__(self, scope: Scope, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("polyphony:foundation:ApiLogs", f"{scope.subsystem}-api-logs", None, opts)
        child = pulumi.ResourceOptions(parent=self, depends_on=list(scope.prerequisites))
        name = scope.name(Kind.ROLE, "api-logs")
        role = Role(
            "foundation-api-logs",
            RoleArgs(scope, "api-logs", name, Service.API_GATEWAY, api_log_grants(scope)),
            child,
        )
        self.account = apigateway.Account(
            "foundation-api-logs-account",
            cloudwatch_role_arn=role.arn,
            opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=role.parts)),
        )
        self.register_outputs({"roleArn": role.arn})


def api_log_grants(scope: Scope) -> list[Grant]:
    """Return the permissions to write the logs of every API of this region."""
    groups = [scope.context.arn("logs", f"log-group:{group}") for group in LOG_GROUPS]
    return [grant("logs", ACTIONS, groups), grant("logs", ["DescribeLogGroups"], "*")]

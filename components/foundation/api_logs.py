"""The role that API Gateway writes logs with: one a region and account, so one stack of a region makes it.

It reaches the log groups that API Gateway names itself, and those of ours. A stage that logs is refused while there is
no role; so everything of the subsystems waits for it.
"""

import pulumi
from pulumi_aws import apigateway

from components.blocks.iam.grant import Grant, grant
from components.blocks.iam.role import Role, RoleArgs
from components.blocks.iam.trust_policy import Service
from components.blocks.naming.physical_names import Kind
from components.blocks.naming.scope import Scope

GROUPS = ("API-Gateway-Execution-Logs_*", "/aws/apigateway/*")
"""Execution logs of REST APIs; those of WebSocket APIs, and all access logs of ours."""
ACTIONS = (
    "CreateLogGroup",
    "CreateLogStream",
    "DescribeLogStreams",
    "FilterLogEvents",
    "GetLogEvents",
    "PutLogEvents",
)
"""Those of AWS' own policy for this role (AmazonAPIGatewayPushToCloudWatchLogs), without which the account's setting is
refused; all but one can be limited to log groups."""


class ApiLogs(pulumi.ComponentResource):
    """The role, and the setting of the account that names it."""

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
    """What API Gateway needs to write the logs of every API of this region."""
    groups = [scope.context.arn("logs", f"log-group:{group}") for group in GROUPS]
    return [grant("logs", ACTIONS, groups), grant("logs", ["DescribeLogGroups"], "*")]

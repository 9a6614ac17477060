"""Step Functions state machine with its own role, logs without payload data, tracing, and alarms on failures."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_aws import sfn

from components.blocks.block import Block
from components.blocks.iam.grant import Grant, grant
from components.blocks.iam.role import Role, RoleArgs
from components.blocks.iam.trust_policy import Service
from components.blocks.monitoring.alarm import AlarmGroup, Metric, Severity
from components.blocks.naming.physical_names import Kind
from components.blocks.naming.subsystem_scope import Scope
from components.blocks.workflow.state_definitions import State

LOG_DELIVERY_ACTIONS = (
    "CreateLogDelivery",
    "DeleteLogDelivery",
    "DescribeLogGroups",
    "DescribeResourcePolicies",
    "GetLogDelivery",
    "ListLogDeliveries",
    "PutResourcePolicy",
    "UpdateLogDelivery",
)
"""Actions that a state machine's role needs to configure log delivery. None of them supports ARNs."""
TRACING_ACTIONS = ("GetSamplingRules", "GetSamplingTargets", "PutTelemetryRecords", "PutTraceSegments")


@dataclass(frozen=True)
class WorkflowArgs:
    scope: Scope
    display_name: str
    comment: str
    """Description in the definition, for readers."""
    start: str
    states: Mapping[str, State]
    grants: Sequence[Grant]
    """Permissions to call the states' targets."""
    timeout_seconds: int


class Workflow(Block):
    """State machine that callers start by its ARN."""

    def __init__(self, short_name: str, args: WorkflowArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("Workflow", short_name, args.scope, opts)
        scope = args.scope
        self.name = scope.name(Kind.STATE_MACHINE, short_name)
        self.arn = scope.context.arn("states", f"stateMachine:{self.name}")
        # The account's resource policy for log delivery has a limited size. A single entry covers all log groups below
        # `/aws/vendedlogs/`, but every other log group needs an additional entry.
        log_group = f"/aws/vendedlogs/states/{self.name}"
        logs = self.create_log_group("logs", log_group, args.display_name)
        platform_grants = [grant("logs", LOG_DELIVERY_ACTIONS, "*"), grant("xray", TRACING_ACTIONS, "*")]
        role = Role(
            self.label,
            RoleArgs(scope, short_name, args.display_name, Service.STATES, [*args.grants, *platform_grants], self.arn),
            self.part_options(),
        )
        sfn.StateMachine(
            self.part_name("machine"),
            name=self.name,
            type="STANDARD",
            role_arn=role.arn,
            definition=json.dumps(
                {
                    "Comment": args.comment,
                    "QueryLanguage": "JSONata",
                    "StartAt": args.start,
                    "TimeoutSeconds": args.timeout_seconds,
                    "States": dict(args.states),
                },
                sort_keys=True,
            ),
            logging_configuration={
                "level": "ERROR",
                "include_execution_data": False,  # inputs and outputs are customer data
                "log_destination": f"{scope.context.arn('logs', f'log-group:{log_group}')}:*",
            },
            tracing_configuration={"enabled": True},
            tags=scope.tags(args.display_name),
            opts=self.part_options(logs, *role.parts),
        )
        self._register_alarms(args.display_name)
        self.register_outputs({"arn": self.arn})

    def grant_start(self) -> Grant:
        return grant("states", ["StartExecution"], self.arn)

    def grant_describe(self) -> Grant:
        """Grant describing executions, to read their result."""
        return grant("states", ["DescribeExecution"], self.scope.context.arn("states", f"execution:{self.name}:*"))

    def _register_alarms(self, display_name: str) -> None:
        group = AlarmGroup(self.scope, "workflows", self.part_options())
        for metric, severity, problem in (
            ("ExecutionsFailed", Severity.CRITICAL, "An execution failed."),
            ("ExecutionsTimedOut", Severity.CRITICAL, "An execution timed out."),
            ("ExecutionThrottled", Severity.WARNING, "Executions are throttled by the account's quotas."),
        ):
            group.register(
                f"{self.short_name}-{metric.lower()}",
                Metric("AWS/States", metric, {"StateMachineArn": self.arn}),
                0,
                f"{display_name}: {problem}",
                severity=severity,
            )

"""Step Functions state machine with its own role, logs without payload data, tracing, and alarms on failures."""

import json
from collections.abc import Mapping, Sequence

from pulumi_aws import sfn

from components.blocks.alarm import Metric, Severity, create_alarm
from components.blocks.iam import Grant, Role, Service, grant
from components.blocks.states import State
from components.core import Block, Kind, Scope

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
ALARMS = (
    ("ExecutionsFailed", Severity.CRITICAL, "An execution failed."),
    ("ExecutionsTimedOut", Severity.CRITICAL, "An execution timed out."),
    ("ExecutionThrottled", Severity.WARNING, "Executions are throttled by the account's quotas."),
)
"""Metric, severity and problem of each alarm."""


class Workflow(Block):
    """State machine that callers start by its ARN."""

    def __init__(
        self,
        scope: Scope,
        short_name: str,
        *,
        display_name: str,
        comment: str,
        start: str,
        states: Mapping[str, State],
        grants: Sequence[Grant],
        timeout_seconds: int,
    ) -> None:
        """Create the state machine. `comment` is its description for readers, `start` is the name of the first state, and
        `grants` are the permissions to call the states' targets.
        """
        super().__init__("Workflow", scope, short_name, display_name)
        self.name = scope.name(Kind.STATE_MACHINE, short_name)
        self.arn = scope.context.arn("states", f"stateMachine:{self.name}")
        # The account's resource policy for log delivery has a limited size. A single entry covers all log groups below
        # `/aws/vendedlogs/`, but every other log group needs an additional entry.
        log_group = f"/aws/vendedlogs/states/{self.name}"
        logs = self.create_log_group("logs", log_group)
        own_grants = [grant("logs", LOG_DELIVERY_ACTIONS, "*"), grant("xray", TRACING_ACTIONS, "*")]
        role = Role(
            self.scope,
            short_name,
            display_name=display_name,
            trust=Service.STATES,
            grants=[*grants, *own_grants],
            source_arn=self.arn,
        )
        definition = {
            "Comment": comment,
            "QueryLanguage": "JSONata",
            "StartAt": start,
            "TimeoutSeconds": timeout_seconds,
            "States": dict(states),
        }
        sfn.StateMachine(
            self.part_name("machine"),
            name=self.name,
            type="STANDARD",
            role_arn=role.arn,
            definition=json.dumps(definition),
            logging_configuration={
                "level": "ERROR",
                "include_execution_data": False,  # inputs and outputs are customer data
                "log_destination": f"{scope.context.arn('logs', f'log-group:{log_group}')}:*",
            },
            tracing_configuration={"enabled": True},
            tags=self.tags,
            opts=self.scope.options(after=[logs, *role.role_and_policies]),
        )
        for metric, severity, problem in ALARMS:
            create_alarm(
                self.scope,
                f"{short_name}-{metric.lower()}",
                Metric("AWS/States", metric, {"StateMachineArn": self.arn}),
                threshold=0,
                problem=f"{display_name}: {problem}",
                runbook="workflows",
                severity=severity,
            )
        self.register_outputs({"arn": self.arn})

    def grant_start(self, variable: str | None = None) -> Grant:
        """Grant starting executions. `variable` is the field of the handler's environment model that gets the ARN."""
        return grant("states", ["StartExecution"], self.arn).with_variable(variable, self.arn)

    def grant_describe(self) -> Grant:
        """Grant describing executions, to read their result."""
        return grant("states", ["DescribeExecution"], self.scope.context.arn("states", f"execution:{self.name}:*"))

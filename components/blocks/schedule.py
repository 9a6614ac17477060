"""EventBridge schedule that calls a function's alias, with its own role."""

import json
from collections.abc import Mapping

from pulumi_aws import scheduler

from components.blocks.function import Function
from components.blocks.iam import Role, Service
from components.blocks.queue import DeadLetterQueue
from components.core import Block, Kind, Scope

GROUP = "default"
"""Schedule group that every account has."""


class Schedule(Block):
    """Schedule that calls a function with a fixed event."""

    def __init__(
        self,
        scope: Scope,
        short_name: str,
        *,
        display_name: str,
        expression: str,
        target: Function,
        failed_events: DeadLetterQueue,
        event: Mapping[str, object] | None = None,
    ) -> None:
        """Create the schedule, which calls its target asynchronously. `expression` is `rate(5 minutes)` or
        `cron(0 3 * * ? *)`, in UTC. `failed_events` is the queue for events that cannot be delivered to the function.
        `event` is the function's input; None sends an empty object.
        """
        super().__init__("Schedule", scope, short_name, display_name)
        role = Role(
            self.scope,
            short_name,
            display_name=display_name,
            trust=Service.SCHEDULER,
            grants=[target.grant_invoke(), failed_events.grant("SendMessage")],
            # As `aws:SourceArn`, EventBridge Scheduler sends the ARN of the schedule's group, not of the schedule.
            source_arn=scope.context.arn("scheduler", f"schedule-group/{GROUP}"),
        )
        schedule = scheduler.Schedule(
            self.part_name("schedule"),
            name=scope.name(Kind.SCHEDULE, short_name),
            group_name=GROUP,
            schedule_expression=expression,
            schedule_expression_timezone="UTC",
            state="ENABLED",
            flexible_time_window={"mode": "OFF"},
            target={
                "arn": target.live_arn,
                "role_arn": role.arn,
                "input": json.dumps(event or {}),
                "retry_policy": {"maximum_event_age_in_seconds": 3600},
                "dead_letter_config": {"arn": failed_events.arn},
            },
            opts=self.scope.options(after=[target.live, failed_events.policy, *role.role_and_policies]),
        )
        self.register_outputs({"name": schedule.name})

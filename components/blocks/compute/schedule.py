"""EventBridge schedule that calls a function's alias, with its own role and a dead-letter queue for calls that fail."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi
from pulumi_aws import scheduler

from components.blocks.block import Block
from components.blocks.compute.function import Function
from components.blocks.iam.role import Role, RoleArgs
from components.blocks.iam.trust_policy import Service
from components.blocks.messaging.queue import DeadLetterQueue, DeadLetterQueueArgs
from components.blocks.naming.physical_names import Kind
from components.blocks.naming.subsystem_scope import Scope

GROUP = "default"
"""Schedule group that every account has."""


@dataclass(frozen=True)
class ScheduleArgs:
    scope: Scope
    display_name: str
    expression: str
    """`rate(5 minutes)` or `cron(0 3 * * ? *)`, in UTC."""
    target: Function
    event: Mapping[str, object] = field(default_factory=dict)


class Schedule(Block):
    def __init__(self, short_name: str, args: ScheduleArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("Schedule", short_name, args.scope, opts)
        scope = args.scope
        if not args.target.keeps_failed_calls:
            raise ValueError(
                f"{self.label}: a schedule calls its target asynchronously. Give the target function a queue for failed calls (AsyncInvocation.on_failure)"
            )
        self.dead_letters = DeadLetterQueue(
            f"{short_name}-dlq", DeadLetterQueueArgs(scope, f"{args.display_name}DLQ"), self.part_options()
        )
        # As `aws:SourceArn`, EventBridge Scheduler sends the ARN of the schedule's group, not of the schedule.
        group_arn = scope.context.arn("scheduler", f"schedule-group/{GROUP}")
        grants = [args.target.grant_invoke(), self.dead_letters.grant("SendMessage")]
        role = Role(
            self.label,
            RoleArgs(scope, short_name, args.display_name, Service.SCHEDULER, grants, group_arn),
            self.part_options(),
        )
        scheduler.Schedule(
            self.part_name("schedule"),
            name=scope.name(Kind.SCHEDULE, short_name),
            group_name=GROUP,
            schedule_expression=args.expression,
            schedule_expression_timezone="UTC",
            state="ENABLED",
            flexible_time_window={"mode": "OFF"},
            target={
                "arn": args.target.live_arn,
                "role_arn": role.arn,
                "input": json.dumps(args.event, sort_keys=True),
                "retry_policy": {"maximum_retry_attempts": 3, "maximum_event_age_in_seconds": 3600},
                "dead_letter_config": {"arn": self.dead_letters.arn},
            },
            opts=self.part_options(args.target.live, self.dead_letters.policy, *role.parts),
        )
        self.register_outputs({})

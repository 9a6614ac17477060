"""Component of the meetings backend's scheduled functions: the sweep and the storage count.

The sweep ends or restarts meetings that make no progress. The storage count measures each user's bytes in the bucket
once a day. For this, it lists all objects. In the list, it also finds complete uploads whose S3 event was lost, and
starts their processing. So both functions need the grants of the functions that update meetings.

The names of the component and of the dead-letter queue contain `care`, an older word for these functions.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components.blocks.compute.function import AsyncInvocation, Function, FunctionArgs
from components.blocks.compute.schedule import Schedule, ScheduleArgs
from components.blocks.iam.grant import Grant, grant_metrics
from components.blocks.messaging.queue import DeadLetterQueue, DeadLetterQueueArgs
from components.blocks.naming.subsystem_scope import Scope
from components.blocks.storage.bucket import Bucket
from components.blocks.storage.table import Table
from components.blocks.workflow.workflow import Workflow
from components.meetings.usage_estimate import SWEEP_MINUTES
from components.settings import MeetingsSettings
from handlers.common.sweep_time_budget import MAX_SWEEP_SECONDS
from handlers.meetings.metrics import NAMESPACE
from handlers.meetings.s3_keys import WORK
from handlers.meetings.storage.environment import StorageEnvironment
from handlers.meetings.sweep.environment import SweepEnvironment

FINISH_SECONDS = 30
"""Seconds at the end of a function's timeout in which it begins with no further meeting or list page, so that it can
finish the current one."""
MAX_INCOMPLETE_DAYS = 14
"""Maximum time that a meeting waits for missing chunks (files of the recording), even if uploaded chunks are kept
longer."""


@dataclass(frozen=True)
class ScheduledFunctionsArgs:
    scope: Scope
    settings: MeetingsSettings
    bucket: Bucket
    table: Table
    workflow: Workflow
    update_grants: Sequence[Grant]
    """Grants of all functions that update meetings."""


class ScheduledFunctions(pulumi.ComponentResource):
    """The functions `sweep` and `storage` with their schedules and their dead-letter queue."""

    def __init__(self, name: str, args: ScheduledFunctionsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("polyphony:meetings:Care", name, None, opts)
        self._child = pulumi.ResourceOptions(parent=self)
        self._args = args
        scope = args.scope
        self._dead_letter_queue = DeadLetterQueue(
            "care-failures", DeadLetterQueueArgs(scope, "MeetingCareDLQ"), self._child
        )
        self.sweep = self._create_sweep()
        self.storage = self._create_storage_count()
        for kind, expression, target in (
            ("sweep", f"rate({SWEEP_MINUTES} minutes)", self.sweep),
            ("storage", "cron(0 2 * * ? *)", self.storage),
        ):
            Schedule(
                f"{kind}-schedule",
                ScheduleArgs(scope, f"Meeting{kind.capitalize()}", expression, target, {"kind": kind}),
                self._child,
            )
        self.register_outputs({})

    def _create_sweep(self) -> Function:
        args, settings = self._args, self._args.settings
        return Function(
            "sweep",
            FunctionArgs(
                scope=args.scope,
                display_name="MeetingSweep",
                entry="handlers.meetings.sweep.handler.handler",
                settings=settings.sweep,
                environment=SweepEnvironment,
                values={
                    "table_name": args.table.name,
                    "bucket_name": args.bucket.name,
                    "state_machine_arn": args.workflow.arn,
                    "incomplete_minutes": min(settings.kept.raw_days, MAX_INCOMPLETE_DAYS) * 24 * 60,
                    "sweep_seconds": settings.sweep.seconds_to_work(FINISH_SECONDS, MAX_SWEEP_SECONDS),
                },
                grants=[*args.update_grants, args.table.grant("Query"), args.workflow.grant_describe()],
                asynchronous=AsyncInvocation(on_failure=self._dead_letter_queue),
            ),
            self._child,
        )

    def _create_storage_count(self) -> Function:
        args = self._args
        return Function(
            "storage",
            FunctionArgs(
                scope=args.scope,
                display_name="MeetingStorage",
                entry="handlers.meetings.storage.handler.handler",
                settings=args.settings.storage,
                environment=StorageEnvironment,
                values={
                    "table_name": args.table.name,
                    "bucket_name": args.bucket.name,
                    "state_machine_arn": args.workflow.arn,
                    "stack": args.scope.context.stack_label,
                    "max_users": args.settings.storage_users,
                    "count_seconds": args.settings.storage.seconds_to_work(FINISH_SECONDS),
                },
                grants=[
                    *args.update_grants,
                    args.bucket.grant("GetObject", "PutObject", prefix=f"{WORK}storage/*"),
                    grant_metrics(NAMESPACE),
                ],
                asynchronous=AsyncInvocation(on_failure=self._dead_letter_queue),
            ),
            self._child,
        )

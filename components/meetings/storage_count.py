"""Component of the storage count, a scheduled function that measures each user's bytes in the meetings bucket once a day.

The names of the component and of the dead-letter queue contain `care`, an older word for scheduled functions.
"""

from dataclasses import dataclass

import pulumi

from components.blocks.compute.function import AsyncInvocation, Function, FunctionArgs
from components.blocks.compute.schedule import Schedule, ScheduleArgs
from components.blocks.iam.grant import grant_metrics
from components.blocks.messaging.queue import DeadLetterQueue, DeadLetterQueueArgs
from components.blocks.naming.subsystem_scope import Scope
from components.blocks.storage.bucket import Bucket
from components.settings import MeetingsSettings
from handlers.meetings.metrics import NAMESPACE
from handlers.meetings.s3_keys import WORK
from handlers.meetings.storage.environment import StorageEnvironment

FINISH_SECONDS = 30
"""Seconds at the end of the function's timeout in which it begins with no further list page, so that it can finish the
current one."""


@dataclass(frozen=True)
class StorageCountArgs:
    scope: Scope
    settings: MeetingsSettings
    bucket: Bucket


class StorageCount(pulumi.ComponentResource):
    """The function `storage` with its schedule and its dead-letter queue."""

    def __init__(self, name: str, args: StorageCountArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("polyphony:meetings:Care", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        failures = DeadLetterQueue("care-failures", DeadLetterQueueArgs(args.scope, "MeetingCareDLQ"), child)
        self.function = Function(
            "storage",
            FunctionArgs(
                scope=args.scope,
                display_name="MeetingStorage",
                entry="handlers.meetings.storage.handler.handler",
                settings=args.settings.storage,
                environment=StorageEnvironment,
                values={
                    "bucket_name": args.bucket.name,
                    "stack": args.scope.context.stack_label,
                    "max_users": args.settings.storage_users,
                    "count_seconds": args.settings.storage.seconds_to_work(FINISH_SECONDS),
                },
                grants=[
                    args.bucket.grant_list(),
                    args.bucket.grant("GetObject", "PutObject", prefix=f"{WORK}storage/*"),
                    grant_metrics(NAMESPACE),
                ],
                asynchronous=AsyncInvocation(on_failure=failures),
            ),
            child,
        )
        Schedule(
            "storage-schedule",
            ScheduleArgs(args.scope, "MeetingStorage", "cron(0 2 * * ? *)", self.function, {"kind": "storage"}),
            child,
        )
        self.register_outputs({})

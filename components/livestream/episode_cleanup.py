"""Component of the cleanup of deleted episodes, and of the sweep for overdue videos and transcripts.

A video or transcript is overdue if its processing stays in one state for too long. The sweep then marks it as failed.
The sweep also repeats unfinished cleanups. One function does all this. It receives the events of deleted episodes
through a queue, and a schedule calls it for the sweep.

The names of most of these resources contain `care`, the former name of the function.
"""

from dataclasses import dataclass

import pulumi

from components.blocks.bedrock.agentcore_memory import SUMMARIES, AgentMemory
from components.blocks.compute.function import AsyncInvocation, Function, FunctionArgs, QueueSource
from components.blocks.compute.schedule import Schedule, ScheduleArgs
from components.blocks.messaging.event_rule import EventRule, EventRuleArgs, rule_sender
from components.blocks.messaging.queue import DeadLetterQueue, DeadLetterQueueArgs, Queue, QueueArgs
from components.blocks.naming.subsystem_scope import Scope
from components.blocks.storage.bucket import Bucket
from components.blocks.storage.table import Table
from components.livestream.event_publishing_permission import event_source
from components.livestream.usage_estimate import SWEEP_MINUTES
from components.settings import LivestreamSettings
from handlers.common.sweep_time_budget import MAX_SWEEP_SECONDS
from handlers.livestream.episode_cleanup.environment import EpisodeCleanupEnvironment
from handlers.livestream.episode_cleanup.s3_object_deletion import PREFIXES
from handlers.livestream.event_names import EPISODE_DELETED
from handlers.livestream.s3_prefixes import VIDEOS
from handlers.livestream.table_keys import SWEEP_INDEX

RULE = "episode-deleted"
"""Short name of the event rule for deleted episodes."""
FINISH_SECONDS = 20
"""Seconds at the end of the function's timeout in which the sweep begins to check no further episode, so that it can
finish the current one."""


@dataclass(frozen=True)
class EpisodeCleanupArgs:
    scope: Scope
    settings: LivestreamSettings
    bucket: Bucket
    table: Table
    memory: AgentMemory


class EpisodeCleanup(pulumi.ComponentResource):
    """Function, queue and schedule that clean up deleted episodes and mark overdue videos and transcripts as failed."""

    def __init__(self, name: str, args: EpisodeCleanupArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("polyphony:livestream:Care", name, None, opts)
        self._child = pulumi.ResourceOptions(parent=self)
        self._args = args
        scope, settings = args.scope, args.settings
        self.deletions = Queue(
            "deletions",
            QueueArgs(
                scope=scope,
                display_name="EpisodeDeletions",
                consumer_timeout_seconds=settings.care.timeout_seconds,
                senders=[rule_sender(scope, RULE)],
            ),
            self._child,
        )
        self.function = self._create_function()
        pattern = {"source": [event_source(scope)], "detail-type": [EPISODE_DELETED]}
        EventRule(RULE, EventRuleArgs(scope, "EpisodeDeletions", pattern, target=self.deletions), self._child)
        Schedule(
            "care-sweep",
            ScheduleArgs(
                scope=scope,
                display_name="CareSweep",
                expression=f"rate({SWEEP_MINUTES} minutes)",
                target=self.function,
                event={"kind": "sweep"},
            ),
            self._child,
        )
        self.register_outputs({})

    def _create_function(self) -> Function:
        args = self._args
        failure_queue = DeadLetterQueue("care-failures", DeadLetterQueueArgs(args.scope, "CareDLQ"), self._child)
        return Function(
            "care",
            FunctionArgs(
                scope=args.scope,
                display_name="Care",
                entry="handlers.livestream.episode_cleanup.handler.handler",
                settings=args.settings.care,
                environment=EpisodeCleanupEnvironment,
                values={
                    "table_name": args.table.name,
                    "bucket_name": args.bucket.name,
                    "memory_id": args.memory.memory_id,
                    "summary_namespace": SUMMARIES,
                    "chunking_minutes": args.settings.video.chunking_minutes,
                    "sweep_seconds": args.settings.care.seconds_to_work(FINISH_SECONDS, MAX_SWEEP_SECONDS),
                },
                grants=[
                    args.table.grant("GetItem", "UpdateItem", "Query", "BatchWriteItem"),
                    args.table.grant("Query", index=SWEEP_INDEX),
                    args.bucket.grant_list_uploads(),
                    args.bucket.grant("AbortMultipartUpload", prefix=f"{VIDEOS}*"),
                    *(
                        bucket_grant
                        for prefix in PREFIXES
                        for bucket_grant in (
                            args.bucket.grant_list_versions(f"{prefix}*"),
                            # DeleteObjects needs both permissions to delete versions (S3 API reference).
                            args.bucket.grant("DeleteObject", "DeleteObjectVersion", prefix=f"{prefix}*"),
                        )
                    ),
                    args.memory.grant("ListEvents", "DeleteEvent", "ListMemoryRecords", "DeleteMemoryRecord"),
                ],
                queues=[QueueSource(self.deletions, batch_size=1, max_concurrency=5)],
                asynchronous=AsyncInvocation(on_failure=failure_queue),
            ),
            self._child,
        )

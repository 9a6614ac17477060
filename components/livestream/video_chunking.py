"""Component that cuts uploaded videos into chunks: three event rules, one queue, one function, and MediaConvert's role.

MediaConvert does the cutting, in jobs that the function submits (`handlers/livestream/video_chunks/handler.py`). The
rules send to a queue instead of the function, because MediaConvert may throttle job requests for longer than Lambda
retries an asynchronous invocation. MediaConvert writes below a prefix that no rule matches, so its output is never
mistaken for an upload.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from components.blocks.compute.function import Function, FunctionArgs, QueueSource
from components.blocks.iam.grant import grant
from components.blocks.iam.role import Role, RoleArgs
from components.blocks.iam.trust_policy import Service
from components.blocks.messaging.event_rule import EventRule, EventRuleArgs, object_created_pattern, rule_sender
from components.blocks.messaging.queue import Queue, QueueArgs
from components.blocks.naming.subsystem_scope import Scope
from components.blocks.storage.bucket import Bucket
from components.blocks.storage.table import Table
from components.livestream.event_publishing_permission import event_source, grant_events
from components.settings import LivestreamSettings
from handlers.livestream.event_names import JOB_STATE_CHANGE, MEDIACONVERT, UPLOAD_COMPLETED
from handlers.livestream.s3_prefixes import CHUNKS, VIDEOS
from handlers.livestream.video_chunks.environment import VideoEnvironment

DELIVERIES = 20
"""Number of failed deliveries, some minutes apart, after which an event moves to the dead-letter queue. It is high,
because MediaConvert may throttle job requests for a long time."""
JOB_STATES = ("PROGRESSING", "STATUS_UPDATE", "COMPLETE", "ERROR", "CANCELED")
"""States of MediaConvert jobs whose events the function receives."""


def event_patterns(bucket: str, source: str) -> Mapping[str, Mapping[str, object]]:
    """Return the event pattern of each rule.

    - `video-created` matches an uploaded video. The function then publishes the event `Video Upload Completed`.
    - `video-completed` matches that event. The function then submits a job. An operator can replay the event
      to restart a video whose job failed.
    - `video-jobs` matches the events of these jobs. Jobs of other programs send events to the same bus, so the rule
      requires the bucket's name, which the function writes into the metadata of its jobs.
    """
    return {
        "video-created": object_created_pattern(bucket, VIDEOS),
        "video-completed": {"source": [source], "detail-type": [UPLOAD_COMPLETED]},
        "video-jobs": {
            "source": [MEDIACONVERT],
            "detail-type": [JOB_STATE_CHANGE],
            "detail": {"status": list(JOB_STATES), "userMetadata": {"bucket": [bucket]}},
        },
    }


@dataclass(frozen=True)
class VideoChunkingArgs:
    scope: Scope
    settings: LivestreamSettings
    bucket: Bucket
    table: Table


class VideoChunking(pulumi.ComponentResource):
    """Rules, queue, function and MediaConvert role that cut videos into chunks."""

    def __init__(self, name: str, args: VideoChunkingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("polyphony:livestream:Videos", name, None, opts)
        self._child = pulumi.ResourceOptions(parent=self)
        self._args = args
        scope, settings = args.scope, args.settings
        self.queue = Queue(
            "videos",
            QueueArgs(
                scope=scope,
                display_name="VideoEvents",
                consumer_timeout_seconds=settings.videos.timeout_seconds,
                max_receive_count=DELIVERIES,
                senders=[rule_sender(scope, rule) for rule in event_patterns(args.bucket.name, event_source(scope))],
            ),
            self._child,
        )
        role = Role(
            f"{scope.subsystem}-media-convert",
            RoleArgs(
                scope=scope,
                short_name="media-convert",
                display_name="MediaConvertRole",
                trust=Service.MEDIACONVERT,
                grants=[
                    args.bucket.grant("GetObject", "GetObjectVersion", prefix=f"{VIDEOS}*"),
                    args.bucket.grant("PutObject", prefix=f"{CHUNKS}*"),
                ],
                source_arn=scope.context.arn("mediaconvert", "*"),
            ),
            self._child,
        )
        self.function = self._create_function(role)
        for rule, pattern in event_patterns(args.bucket.name, event_source(scope)).items():
            EventRule(rule, EventRuleArgs(scope, "VideoEvents", pattern, target=self.queue), self._child)
        self.register_outputs({})

    def _create_function(self, role: Role) -> Function:
        args = self._args
        scope, settings = args.scope, args.settings
        return Function(
            "video-chunks",
            FunctionArgs(
                scope=scope,
                display_name="VideoChunks",
                entry="handlers.livestream.video_chunks.handler.handler",
                settings=settings.videos,  # the function's size, not the chunks' length (`settings.video`)
                environment=VideoEnvironment,
                values={
                    "table_name": args.table.name,
                    "bucket_name": args.bucket.name,
                    "event_source": event_source(scope),
                    "mediaconvert_role_arn": role.arn,
                    "chunk_seconds": settings.video.chunk_seconds,
                },
                grants=[
                    args.table.grant("UpdateItem"),
                    args.bucket.grant("GetObject", prefix=f"{CHUNKS}*"),
                    args.bucket.grant_list(),
                    grant_events(scope),
                    grant("mediaconvert", ["CreateJob"], scope.context.arn("mediaconvert", "queues/Default")),
                    grant(
                        "iam",
                        ["PassRole"],
                        role.arn,
                        {"StringEquals": {"iam:PassedToService": Service.MEDIACONVERT.value}},
                    ),
                ],
                # Each invocation gets one event. If MediaConvert throttles, one job request takes most of the timeout,
                # so an invocation with several events could time out. SQS would then deliver all of them again, and
                # jobs that were submitted but not yet recorded would be submitted and paid for twice.
                queues=[QueueSource(self.queue, batch_size=1, max_concurrency=5)],
            ),
            pulumi.ResourceOptions.merge(self._child, pulumi.ResourceOptions(depends_on=role.parts)),
        )

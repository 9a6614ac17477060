"""Videos: from their upload to their chunks. Three rules, one queue, one function, and MediaConvert with a role of its own.

A queue stands between rules and function, because MediaConvert may want no more jobs for longer than an asynchronous
call is tried again; the function says why in its own words. What MediaConvert writes is below a prefix that no rule
listens to, so nothing it makes comes back as an upload.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from components.blocks.compute.function import Function, FunctionArgs, QueueSource
from components.blocks.iam.grant import Grant, grant
from components.blocks.iam.role import Role, RoleArgs
from components.blocks.iam.trust_policy import Service
from components.blocks.messaging.event_rule import EventRule, EventRuleArgs, object_created_pattern, rule_sender
from components.blocks.messaging.queue import Queue, QueueArgs
from components.blocks.naming.scope import Scope
from components.blocks.storage.bucket import Bucket
from components.blocks.storage.table import Table
from components.settings import LivestreamSettings
from handlers.livestream.event_names import JOB_STATE_CHANGE, MEDIACONVERT, SOURCE, UPLOAD_COMPLETED
from handlers.livestream.s3_prefixes import CHUNKS, VIDEOS
from handlers.livestream.video_chunks.environment import VideoEnvironment

DELIVERIES = 20
"""How often an event is delivered, some minutes apart, before it is parked: MediaConvert may be busy for long."""
JOB_STATES = ("PROGRESSING", "STATUS_UPDATE", "COMPLETE", "ERROR", "CANCELED")


def event_source(scope: Scope) -> str:
    """Of what this stack's livestream tells the bus, on which another stack may be too."""
    return f"{scope.context.stack_label}{SOURCE}"


def rules(bucket: str, source: str) -> Mapping[str, Mapping[str, object]]:
    """What each rule listens for. Jobs of others are on the same bus: ours name the bucket."""
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
class VideosArgs:
    """What videos need."""

    scope: Scope
    settings: LivestreamSettings
    bucket: Bucket
    table: Table


class Videos(pulumi.ComponentResource):
    """Has videos cut."""

    def __init__(self, name: str, args: VideosArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("polyphony:livestream:Videos", name, None, opts)
        self._child = pulumi.ResourceOptions(parent=self)
        self._args = args
        scope, settings = args.scope, args.settings
        self.queue = Queue(
            "videos",
            QueueArgs(
                scope=scope,
                logical_name="VideoEvents",
                consumer_timeout_seconds=settings.videos.timeout_seconds,
                max_receive_count=DELIVERIES,
                senders=[rule_sender(scope, what) for what in rules(args.bucket.name, event_source(scope))],
            ),
            self._child,
        )
        role = Role(
            f"{scope.subsystem}-media-convert",
            RoleArgs(
                scope=scope,
                short_name="media-convert",
                logical_name="MediaConvertRole",
                trust=Service.MEDIACONVERT,
                grants=[
                    args.bucket.grant("GetObject", "GetObjectVersion", prefix=f"{VIDEOS}*"),
                    args.bucket.grant("PutObject", prefix=f"{CHUNKS}*"),
                ],
                source_arn=scope.context.arn("mediaconvert", "*"),
            ),
            self._child,
        )
        self.function = self._function(role)
        for what, pattern in rules(args.bucket.name, event_source(scope)).items():
            EventRule(what, EventRuleArgs(scope, "VideoEvents", pattern, target=self.queue), self._child)
        self.register_outputs({})

    def _function(self, role: Role) -> Function:
        args = self._args
        scope, settings = args.scope, args.settings
        return Function(
            "video-chunks",
            FunctionArgs(
                scope=scope,
                logical_name="VideoChunks",
                entry="handlers.livestream.video_chunks.handler.handler",
                settings=settings.videos,
                environment=VideoEnvironment,
                values={
                    "table_name": args.table.name,
                    "bucket_name": args.bucket.name,
                    "event_source": event_source(scope),
                    "mediaconvert_role_arn": role.arn,
                    "chunk_seconds": settings.video.chunk_seconds,
                    "max_hours": settings.video.max_hours,
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
                # One at a time: a MediaConvert that is throttled takes most of a call's time for one job. Of a batch
                # that is cut off all would come back, and jobs that are made but not noted yet be paid for twice.
                queues=[QueueSource(self.queue, batch_size=1, window_seconds=0, max_concurrency=5)],
            ),
            pulumi.ResourceOptions.merge(self._child, pulumi.ResourceOptions(depends_on=role.parts)),
        )


def grant_events(scope: Scope) -> Grant:
    """Permission to tell the default bus, in the name of this stack's livestream alone."""
    bus = scope.context.arn("events", "event-bus/default")
    return grant("events", ["PutEvents"], bus, {"StringEquals": {"events:source": event_source(scope)}})

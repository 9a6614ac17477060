"""Processing of an episode's uploads: its video is cut into chunks, its transcript is analyzed, and all data of a
deleted episode is removed.

MediaConvert cuts the video, in jobs that the function `video-chunks` submits. One function cuts a transcript into
sections (windows), and another, the agent, asks a model for the fact claims and clips of each window. A clip is a section
that is worth watching alone. The agent has a memory of earlier windows.

Each function has its own queue, because the kinds of work take different times and fail for different reasons. The event
rules send to the queues instead of the functions, because MediaConvert may throttle job requests for longer than Lambda
retries an asynchronous invocation.

A function gets its environment variables from two arguments. A grant in `uses` that names a `variable` sets this field of
the function's environment model to the name, URL or ARN of its resource. `values` has the values of the other fields.

`livestream.py` calls the functions of this module.
"""

from collections.abc import Mapping

from components.blocks.bedrock import FACTS, SUMMARIES, AgentMemory, model_grants
from components.blocks.bucket import Bucket
from components.blocks.events import EventRule, object_created_pattern, rule_sender
from components.blocks.function import Function, QueueSource
from components.blocks.iam import Role, Service, grant
from components.blocks.queue import DeadLetterQueue, Queue
from components.blocks.table import Table
from components.core import Scope
from components.settings import LivestreamSettings
from handlers.livestream.environment import (
    AgentEnvironment,
    EpisodeCleanupEnvironment,
    TranscriptWindowsEnvironment,
    VideoChunksEnvironment,
)
from handlers.livestream.keys import CHUNKS, TRANSCRIPTS, VIDEOS
from handlers.livestream.video_chunks import job as video_job

DELIVERIES = 20
"""Number of failed deliveries, some minutes apart, after which a video event moves to the dead-letter queue. It is high,
because MediaConvert may throttle job requests for a long time."""
RUNBOOK = "episodes"


def event_source(scope: Scope) -> str:
    """Return the source of livestream's events. It contains the stack's name, because stacks may share a bus."""
    return f"{scope.context.stack_label}{video_job.SOURCE_SUFFIX}"


def video_event_patterns(bucket: str, source: str) -> Mapping[str, Mapping[str, object]]:
    """Return the event pattern of each rule for videos.

    - `video-created` matches an uploaded video. The function then publishes the event `Video Upload Completed`.
    - `video-completed` matches that event. The function then submits a job. An operator can replay the event
      to restart a video whose job failed.
    - `video-jobs` matches the events of these jobs. Jobs of other programs send events to the same bus, so the rule
      requires the bucket's name, which the function writes into the metadata of its jobs.

    MediaConvert writes below a prefix that no rule matches, so its output is never mistaken for an upload.
    """
    return {
        "video-created": object_created_pattern(bucket, {"prefix": VIDEOS}),
        "video-completed": {"source": [source], "detail-type": [video_job.UPLOAD_COMPLETED]},
        "video-jobs": {
            "source": [video_job.MEDIACONVERT],
            "detail-type": [video_job.JOB_STATE_CHANGE],
            "detail": {"status": list(video_job.JOB_STATES), "userMetadata": {"bucket": [bucket]}},
        },
    }


def create_video_chunks(
    scope: Scope, settings: LivestreamSettings, bucket: Bucket, table: Table, failed_events: DeadLetterQueue
) -> None:
    """Create the rules, the queue, the function and MediaConvert's role that cut videos into chunks."""
    source = event_source(scope)
    patterns = video_event_patterns(bucket.name, source)
    bus = scope.context.arn("events", "event-bus/default")
    has_this_source = {"StringEquals": {"events:source": source}}
    queue = Queue(
        scope,
        "videos",
        display_name="VideoEvents",
        consumer_timeout=settings.video_chunks.timeout_seconds,
        max_receive_count=DELIVERIES,
        senders=[rule_sender(scope, rule) for rule in patterns],
    )
    role = Role(
        scope,
        "media-convert",
        display_name="MediaConvertRole",
        trust=Service.MEDIACONVERT,
        grants=[
            bucket.grant("GetObject", "GetObjectVersion", keys=f"{VIDEOS}*"),
            bucket.grant("PutObject", keys=f"{CHUNKS}*"),
        ],
        source_arn=scope.context.arn("mediaconvert", "*"),
    )
    passed_to = {"StringEquals": {"iam:PassedToService": Service.MEDIACONVERT.value}}
    function = Function(
        scope,
        "video-chunks",
        settings=settings.video_chunks,  # the function's size, not the chunks' length (`settings.video`)
        environment=VideoChunksEnvironment,
        uses=[
            table.grant("GetItem", "PutItem", variable="table_name"),
            grant("events", ["PutEvents"], bus, has_this_source).with_variable("event_source", source),
            grant("mediaconvert", ["CreateJob"], scope.context.arn("mediaconvert", "queues/Default")),
            grant("iam", ["PassRole"], role.arn, passed_to).with_variable("mediaconvert_role_arn", role.arn),
        ],
        # The function has no grant on the bucket that could set `bucket_name`, because only MediaConvert's role uses it.
        values={"bucket_name": bucket.name, "chunk_seconds": settings.video.chunk_seconds},
        # Each invocation gets one event. If MediaConvert throttles, one job request takes most of the timeout, so an
        # invocation with several events could time out. SQS would then deliver all of them again, and jobs that were
        # submitted but not yet recorded would be submitted and paid for twice.
        source=QueueSource(queue, batch_size=1, max_concurrency=5),
        after=role.role_and_policies,  # the function may pass the role to MediaConvert in its first invocation
    )
    for rule, pattern in patterns.items():
        EventRule(scope, rule, display_name="VideoEvents", pattern=pattern, failed_events=failed_events, target=queue)
    function.alarm_on_log_lines(
        "videos-failed", '{ $.message = "video_failed" }', "MediaConvert jobs failed.", runbook=RUNBOOK
    )


def create_transcript_windows(
    scope: Scope, settings: LivestreamSettings, bucket: Bucket, table: Table, failed_events: DeadLetterQueue
) -> Queue:
    """Create the rule, the queue and the function that cut transcripts into windows. Return the queue of the windows."""
    agent, rule = settings.agent, "transcript-created"
    uploads = Queue(
        scope,
        "transcript-events",
        display_name="TranscriptEvents",
        consumer_timeout=settings.transcript_windows.timeout_seconds,
        senders=[rule_sender(scope, rule)],
    )
    windows = Queue(
        scope, "agent-windows", display_name="AgentWindows", consumer_timeout=settings.fact_check_agent.timeout_seconds
    )
    Function(
        scope,
        "transcript-windows",
        settings=settings.transcript_windows,
        environment=TranscriptWindowsEnvironment,
        uses=[
            table.grant("GetItem", "PutItem", variable="table_name"),
            bucket.grant("GetObjectVersion", keys=f"{TRANSCRIPTS}*", variable="bucket_name"),
            bucket.grant_list(),  # S3 then answers 404 and not 403 for a missing transcript
            windows.grant("SendMessage", variable="agent_queue_url"),
        ],
        values={"window_characters": agent.window_characters},
        source=QueueSource(uploads, batch_size=1, max_concurrency=5),
    )
    pattern = object_created_pattern(bucket.name, {"prefix": TRANSCRIPTS})
    EventRule(
        scope, rule, display_name="TranscriptEvents", pattern=pattern, failed_events=failed_events, target=uploads
    )
    return windows


def create_fact_check_agent(
    scope: Scope, settings: LivestreamSettings, bucket: Bucket, table: Table, windows: Queue, memory: AgentMemory
) -> None:
    """Create the function that lets a model analyze each window, and its alarm."""
    agent = settings.agent
    function = Function(
        scope,
        "fact-check-agent",
        settings=settings.fact_check_agent,
        environment=AgentEnvironment,
        uses=[
            table.grant("GetItem", "PutItem", "Query", variable="table_name"),
            bucket.grant("GetObjectVersion", keys=f"{TRANSCRIPTS}*", variable="bucket_name"),
            memory.grant("CreateEvent", "ListEvents", variable="memory_id"),
            *model_grants(scope, [agent.model_id], agent.model_regions),
        ],
        values={"model_id": agent.model_id, "answer_seconds": agent.answer_seconds},
        source=QueueSource(windows, batch_size=1, max_concurrency=agent.at_once),
    )
    problem = "The agent could not analyze windows of a transcript."
    function.alarm_on_log_lines("windows-failed", '{ $.message = "window_failed" }', problem, runbook=RUNBOOK)


def create_episode_cleanup(
    scope: Scope, settings: LivestreamSettings, bucket: Bucket, table: Table, deletions: Queue, memory: AgentMemory
) -> None:
    """Create the function that removes the data of deleted episodes."""
    prefixes = (f"{VIDEOS}*", f"{TRANSCRIPTS}*", f"{CHUNKS}*")
    Function(
        scope,
        "episode-cleanup",
        settings=settings.episode_cleanup,
        environment=EpisodeCleanupEnvironment,
        uses=[
            table.grant("GetItem", "Query", "DeleteItem", variable="table_name"),
            bucket.grant_list_uploads(),
            bucket.grant("AbortMultipartUpload", keys=f"{VIDEOS}*", variable="bucket_name"),
            *(bucket.grant_list_versions(prefix) for prefix in prefixes),
            # DeleteObjects needs both permissions to delete versions (S3 API reference).
            *(bucket.grant("DeleteObject", "DeleteObjectVersion", keys=prefix) for prefix in prefixes),
            memory.grant(
                "ListEvents", "DeleteEvent", "ListMemoryRecords", "BatchDeleteMemoryRecords", variable="memory_id"
            ),
        ],
        values={"summary_namespace": SUMMARIES, "fact_namespace": FACTS},
        source=QueueSource(deletions, batch_size=1, max_concurrency=5),
    )

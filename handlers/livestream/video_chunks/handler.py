"""Lambda function `video-chunks`: submits MediaConvert jobs that cut uploaded videos into chunks, and tracks the jobs.

Events arrive through a queue. If they invoked the function directly, Lambda would retry a failed event for only three
minutes, and MediaConvert may throttle requests for longer. Each invocation handles one event, which then has the full
timeout. The queue's maximum concurrency limits how many jobs are requested at the same time. An event that fails too
often moves to the dead-letter queue. An operator sends it back from there (`aws sqs start-message-move-task`).
"""

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

import boto3

from handlers.common import ids
from handlers.common.aws import CONFIG
from handlers.common.events import BatchFailures
from handlers.common.logging import EventLog
from handlers.livestream.episode_table import EpisodeTable
from handlers.livestream.events import EventPublisher
from handlers.livestream.s3_object_reader import ObjectReader
from handlers.livestream.video_chunks.environment import VideoEnvironment
from handlers.livestream.video_chunks.video_event_processing import VideoProcessing


@cache
def _processing() -> VideoProcessing:
    """Create the event processor once per container.

    The MediaConvert client is untyped, because the project does not install type stubs for a single operation. The
    client retries throttling and server errors. If CreateJob still fails, the exception makes SQS deliver the event
    again. MediaConvert reads the video only after CreateJob, so such a failure is never the fault of the video.
    """
    environment = VideoEnvironment.read()
    mediaconvert: Any = boto3.client("mediaconvert", config=CONFIG)
    return VideoProcessing(
        EpisodeTable(boto3.client("dynamodb", config=CONFIG), environment.table_name),
        ObjectReader(boto3.client("s3", config=CONFIG), environment.bucket_name),
        mediaconvert.create_job,
        EventPublisher(boto3.client("events", config=CONFIG), environment.event_source),
        bucket=environment.bucket_name,
        role_arn=environment.mediaconvert_role_arn,
        chunk_seconds=environment.chunk_seconds,
        clock=ids.now,
        log=EventLog(environment.log_level),
    )


def handler(event: Mapping[str, Any], _context: object) -> BatchFailures:
    return _processing().handle(event["Records"])


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    _processing()  # created during initialization, before the first event waits for it

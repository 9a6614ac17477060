"""The function behind the rules for videos, fed by a queue, whatever the rule.

A queue, rather than the function as the rules' own target: an asynchronous call is given up after two more attempts,
three minutes later, and MediaConvert may want no more jobs for longer than that. From a queue, an event is delivered as
often as the queue's settings say, and alone, so that it has all of a call's time; what still fails is parked where one
command sends it back; and the queue's concurrency bounds how many jobs are asked for at once.
"""

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

import boto3

from handlers.common.aws.clients import CONFIG
from handlers.common.aws.sqs_batches import BatchFailures
from handlers.common.logging import EventLog
from handlers.common.time_and_ids import clock
from handlers.livestream.episode_table import EpisodeTable
from handlers.livestream.event_publisher import EventPublisher
from handlers.livestream.object_reader import ObjectReader
from handlers.livestream.video_chunks.environment import VideoEnvironment
from handlers.livestream.video_chunks.video_processing import VideoProcessing


@cache
def _processing() -> VideoProcessing:
    """Made once a container.

    boto3 has types for MediaConvert, but the project does not install them for one call. MediaConvert is called at the
    Region's own endpoint, which boto3 knows. The client retries throttling and server errors. A job that MediaConvert
    refuses is raised too: it has not read the video yet, so the deployment is at fault, and the event is delivered again.
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
        max_hours=environment.max_hours,
        clock=clock.now,
        log=EventLog(environment.log_level),
    )


def handler(event: Mapping[str, Any], _context: object) -> BatchFailures:
    """The entry point of the function."""
    return _processing().handle(event["Records"])


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    _processing()  # while the container starts, which is faster and comes before anybody waits

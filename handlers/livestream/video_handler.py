"""The function behind the rules for videos, fed by a queue, whatever the rule.

A queue, rather than the function as the rules' own target: an asynchronous call is given up after two more attempts,
three minutes later, and MediaConvert may want no more jobs for longer than that. From a queue, an event is delivered as
often as the queue's settings say, without the others of its batch; what still fails is parked where one command sends
it back; and the queue's concurrency bounds how many jobs are asked for at once.
"""

from collections.abc import Callable, Mapping
from typing import Any

import boto3

from handlers.common.clients import CONFIG
from handlers.common.logging import EventLog
from handlers.livestream.video_environment import VideoEnvironment
from handlers.livestream.video_gateways import Bus, Jobs, Playlists
from handlers.livestream.video_processing import BatchFailures, VideoProcessing
from handlers.livestream.video_tracks import Tracks

Handler = Callable[[Mapping[str, Any], object], BatchFailures]


def made(environment: VideoEnvironment, tracks: Tracks) -> Handler:
    """The function's entry point, on the clients of this container."""
    processing = VideoProcessing(
        tracks,
        Jobs(boto3.client("mediaconvert", config=CONFIG)),
        Bus(boto3.client("events", config=CONFIG)),
        Playlists(boto3.client("s3", config=CONFIG), environment.bucket_name),
        bucket=environment.bucket_name,
        role_arn=environment.mediaconvert_role_arn,
        chunk_seconds=environment.chunk_seconds,
        log=EventLog(environment.log_level),
    )

    def handler(event: Mapping[str, Any], _context: object) -> BatchFailures:
        return processing.handle(event["Records"])

    return handler

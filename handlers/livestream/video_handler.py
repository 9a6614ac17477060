"""The function behind the rules for videos, fed by a queue, whatever the rule.

A queue, rather than the function as the rules' own target: an asynchronous call is given up after two more attempts,
three minutes later, and MediaConvert may want no more jobs for longer than that. From a queue, an event is delivered as
often as the queue's settings say, and alone, so that it has all of a call's time; what still fails is parked where one
command sends it back; and the queue's concurrency bounds how many jobs are asked for at once.
"""

import os
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import Any

import boto3

from handlers.common import clock
from handlers.common.clients import CONFIG
from handlers.common.event_batches import BatchFailures
from handlers.common.logging import EventLog
from handlers.common.moments import timestamp
from handlers.livestream.episode_table import EpisodeTable
from handlers.livestream.tracks import Step, TrackKind
from handlers.livestream.video_environment import VideoEnvironment
from handlers.livestream.video_gateways import Bus, Jobs, Playlists
from handlers.livestream.video_processing import VideoProcessing
from handlers.livestream.video_tracks import Tracks, VideoMoved


class EpisodeTracks:
    """The tracks of episodes, in their table."""

    def __init__(self, table: EpisodeTable, clock: Callable[[], datetime]) -> None:
        self._table = table
        self._clock = clock

    def move(self, owner: str, episode_id: str, event: VideoMoved) -> bool:
        """Moves the video's track on to where an event says it is: see `Tracks`."""
        at = timestamp(self._clock())
        step = Step(event.upload_id, event.state, at, event.reason, event.version_id, event.facts, event.again)
        return self._table.advance(owner, episode_id, TrackKind.VIDEO, step)


def processing(environment: VideoEnvironment, tracks: Tracks) -> VideoProcessing:
    """On clients of this container's."""
    return VideoProcessing(
        tracks,
        Jobs(boto3.client("mediaconvert", config=CONFIG)),
        Bus(boto3.client("events", config=CONFIG), environment.event_source),
        Playlists(boto3.client("s3", config=CONFIG), environment.bucket_name),
        bucket=environment.bucket_name,
        role_arn=environment.mediaconvert_role_arn,
        chunk_seconds=environment.chunk_seconds,
        max_hours=environment.max_hours,
        log=EventLog(environment.log_level),
    )


@cache
def _processing() -> VideoProcessing:
    """Made once a container."""
    environment = VideoEnvironment.read()
    table = EpisodeTable(boto3.client("dynamodb", config=CONFIG), environment.table_name)
    return processing(environment, EpisodeTracks(table, clock.now))


def handler(event: Mapping[str, Any], _context: object) -> BatchFailures:
    """The entry point of the function."""
    return _processing().handle(event["Records"])


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    _processing()  # while the container starts, which is faster and comes before anybody waits

"""The function behind the rule for transcripts, fed by a queue.

A queue for the reasons that videos have one: an event is delivered as often as its settings say, without the others of
its batch, and what still fails is parked where one command sends it back.
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
from handlers.livestream.findings_table import FindingsTable
from handlers.livestream.object_reader import ObjectReader
from handlers.livestream.transcript_windows.environment import TranscriptWindowsEnvironment
from handlers.livestream.transcript_windows.window_distribution import WindowDistributor
from handlers.livestream.window_queue import WindowQueue


@cache
def _distributor() -> WindowDistributor:
    """Made once a container."""
    environment = TranscriptWindowsEnvironment.read()
    dynamodb = boto3.client("dynamodb", config=CONFIG)
    return WindowDistributor(
        EpisodeTable(dynamodb, environment.table_name),
        ObjectReader(boto3.client("s3", config=CONFIG), environment.bucket_name),
        WindowQueue(boto3.client("sqs", config=CONFIG), environment.agent_queue_url),
        FindingsTable(dynamodb, environment.table_name, clock.now),
        bucket=environment.bucket_name,
        sizes=environment.sizes,
        clock=clock.now,
        log=EventLog(environment.log_level),
    )


def handler(event: Mapping[str, Any], _context: object) -> BatchFailures:
    """The entry point of the function."""
    return _distributor().handle(event["Records"])


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    _distributor()  # while the container starts, which is faster and comes before anybody waits

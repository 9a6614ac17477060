"""Lambda function `transcript-windows`: divides an uploaded transcript into windows and queues them for the agent.

A window is a section of the transcript that is small enough for one model request. The S3 event of the upload arrives
through a queue, which delivers it again if the function fails. An event that fails too often moves to the dead-letter
queue. An operator sends it back from there (`aws sqs start-message-move-task`).
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
from handlers.livestream.findings_table import FindingsTable
from handlers.livestream.s3_object_reader import ObjectReader
from handlers.livestream.transcript_window_queue import WindowQueue
from handlers.livestream.transcript_windows.environment import TranscriptWindowsEnvironment
from handlers.livestream.transcript_windows.window_distribution import WindowDistributor


@cache
def _distributor() -> WindowDistributor:
    environment = TranscriptWindowsEnvironment.read()
    dynamodb = boto3.client("dynamodb", config=CONFIG)
    return WindowDistributor(
        EpisodeTable(dynamodb, environment.table_name),
        ObjectReader(boto3.client("s3", config=CONFIG), environment.bucket_name),
        WindowQueue(boto3.client("sqs", config=CONFIG), environment.agent_queue_url),
        FindingsTable(dynamodb, environment.table_name, ids.now),
        bucket=environment.bucket_name,
        sizes=environment.sizes,
        clock=ids.now,
        log=EventLog(environment.log_level),
    )


def handler(event: Mapping[str, Any], _context: object) -> BatchFailures:
    return _distributor().handle(event["Records"])


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    _distributor()  # created during initialization, before the first event waits for it

"""Lambda function `storage`: once a day, it counts each user's bytes in the meetings bucket, and processes uploads whose
S3 event was lost.
"""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from functools import cache
from typing import Any, Literal

import boto3
from pydantic import BaseModel

from handlers.common.aws.client_config import CONFIG
from handlers.common.aws.parallel_calls import ParallelCalls
from handlers.meetings.meeting_gateways import create_gateways
from handlers.meetings.metrics import MeetingMetrics
from handlers.meetings.storage.daily_storage_metrics import COUNTED_PREFIXES, StorageCounter
from handlers.meetings.storage.environment import StorageEnvironment
from handlers.meetings.storage.lost_upload_events import LostUploadEvents


class StorageScheduleEvent(BaseModel):
    """Event with which the schedule invokes the function."""

    kind: Literal["storage"]


@cache
def _storage_counter() -> StorageCounter:
    environment = StorageEnvironment.read()
    gateways = create_gateways(environment)
    return StorageCounter(
        gateways.bucket,
        MeetingMetrics(boto3.client("cloudwatch", config=CONFIG), environment.stack),
        LostUploadEvents(gateways.table, gateways.upload_processor, clock=gateways.clock, log=gateways.log),
        max_users_with_metric=environment.max_users,
        budget=timedelta(seconds=environment.count_seconds),
        parallel=ParallelCalls(len(COUNTED_PREFIXES)),
        clock=gateways.clock,
        log=gateways.log,
    )


def handler(event: Mapping[str, Any], _context: object) -> dict[str, int]:
    StorageScheduleEvent.model_validate(event)
    return asdict(_storage_counter().run())

"""Lambda function `storage`: once a day, it counts each user's bytes in the meetings bucket."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from functools import cache
from typing import Any, Literal

import boto3
from pydantic import BaseModel

from handlers.common import ids
from handlers.common.aws import CONFIG, ParallelCalls
from handlers.common.logging import EventLog
from handlers.meetings.meeting_bucket import MeetingBucket
from handlers.meetings.metrics import MeetingMetrics
from handlers.meetings.storage.daily_storage_metrics import COUNTED_PREFIXES, StorageCounter
from handlers.meetings.storage.environment import StorageEnvironment


class StorageScheduleEvent(BaseModel):
    """Event with which the schedule invokes the function."""

    kind: Literal["storage"]


@cache
def _storage_counter() -> StorageCounter:
    environment = StorageEnvironment.read()
    return StorageCounter(
        MeetingBucket(boto3.client("s3", config=CONFIG), environment.bucket_name),
        MeetingMetrics(boto3.client("cloudwatch", config=CONFIG), environment.stack),
        max_users_with_metric=environment.max_users,
        budget=timedelta(seconds=environment.count_seconds),
        parallel=ParallelCalls(len(COUNTED_PREFIXES)),
        clock=ids.now,
        log=EventLog(environment.log_level),
    )


def handler(event: Mapping[str, Any], _context: object) -> dict[str, int]:
    StorageScheduleEvent.model_validate(event)
    return asdict(_storage_counter().run())

"""The function that looks through the bucket once a day: what users have, and what nobody was told of."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from functools import cache
from typing import Any, Literal

import boto3
from pydantic import BaseModel

from handlers.common.aws.clients import CONFIG
from handlers.common.aws.parallel_calls import Parallel
from handlers.meetings.gateways import create_gateways
from handlers.meetings.metrics import MeetingMetrics
from handlers.meetings.storage.environment import StorageEnvironment
from handlers.meetings.storage.storage_count import COUNTED_PREFIXES, StorageCounter
from handlers.meetings.storage.unannounced_recordings import UnannouncedRecordings


class StorageScheduleEvent(BaseModel):
    """What the schedule sends."""

    kind: Literal["storage"]


@cache
def _storage_counter() -> StorageCounter:
    """Made once a container."""
    environment = StorageEnvironment.read()
    made = create_gateways(environment)
    return StorageCounter(
        made.store,
        MeetingMetrics(boto3.client("cloudwatch", config=CONFIG), environment.stack),
        UnannouncedRecordings(made.table, made.starter, clock=made.clock, log=made.log),
        max_users=environment.max_users,
        budget=timedelta(seconds=environment.count_seconds),
        parallel=Parallel(len(COUNTED_PREFIXES)),
        clock=made.clock,
        log=made.log,
    )


def handler(event: Mapping[str, Any], _context: object) -> dict[str, int]:
    """The entry point of the function."""
    StorageScheduleEvent.model_validate(event)
    return asdict(_storage_counter().run())

"""The function that counts what users have in the bucket, called by a daily schedule."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Literal

import boto3
from pydantic import BaseModel

from handlers.common.clients import CONFIG
from handlers.common.logging import EventLog
from handlers.common.parallel import Parallel
from handlers.meetings.metrics import Metrics
from handlers.meetings.storage_environment import StorageEnvironment
from handlers.meetings.storage_growth import PREFIXES, StorageGrowth


class Call(BaseModel):
    """What the schedule sends."""

    kind: Literal["storage"]


def storage_growth(environment: StorageEnvironment) -> StorageGrowth:
    """On clients of this container's."""
    return StorageGrowth(
        boto3.client("s3", config=CONFIG),
        environment.bucket_name,
        Metrics(boto3.client("cloudwatch", config=CONFIG), environment.stack),
        max_users=environment.max_users,
        budget=timedelta(seconds=environment.count_seconds),
        parallel=Parallel(len(PREFIXES)),
        clock=lambda: datetime.now(UTC),
        log=EventLog(environment.log_level),
    )


@cache
def _storage_growth() -> StorageGrowth:
    """Made once a container."""
    return storage_growth(StorageEnvironment.read())


def handler(event: Mapping[str, Any], _context: object) -> dict[str, int]:
    """The entry point of the function."""
    Call.model_validate(event)
    return asdict(_storage_growth().run())

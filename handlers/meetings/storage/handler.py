"""Lambda function `storage`: once a day, it counts each user's bytes in the meetings bucket, and sends metrics of the growth.

It lists the current objects below `COUNTED_PREFIXES`, a thousand per call. A million objects take some minutes; a larger
bucket needs S3 Inventory. If the function times out, nothing is sent or stored, because an incomplete count would look like
deleted data.

The latest count is stored as an object, so that a day is counted once, and the next count can be compared with it.
The metrics are sent before the count is stored. If storing the count fails, the next run on this day sends them again.
So metrics may be sent twice, but are never lost.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any, Final, Literal

import boto3

from handlers.common import ids
from handlers.common.aws import CONFIG
from handlers.common.json_models import Message
from handlers.common.logging import EventLog
from handlers.meetings.environment import StorageEnvironment
from handlers.meetings.meeting_bucket import MeetingBucket
from handlers.meetings.metrics import STORAGE_GROWTH, MeetingMetric, MeetingMetrics
from handlers.meetings.s3_keys import AUDIO, RAW, SUMMARIES, TRANSCRIPTS, VIDEO, WORK

COUNTED_PREFIXES: Final = (RAW, VIDEO, AUDIO, TRANSCRIPTS, SUMMARIES)
"""Prefixes whose objects are counted. The prefix `work/` is missing, because its internal objects expire."""
LATEST_COUNT_KEY: Final = f"{WORK}storage/latest.json"
"""Key of the latest count."""
OTHERS: Final = "others"
"""Name in the place of a user, in metrics, for all users without a metric of their own. No user has this name, because ids
have another form.
"""


class StorageTotals(Message):
    """One daily count, the content of the object `LATEST_COUNT_KEY`."""

    schema_version: Literal[1] = 1
    day: date
    bytes_of: Mapping[str, int]
    """Bytes by user."""


@dataclass(frozen=True)
class StorageCounter:
    """Counts the bytes of each user."""

    environment: StorageEnvironment
    bucket: MeetingBucket
    metrics: MeetingMetrics
    clock: Callable[[], datetime]
    log: EventLog

    def run(self) -> None:
        """Run the count, unless this day was counted before."""
        day, text = self.clock().date(), self.bucket.read(LATEST_COUNT_KEY)
        earlier = None if text is None else StorageTotals.model_validate_json(text)
        if earlier is not None and earlier.day >= day:
            return
        by_user = Counter[str]()
        for prefix in COUNTED_PREFIXES:
            for page in self.bucket.list_pages(prefix):
                for item in page:
                    by_user[item["Key"].split("/")[1]] += item["Size"]
        totals = StorageTotals(day=day, bytes_of=by_user)
        if earlier is not None:
            self.metrics.put(growth_metrics(daily_growth(earlier, totals), self.environment.max_users))
        self.bucket.write(LATEST_COUNT_KEY, totals.model_dump_json(by_alias=True))
        self.log.info("storage_counted", users=len(by_user))


def daily_growth(earlier: StorageTotals, today: StorageTotals) -> dict[str, int]:
    """Return each user's growth in bytes per day. A user who is missing in one of the counts has zero bytes in it.

    If the earlier count is several days old, the growth since then is divided by the number of days.
    """
    days = (today.day - earlier.day).days
    users = earlier.bytes_of.keys() | today.bytes_of.keys()
    return {user: (today.bytes_of.get(user, 0) - earlier.bytes_of.get(user, 0)) // days for user in users}


def growth_metrics(growth: Mapping[str, int], max_users_with_metric: int) -> list[MeetingMetric]:
    """Return values of `StorageGrowth` for the whole stack, the users who grew most, and all other users together."""
    top_users = sorted(growth, key=lambda user: (-growth[user], user))[:max_users_with_metric]
    by_user = {user: growth[user] for user in top_users}
    by_user[OTHERS] = sum(growth.values()) - sum(by_user.values())
    return [
        MeetingMetric(STORAGE_GROWTH, sum(growth.values()), "Bytes"),
        *(MeetingMetric(STORAGE_GROWTH, value, "Bytes", user=user) for user, value in by_user.items()),
    ]


@cache
def _storage_counter() -> StorageCounter:
    environment = StorageEnvironment.read()
    return StorageCounter(
        environment,
        MeetingBucket(boto3.client("s3", config=CONFIG), environment.bucket_name),
        MeetingMetrics(boto3.client("cloudwatch", config=CONFIG), environment.stack),
        ids.now,
        EventLog(environment.log_level),
    )


def handler(_event: Mapping[str, Any], _context: object) -> None:
    _storage_counter().run()

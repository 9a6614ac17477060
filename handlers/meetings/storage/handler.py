"""Lambda function `storage`: once a day, it sends metrics of the growth of each user's storage in the meetings bucket.

The growth of a day is the size of the objects that were written on it and never expire. Objects that expire, such as
chunks, need no more space from day to day. Deleted meetings are not subtracted.

The function runs after the end of the day. It lists a thousand objects per call, so a million objects take some
minutes; a larger bucket needs S3 Inventory. If the function times out, nothing is sent. A repeated run sends the same
values again.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final

import boto3

from handlers.common import ids
from handlers.common.aws import CONFIG
from handlers.common.logging import EventLog
from handlers.meetings.environment import StorageEnvironment
from handlers.meetings.meeting_bucket import MeetingBucket
from handlers.meetings.metrics import STORAGE_GROWTH, MeetingMetrics
from handlers.meetings.s3_keys import SUMMARIES, TRANSCRIPTS, VIDEO

COUNTED_PREFIXES: Final = (VIDEO, TRANSCRIPTS, SUMMARIES)
"""Prefixes of the objects that never expire."""
OTHERS: Final = "others"
"""Name in the place of a user, in metrics, for all users without a metric of their own. No user has this name, because ids
have another form.
"""


@dataclass(frozen=True)
class StorageCounter:
    """Measures the growth of each user's storage."""

    environment: StorageEnvironment
    bucket: MeetingBucket
    metrics: MeetingMetrics
    clock: Callable[[], datetime]
    log: EventLog

    def run(self) -> None:
        """Send yesterday's growth: of the whole stack, of the users who grew most, and of all other users together."""
        yesterday = self.clock().date() - timedelta(days=1)
        growth = Counter[str]()
        for prefix in COUNTED_PREFIXES:
            for page in self.bucket.list_pages(prefix):
                for item in page:
                    if item["LastModified"].date() == yesterday:
                        growth[item["Key"].split("/")[1]] += item["Size"]
        by_user = dict(growth.most_common(self.environment.max_users))
        by_user[OTHERS] = growth.total() - sum(by_user.values())
        self.metrics.put(STORAGE_GROWTH, growth.total(), by_user)
        self.log.info("storage_counted", users=len(growth))


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

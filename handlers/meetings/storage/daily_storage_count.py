"""Daily count of each user's bytes in the bucket, and search for recordings whose upload event was lost.

The growth since the last count is sent to CloudWatch as metrics.

The count lists every current object version, a thousand per call. A million objects take some minutes of one function,
which is the practical limit; a larger bucket needs S3 Inventory. A count that does not finish in time raises an error,
because an incomplete count would look like deleted data. Each finished count is stored as an object, so a day is
counted once and can be compared with the last count before. The metrics are sent before that object is written. A
failure in between sends the same values twice, but never loses them.

A client ends each upload with a `complete.json`, and the listing contains all of these files. `lost_upload_events.py`
finds those whose event was lost, and starts the processing of their recordings.
"""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from datetime import date, datetime, timedelta
from typing import Final

from pydantic import ValidationError

from handlers.common.aws.parallel_calls import ParallelCalls
from handlers.common.identity import user_ids
from handlers.common.logging import EventLog
from handlers.meetings.meeting_bucket import MeetingBucket
from handlers.meetings.metrics import MeetingMetrics
from handlers.meetings.s3_keys import AUDIO, RAW, SUMMARIES, TRANSCRIPTS, VIDEO, WORK, parse_upload_key
from handlers.meetings.storage.lost_upload_events import ListedCompleteFile, LostUploadEvents
from handlers.meetings.storage.storage_growth import OTHERS, StorageTotals, daily_growth, growth_metrics
from handlers.meetings.upload_reader import complete_file_fingerprint

COUNTED_PREFIXES: Final = (RAW, VIDEO, AUDIO, TRANSCRIPTS, SUMMARIES)
"""Prefixes with users' data. `work/` holds internal objects, which expire."""
COUNTS_PREFIX: Final = f"{WORK}storage/"
"""Prefix of the stored counts, for example `work/storage/2026-01-31.json`."""
LOOK_BACK_DAYS: Final = 7
"""Number of previous days among which the last count is searched."""
MAX_COUNT_BYTES: Final = 64 * 1024 * 1024
"""Maximum size of a stored count: about a million users."""
_USER: Final = re.compile(rf"({user_ids.USER_ID_PATTERN})/", re.ASCII)


class CountOutOfTime(Exception):
    """The bucket has more objects than can be listed in the available time."""


@dataclass(frozen=True)
class StorageCountResult:
    """Numbers of one count."""

    objects: int
    """Number of listed objects. Zero if the day was counted before."""
    users: int
    """Number of users with objects. Objects without a user in their key count as one more user."""
    metrics: int
    """Number of metric values sent. None are sent if the day was counted before, or if there is no earlier count."""
    started: int = 0
    """Recordings whose processing was started because their event was lost."""


@dataclass
class PrefixListing:
    """Objects below one prefix."""

    objects: int = 0
    by_user: Counter[str] = field(default_factory=Counter)
    """Bytes by user."""
    complete_files: list[ListedCompleteFile] = field(default_factory=list)
    """Every `complete.json` among these objects."""


@dataclass(frozen=True)
class StorageCounter:
    """Counts the bytes of each user."""

    bucket: MeetingBucket
    metrics: MeetingMetrics
    lost_events: LostUploadEvents
    _: KW_ONLY
    max_users: int
    """Number of users with a metric of their own."""
    budget: timedelta
    """Time after which the count fails."""
    parallel: ParallelCalls
    clock: Callable[[], datetime]
    log: EventLog

    def run(self) -> StorageCountResult:
        """Count today's bytes unless they were counted before; raise CountOutOfTime."""
        started_at = self.clock()
        if self._read_count(started_at.date()) is not None:
            return StorageCountResult(0, 0, 0)
        deadline = started_at + self.budget
        listings = self.parallel.call_all(lambda prefix: self._list_prefix(prefix, deadline), COUNTED_PREFIXES)
        started_count = self.lost_events.process(
            (complete_file for listing in listings for complete_file in listing.complete_files), deadline
        )
        by_user: Counter[str] = Counter()
        for listing in listings:
            by_user.update(listing.by_user)
        totals = StorageTotals(day=started_at.date(), bytes_of=by_user)
        earlier = self._find_earlier_count(totals.day)
        metrics = [] if earlier is None else growth_metrics(daily_growth(earlier, totals), self.max_users)
        self.metrics.put(metrics)
        self.bucket.write(_count_key(totals.day), totals.model_dump_json(by_alias=True))
        result = StorageCountResult(
            sum(listing.objects for listing in listings), len(by_user), len(metrics), started_count
        )
        self.log.info("storage_counted", objects=result.objects, users=result.users, started=result.started)
        return result

    def _list_prefix(self, prefix: str, deadline: datetime) -> PrefixListing:
        listing = PrefixListing()
        for page in self.bucket.list_pages(prefix):
            if self.clock() > deadline:
                raise CountOutOfTime
            for item in page:
                listing.objects += 1
                listing.by_user[_owner_of(item["Key"], prefix)] += item["Size"]
                upload = parse_upload_key(item["Key"])
                if upload is not None and upload.is_complete_file:
                    uploaded_at = item["LastModified"]
                    listing.complete_files.append(
                        ListedCompleteFile(
                            upload.meeting, uploaded_at, complete_file_fingerprint(item["ETag"], uploaded_at)
                        )
                    )
        return listing

    def _find_earlier_count(self, day: date) -> StorageTotals | None:
        """Return the latest count of the previous days, or None if there is none."""
        counts = (self._read_count(day - timedelta(days=days)) for days in range(1, LOOK_BACK_DAYS + 1))
        return next((count for count in counts if count is not None), None)

    def _read_count(self, day: date) -> StorageTotals | None:
        """Return the count of a day, or None if it does not exist or another version of the code wrote it."""
        text = self.bucket.read(_count_key(day), MAX_COUNT_BYTES)
        try:
            return None if text is None else StorageTotals.model_validate_json(text)
        except ValidationError:
            self.log.warning("storage_count_unreadable")
            return None


def _count_key(day: date) -> str:
    return f"{COUNTS_PREFIX}{day.isoformat()}.json"


def _owner_of(key: str, prefix: str) -> str:
    """Return the user in a key. Objects without a user in their key count as `others`."""
    match = _USER.match(key, len(prefix))
    return OTHERS if match is None else match[1]

"""Counts once a day what each user has in the bucket, and tells how much that is more than the day before.

Every object is listed as it is now, without versions that were replaced, a thousand a call: a million take some minutes
of one function, which is where this ends. A count that does not end in time is given up and raised, since half of one
would look like a loss; a bucket of more objects is one for S3 Inventory. What is counted is kept as an object of its
day, so that a day is counted once, and compared with the last one before. Numbers are told before that is written: they
may be told twice, to the same metric, but never not. Whole recordings that are listed on the way are handed on
(`unheard.py`).
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import KW_ONLY, dataclass, field
from datetime import date, datetime, timedelta
from typing import Final

from pydantic import ValidationError

from handlers.common.aws.parallel_calls import Parallel
from handlers.common.identity import user_ids
from handlers.common.logging import EventLog
from handlers.meetings.meeting_store import MeetingStore
from handlers.meetings.metrics import MeetingMetrics
from handlers.meetings.s3_keys import AUDIO, RAW, SUMMARIES, TRANSCRIPTS, VIDEO, WORK, parse_upload_key
from handlers.meetings.storage.storage_totals import OTHERS, StorageTotals, daily_growth, growth_metrics
from handlers.meetings.storage.unannounced_recordings import ListedCompleteFile, UnannouncedRecordings
from handlers.meetings.uploaded_recording import complete_file_fingerprint

COUNTED_PREFIXES: Final = (RAW, VIDEO, AUDIO, TRANSCRIPTS, SUMMARIES)
"""Where users have something. What is being worked on is ours, and goes by itself."""
COUNTS_PREFIX: Final = f"{WORK}storage/"
"""Where counts are kept: a day's is `work/storage/2026-01-31.json`."""
LOOK_BACK_DAYS: Final = 7
MAX_BYTES: Final = 64 * 1024 * 1024
"""Of a count: about a million users."""
_USER: Final = re.compile(rf"({user_ids.PATTERN})/", re.ASCII)


class CountOutOfTime(Exception):
    """There are more objects than can be listed in the time that there is."""


@dataclass(frozen=True)
class StorageCountResult:
    """What one count came to."""

    objects: int
    users: int
    metrics: int
    """Numbers; none of a day that has been counted, or the first one."""
    started: int = 0
    """Recordings that nobody had been told of."""


@dataclass
class PrefixListing:
    """What is below one prefix."""

    objects: int = 0
    by_user: Counter[str] = field(default_factory=Counter)
    complete_files: list[ListedCompleteFile] = field(default_factory=list)


@dataclass(frozen=True)
class StorageCounter:
    """Counts."""

    store: MeetingStore
    metrics: MeetingMetrics
    unannounced: UnannouncedRecordings
    _: KW_ONLY
    max_users: int
    budget: timedelta
    parallel: Parallel
    clock: Callable[[], datetime]
    log: EventLog

    def run(self) -> StorageCountResult:
        """Counts this day, if it has not been; raises OutOfTime."""
        began = self.clock()
        if self._read_count(began.date()) is not None:
            return StorageCountResult(0, 0, 0)
        ends = began + self.budget
        found = self.parallel.all(lambda prefix: self._list_prefix(prefix, ends), COUNTED_PREFIXES)
        begun = self.unannounced.start((announced for listing in found for announced in listing.complete_files), ends)
        by_user: Counter[str] = Counter()
        for one in found:
            by_user.update(one.by_user)
        totals = StorageTotals(day=began.date(), bytes_of=by_user)
        before = next((totals for totals in self._read_earlier(began.date()) if totals is not None), None)
        told = [] if before is None else growth_metrics(daily_growth(before, totals), self.max_users)
        self.metrics.put(told)
        self.store.write(_count_key(totals.day), totals.model_dump_json(by_alias=True))
        counted = StorageCountResult(sum(listing.objects for listing in found), len(by_user), len(told), begun)
        self.log.info("storage_counted", objects=counted.objects, users=counted.users, started=counted.started)
        return counted

    def _list_prefix(self, prefix: str, ends: datetime) -> PrefixListing:
        listed = PrefixListing()
        for page in self.store.list_pages(prefix):
            if self.clock() > ends:
                raise CountOutOfTime
            for one in page:
                listed.objects += 1
                listed.by_user[_owner_of(one["Key"], prefix)] += one["Size"]
                upload = parse_upload_key(one["Key"])
                if upload is not None and upload.is_complete_file:
                    came = one["LastModified"]
                    listed.complete_files.append(
                        ListedCompleteFile(upload.meeting, came, complete_file_fingerprint(one["ETag"], came))
                    )
        return listed

    def _read_earlier(self, day: date) -> Iterator[StorageTotals | None]:
        """The days before, the last one first."""
        return (self._read_count(day - timedelta(days=back)) for back in range(1, LOOK_BACK_DAYS + 1))

    def _read_count(self, day: date) -> StorageTotals | None:
        """A day's count; none where there is none, or one that another edition of this has left."""
        text = self.store.read(_count_key(day), MAX_BYTES)
        try:
            return None if text is None else StorageTotals.model_validate_json(text)
        except ValidationError:
            self.log.warning("storage_count_unreadable")
            return None


def _count_key(day: date) -> str:
    return f"{COUNTS_PREFIX}{day.isoformat()}.json"


def _owner_of(key: str, prefix: str) -> str:
    """Whose an object is, by its key. What is nobody's is counted with the others."""
    found = _USER.match(key, len(prefix))
    return OTHERS if found is None else found[1]

"""Finds recordings that are whole and that nobody was told of: their event was lost before it came to the queue.

The daily count of storage lists every upload anyway, and hands on each `complete.json` with which one it is. One that
its meeting's item is not by, or that has no item, is looked at as if it had just been told. When an item was changed
says nothing of that: work on what was there before changes it too. Of one that came to nothing, since it is nonsense
beside a meeting that something came of, no alarm is told.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from handlers.common.logging import EventLog
from handlers.common.sweep import SweepLoop
from handlers.meetings.meeting_table import MeetingTable
from handlers.meetings.s3_keys import MeetingId
from handlers.meetings.workflow_start import RecordingStarter, UploadOutcome, meeting_hash

NOTIFICATION_GRACE_PERIOD: Final = timedelta(hours=1)
"""An event may still be on its way for so long."""

PROCESSED_LATE: Final = frozenset({UploadOutcome.STARTED, UploadOutcome.INCOMPLETE})
"""What comes of a recording that is looked at a day late."""


@dataclass(frozen=True)
class ListedCompleteFile:
    """A `complete.json` as it was listed."""

    meeting: MeetingId
    uploaded_at: datetime
    fingerprint: str


class UnannouncedRecordings:
    """Begins what was never begun."""

    def __init__(
        self, table: MeetingTable, starting: RecordingStarter, *, clock: Callable[[], datetime], log: EventLog
    ) -> None:
        self._table = table
        self._starting = starting
        self._clock = clock
        self._log = log

    def start(self, announced: Iterable[ListedCompleteFile], ends: datetime) -> int:
        """How many were begun; what fails is logged, and found again the next day. Nothing is looked at after `ends`."""
        count = SweepLoop(self._log, self._clock, ends - self._clock()).run(
            ([complete_file] for complete_file in announced),
            lambda complete_file: [self._process(complete_file)] if self._is_unannounced(complete_file) else [],
            failure_event="recording_unattended",
            describe=lambda complete_file: {"key_hash": meeting_hash(complete_file.meeting)},
        )
        if count["unfinished"]:
            self._log.error("recordings_unchecked", cause="out_of_time")
        return count[UploadOutcome.STARTED]

    def _is_unannounced(self, one: ListedCompleteFile) -> bool:
        if self._clock() - one.uploaded_at < NOTIFICATION_GRACE_PERIOD:
            return False
        record = self._table.read(one.meeting)
        return record is None or record.said != one.fingerprint

    def _process(self, one: ListedCompleteFile) -> UploadOutcome:
        outcome = self._starting.process_upload(one.meeting)
        if outcome in PROCESSED_LATE:
            self._log.warning("recording_unheard", key_hash=meeting_hash(one.meeting))
        return outcome

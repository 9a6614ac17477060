"""Search for complete recordings whose event never reached the queue.

The daily storage count lists all uploads anyway, and passes every `complete.json` with its fingerprint. A file whose
meeting has no record, or a record with another fingerprint, is processed like a new upload. The record's modification
time would not show this, because the processing of older uploads changes it too.

Three log events raise an alarm:

- `recording_unheard`: the event of a recording was lost, and its upload was processed now.
- `recording_unattended`: the processing of a file failed.
- `recordings_unchecked`: time ran out before all files were checked.

A malformed file raises no alarm. If its meeting is in progress or ready, the file leaves the old fingerprint in the record,
so this search finds it again every day.
"""

from collections.abc import Callable, Iterable
from dataclasses import KW_ONLY, dataclass
from datetime import datetime, timedelta
from typing import Final

from handlers.common.logging import EventLog
from handlers.common.sweep_loop import SweepLoop
from handlers.meetings.meeting_table import MeetingTable
from handlers.meetings.s3_keys import MeetingId
from handlers.meetings.upload_processing import UploadOutcome, UploadProcessor, meeting_hash

NOTIFICATION_GRACE_PERIOD: Final = timedelta(hours=1)
"""Younger uploads are ignored, because their event may still arrive."""

PROCESSED_LATE: Final = frozenset({UploadOutcome.STARTED, UploadOutcome.INCOMPLETE})
"""Outcomes that show that an event was lost. Such a recording is logged as `recording_unheard`."""


@dataclass(frozen=True)
class ListedCompleteFile:
    """A `complete.json` as the bucket's listing describes it."""

    meeting: MeetingId
    uploaded_at: datetime
    fingerprint: str


@dataclass(frozen=True)
class UnannouncedRecordings:
    """Processes recordings whose event was lost."""

    table: MeetingTable
    upload_processor: UploadProcessor
    _: KW_ONLY
    clock: Callable[[], datetime]
    log: EventLog

    def start(self, complete_files: Iterable[ListedCompleteFile], deadline: datetime) -> int:
        """Process unannounced files until the deadline; return how many executions were started.

        Failures are logged, and the next day's search finds the same files again.
        """
        counts = SweepLoop(self.log, self.clock, deadline - self.clock()).run(
            # The loop checks the time before each batch. With one file per batch, it checks the time before each file.
            batches=([complete_file] for complete_file in complete_files),
            handle=self._process_if_unannounced,
            failure_event="recording_unattended",
            describe=lambda complete_file: {"key_hash": meeting_hash(complete_file.meeting)},
        )
        if counts["unfinished"]:
            self.log.error("recordings_unchecked", cause="out_of_time")
        return counts[UploadOutcome.STARTED]

    def _process_if_unannounced(self, complete_file: ListedCompleteFile) -> list[UploadOutcome]:
        return [self._process(complete_file)] if self._is_unannounced(complete_file) else []

    def _is_unannounced(self, complete_file: ListedCompleteFile) -> bool:
        if self.clock() - complete_file.uploaded_at < NOTIFICATION_GRACE_PERIOD:
            return False
        record = self.table.read(complete_file.meeting)
        return record is None or record.complete_fingerprint != complete_file.fingerprint

    def _process(self, complete_file: ListedCompleteFile) -> UploadOutcome:
        outcome = self.upload_processor.process_upload(complete_file.meeting)
        if outcome in PROCESSED_LATE:
            self.log.warning("recording_unheard", key_hash=meeting_hash(complete_file.meeting))
        return outcome

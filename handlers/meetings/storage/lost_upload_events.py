"""Search for uploads whose S3 event was lost, and processing of these uploads.

A client completes the upload of a recording with the file `complete.json`, and the S3 event of this file starts the
processing. The daily storage count lists all uploaded objects anyway, and passes each `complete.json` to
`LostUploadEvents.process`.

The processing writes the fingerprint of the file, its ETag and upload time, to the meeting's record. So if the meeting
has no record, or a record with another fingerprint, the event was lost. The file is then processed as if its event had
arrived. The modification time of the record would not show that an event was lost, because other events change it too.

Three log events raise an alarm:

- `recording_unheard`: the event of a file was lost. Its processing has now started the workflow, or found that chunks
  (files of the recording) are missing or wrong. If the file only changes the description of its meeting, or is
  malformed, there is no alarm.
- `recording_unattended`: the processing of a file failed.
- `recordings_unchecked`: time ran out before all files were checked.

If a malformed file was uploaded for a meeting that is in progress or ready, the record does not change and keeps the
old fingerprint. So such a file is processed again every day, which has no other effect than the log event
`complete_refused`.
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
"""Time after its upload during which a file is not checked, because its event may still arrive."""
ALARMING_OUTCOMES: Final = frozenset({UploadOutcome.STARTED, UploadOutcome.INCOMPLETE})
"""Outcomes of the processing that are logged as `recording_unheard`."""


@dataclass(frozen=True)
class ListedCompleteFile:
    """A `complete.json` as the bucket's listing describes it."""

    meeting: MeetingId
    uploaded_at: datetime
    fingerprint: str
    """Text that changes if `complete.json` is uploaded again."""


@dataclass(frozen=True)
class LostUploadEvents:
    """Finds and processes each `complete.json` whose event was lost."""

    table: MeetingTable
    upload_processor: UploadProcessor
    _: KW_ONLY
    clock: Callable[[], datetime]
    log: EventLog

    def process(self, complete_files: Iterable[ListedCompleteFile], deadline: datetime) -> int:
        """Process the files whose event was lost, until the deadline; return how many executions were started.

        Failures are only logged, because the next day's search finds the same files again.
        """
        counts = SweepLoop(self.log, self.clock, deadline - self.clock()).run(
            # The loop checks the time before each batch. With one file per batch, it checks the time before each file.
            batches=([complete_file] for complete_file in complete_files),
            handle=self._process_if_lost,
            failure_event="recording_unattended",
            describe=lambda complete_file: {"key_hash": meeting_hash(complete_file.meeting)},
        )
        if counts["unfinished"]:
            self.log.error("recordings_unchecked", cause="out_of_time")
        return counts[UploadOutcome.STARTED]

    def _process_if_lost(self, complete_file: ListedCompleteFile) -> list[UploadOutcome]:
        if self.clock() - complete_file.uploaded_at < NOTIFICATION_GRACE_PERIOD:
            return []
        record = self.table.read(complete_file.meeting)
        if record is not None and record.complete_fingerprint == complete_file.fingerprint:
            return []  # the event was processed
        outcome = self.upload_processor.process_uploads(complete_file.meeting)
        if outcome in ALARMING_OUTCOMES:
            self.log.warning("recording_unheard", key_hash=meeting_hash(complete_file.meeting))
        return [outcome]

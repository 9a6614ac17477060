"""Starts the work on a meeting whose recording is whole, and says of one that is not what it lacks.

Its item is written first and the execution started then: whoever finds the item where an execution is about to begin
starts it, under the same name. So a start whose answer is lost is made again, and is one.

A chunk that arrives while its meeting is being written as incomplete finds nothing that lacks it. So whoever has
written that a chunk is wrong looks once more.
"""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial

from handlers.common.aws.versioned_items import TooManyWriters
from handlers.common.aws.workflow_executions import Executions, Started
from handlers.common.logging import EventLog, hashed
from handlers.meetings.meeting_progress import MeetingExecution
from handlers.meetings.meeting_record import MeetingRecord, MeetingStatus, Stage
from handlers.meetings.meeting_table import MAX_WRITE_ATTEMPTS, MeetingTable
from handlers.meetings.s3_keys import MeetingId
from handlers.meetings.upload_decision import apply_upload
from handlers.meetings.uploaded_recording import UploadedRecordings


class UploadOutcome(StrEnum):
    """What an arrival came to."""

    STARTED = "started"
    INCOMPLETE = "incomplete"
    REFUSED = "refused"
    """`complete.json` says nothing useful."""
    UNCHANGED = "unchanged"
    """Nothing waits for it."""
    GONE = "gone"
    """There is no `complete.json` any more."""
    IGNORED = "ignored"
    """The object is none of a meeting's."""


class NotStarted(Exception):
    """It is not known that an execution was started: somebody must ask again."""


@dataclass(frozen=True)
class RecordingStarter:
    """Looks at meetings' recordings."""

    table: MeetingTable
    uploads: UploadedRecordings
    executions: Executions
    _: KW_ONLY
    clock: Callable[[], datetime]
    log: EventLog

    def process_upload(self, meeting: MeetingId) -> UploadOutcome:
        """Looks at what is there of a meeting, and does what follows from it; raises NotStarted or TooManyWriters."""
        for _ in range(MAX_WRITE_ATTEMPTS):
            record = self.table.read(meeting)  # before what it is compared with
            said = self.uploads.read_complete_file(meeting)
            if said is None:
                return UploadOutcome.GONE
            if said.file is None:
                self.log.warning(
                    "complete_refused", code=said.problem, cause=said.cause, key_hash=meeting_hash(meeting)
                )
            after = apply_upload(record, meeting, said, partial(self.uploads.find_chunks, meeting), self.clock())
            if after != record:
                if not self.table.write(record, after):
                    continue
                self.log.info(
                    "meeting_moved", outcome=after.status, missing=after.wrong_count, key_hash=meeting_hash(meeting)
                )
            if not _has_new_wrong_chunk(record, after):
                return UploadOutcome.REFUSED if said.file is None else self._start_if_complete(after)
        raise TooManyWriters

    def start_execution(self, record: MeetingRecord) -> None:
        """Starts the execution that a meeting's item is about, if it was not; raises NotStarted."""
        execution = MeetingExecution.for_record(record)
        started = self.executions.start(execution.name, execution.input)
        if started not in {Started.YES, Started.ALREADY}:
            raise NotStarted(started)

    def _start_if_complete(self, record: MeetingRecord) -> UploadOutcome:
        if record.stage is Stage.MEDIA:
            self.start_execution(record)
            return UploadOutcome.STARTED
        return UploadOutcome.INCOMPLETE if record.status is MeetingStatus.INCOMPLETE else UploadOutcome.UNCHANGED


def meeting_hash(meeting: MeetingId) -> str:
    """What a log calls a meeting."""
    return hashed(f"{meeting.user}/{meeting.meeting_id}")


def _has_new_wrong_chunk(before: MeetingRecord | None, after: MeetingRecord) -> bool:
    """Whether something counts as wrong that did not before."""
    known = set() if before is None else {chunk.name for chunk in before.wrong}
    return after.status is MeetingStatus.INCOMPLETE and not {chunk.name for chunk in after.wrong} <= known

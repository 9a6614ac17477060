"""Processing of a meeting's uploads: records wrong chunks, or starts the workflow of a complete recording.

If a recording is complete, its record is first written with the stage `media`, the first stage of the workflow. Then
the execution is started. An invocation that finds a record with this stage starts the execution again under the same
name, so a start whose response was lost can be repeated safely.

If chunks are missing or invalid, the record lists them as wrong chunks, and the meeting waits for them as incomplete. A
chunk may arrive after the uploads were read, but before the record is written. The event of this chunk then finds no
record that waits for it, and changes nothing. So the uploads are read once more after a record with new wrong chunks
was written.
"""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial

from handlers.common.aws.dynamodb_versioned_items import TooManyWriters
from handlers.common.aws.workflow_executions import StartOutcome, WorkflowExecutions
from handlers.common.logging import EventLog, hash_for_log
from handlers.meetings.meeting_execution import MeetingExecution
from handlers.meetings.meeting_record import MeetingRecord, MeetingStatus, Stage
from handlers.meetings.meeting_table import MAX_WRITE_ATTEMPTS, MeetingTable
from handlers.meetings.s3_keys import MeetingId
from handlers.meetings.upload_decision import apply_upload
from handlers.meetings.upload_reader import UploadReader


class UploadOutcome(StrEnum):
    """Result of processing one upload."""

    STARTED = "started"
    """The recording is complete, and its execution was started, now or before."""
    INCOMPLETE = "incomplete"
    """Chunks are missing or wrong."""
    REFUSED = "refused"
    """`complete.json` is malformed or cannot be read."""
    UNCHANGED = "unchanged"
    """The upload does not start an execution, for example because the meeting is ready or waits for another object."""
    GONE = "gone"
    """`complete.json` does not exist, or no longer exists."""
    IGNORED = "ignored"
    """The object's key is not the key of an upload."""


class NotStarted(Exception):
    """Step Functions did not confirm that the execution was started. Start it again."""


@dataclass(frozen=True)
class UploadProcessor:
    """Processes the uploads of meetings, and starts the executions of complete recordings."""

    table: MeetingTable
    uploads: UploadReader
    executions: WorkflowExecutions
    _: KW_ONLY
    clock: Callable[[], datetime]
    log: EventLog

    def process_upload(self, meeting: MeetingId) -> UploadOutcome:
        """Update a meeting according to its uploads, and start its execution if the recording is complete.

        Raises NotStarted or TooManyWriters.
        """
        # There is another round if a concurrent write prevented this round's write, or if it wrote new wrong chunks.
        for _ in range(MAX_WRITE_ATTEMPTS):
            record = self.table.read(meeting)  # read before the uploads, see `upload_reader.py`
            upload = self.uploads.read_complete_file(meeting)
            if upload is None:
                return UploadOutcome.GONE
            if upload.file is None:
                self.log.warning(
                    "complete_refused", code=upload.problem, cause=upload.cause, key_hash=meeting_hash(meeting)
                )
            after = apply_upload(record, meeting, upload, partial(self.uploads.find_chunks, meeting), self.clock())
            if after != record:
                if not self.table.write(record, after):
                    continue
                self.log.info(
                    "meeting_moved", outcome=after.status, missing=after.wrong_count, key_hash=meeting_hash(meeting)
                )
            if not _has_new_wrong_chunk(record, after):
                return UploadOutcome.REFUSED if upload.file is None else self._start_if_complete(after)
            # A record with new wrong chunks was written, so the uploads are read once more (see the module docstring).
        raise TooManyWriters

    def start_execution(self, record: MeetingRecord) -> None:
        """Start the execution of the meeting's current attempt, unless it was started before.

        Raises NotStarted if Step Functions does not confirm it.
        """
        execution = MeetingExecution.for_record(record)
        outcome = self.executions.start(execution.name, execution.input)
        if outcome not in {StartOutcome.STARTED, StartOutcome.ALREADY_EXISTS}:
            raise NotStarted(outcome)

    def _start_if_complete(self, record: MeetingRecord) -> UploadOutcome:
        if record.stage is Stage.MEDIA:
            self.start_execution(record)
            return UploadOutcome.STARTED
        return UploadOutcome.INCOMPLETE if record.status is MeetingStatus.INCOMPLETE else UploadOutcome.UNCHANGED


def meeting_hash(meeting: MeetingId) -> str:
    """Return the hash that identifies a meeting in logs."""
    return hash_for_log(f"{meeting.user}/{meeting.meeting_id}")


def _has_new_wrong_chunk(before: MeetingRecord | None, after: MeetingRecord) -> bool:
    """Return True if an incomplete meeting has a wrong chunk that was not listed before."""
    listed_before = set() if before is None else {chunk.name for chunk in before.wrong}
    return after.status is MeetingStatus.INCOMPLETE and not {chunk.name for chunk in after.wrong} <= listed_before

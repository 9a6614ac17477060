"""Processing of the objects that a client uploaded for a meeting: the chunks (files) of a recording, and
`complete.json`, which lists them.

If all chunks have arrived, the meeting's record is written with the stage `media`, and then an execution of the Step
Functions workflow is started. If the start fails, the next processing finds this stage and repeats the start. That is
safe, because the execution has the same name, so Step Functions does not start it twice.

An execution may end without a report to the record, for example because an operator aborted it. If the client then
uploads `complete.json` again, the execution's status shows that it has ended, and the next attempt is started.

Chunks that are missing or cannot be used are called wrong. The record lists them, and the meeting waits for their S3
events. But a chunk may arrive after the objects in S3 were read and before the record is written. The chunk's event
then finds no record that waits for it, and changes nothing. So after a record with new wrong chunks was written, the
objects are read once more.
"""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial

from handlers.common.executions import ExecutionStatus, StartOutcome, WorkflowExecutions
from handlers.common.logging import EventLog, LogText, hash_for_log
from handlers.common.records import TooManyWriters
from handlers.meetings.execution_name_and_input import MeetingExecution
from handlers.meetings.meeting_record import MeetingRecord, MeetingStatus, Stage
from handlers.meetings.meeting_table import MAX_WRITE_ATTEMPTS, MeetingTable
from handlers.meetings.s3_keys import MeetingId
from handlers.meetings.upload_reader import UploadReader
from handlers.meetings.upload_state_transitions import apply_uploads


class UploadOutcome(StrEnum):
    """Result of processing an uploaded object, or all uploaded objects of a meeting."""

    STARTED = "started"
    """The recording is complete, and its execution was started, now or earlier."""
    INCOMPLETE = "incomplete"
    """At least one chunk is wrong."""
    REFUSED = "refused"
    """`complete.json` is malformed or cannot be read."""
    UNCHANGED = "unchanged"
    """No execution was started, for example because the meeting is ready or does not wait for the object."""
    GONE = "gone"
    """`complete.json` does not exist, or no longer exists."""
    IGNORED = "ignored"
    """The object is neither a chunk nor a `complete.json`, according to its key. Only `start/` reports this."""


class NotStarted(Exception):
    """Step Functions did not confirm that the execution was started. The start may be repeated."""


@dataclass(frozen=True)
class UploadProcessor:
    """Processes the uploaded objects of meetings, and starts executions of the workflow."""

    table: MeetingTable
    uploads: UploadReader
    executions: WorkflowExecutions
    _: KW_ONLY
    clock: Callable[[], datetime]
    log: EventLog

    def process_uploads(self, meeting: MeetingId) -> UploadOutcome:
        """Update a meeting's record by its uploaded objects, and start its execution if the recording is complete.

        Raises NotStarted, or TooManyWriters if other writers change the record again and again.
        """
        for _ in range(MAX_WRITE_ATTEMPTS):
            record = self.table.read(meeting)  # read before the objects, see `upload_reader.py`
            complete_file = self.uploads.read_complete_file(meeting)
            if complete_file is None:
                return UploadOutcome.GONE
            if complete_file.parsed is None:
                self.log.warning(
                    "complete_refused",
                    code=complete_file.problem,
                    key_hash=meeting_hash(meeting),
                )
            find_chunks = partial(self.uploads.find_chunks, meeting)
            after = apply_uploads(record, meeting, complete_file, find_chunks, self._execution_status, self.clock())
            if after != record:
                if not self.table.write(record, after):
                    continue
                self.log.info(
                    "meeting_moved", outcome=after.status, missing=after.wrong_count, key_hash=meeting_hash(meeting)
                )
            if not _has_new_wrong_chunk(record, after):
                return UploadOutcome.REFUSED if complete_file.parsed is None else self._start_if_complete(after)
            # A record with new wrong chunks was written, and one of them may have arrived meanwhile.
        raise TooManyWriters

    def _execution_status(self, record: MeetingRecord) -> ExecutionStatus | None:
        """Return the status of the execution of the meeting's current attempt, or None if it does not exist."""
        return self.executions.status(self.executions.arn(MeetingExecution.for_record(record).name))

    def _start_if_complete(self, record: MeetingRecord) -> UploadOutcome:
        """Start the execution of a meeting's current attempt, unless it was started before or chunks are wrong."""
        if record.stage is Stage.MEDIA:
            execution = MeetingExecution.for_record(record)
            outcome = self.executions.start(execution.name, execution.input)
            if outcome not in {StartOutcome.STARTED, StartOutcome.ALREADY_EXISTS}:
                raise NotStarted(outcome)
            return UploadOutcome.STARTED
        return UploadOutcome.INCOMPLETE if record.status is MeetingStatus.INCOMPLETE else UploadOutcome.UNCHANGED


def meeting_hash(meeting: MeetingId) -> LogText:
    """Return the hash that identifies a meeting in logs."""
    return hash_for_log(f"{meeting.user}/{meeting.meeting_id}")


def _has_new_wrong_chunk(before: MeetingRecord | None, after: MeetingRecord) -> bool:
    """Return True if the meeting is incomplete and now lists a wrong chunk that was not listed before."""
    listed_before = set() if before is None else {chunk.name for chunk in before.wrong}
    return after.status is MeetingStatus.INCOMPLETE and not {chunk.name for chunk in after.wrong} <= listed_before

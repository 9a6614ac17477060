"""Sweep of meetings that stay in one state for too long, so that no lost message leaves a meeting unfinished for ever.

A meeting in progress has an execution of the workflow, which reports its result to the meeting's record. If the meeting
makes no progress, the sweep checks the execution:

- It runs: the sweep waits.
- It never started: the sweep starts it.
- It failed, was aborted or timed out without a report: the sweep marks the meeting as failed.
- It succeeded without a report: the sweep starts a new attempt. Such an execution found that `complete.json`, the list
  of a recording's chunks, described another recording, and ended without an error. But the meeting's record still names
  the old recording, so the new attempt reads the uploads again.

A recording that is too old is marked as failed instead of being started again.

The sweep also processes the uploads of an incomplete meeting again, in case an event was lost. After a time limit, it
marks the meeting as failed, because the bucket's lifecycle then deletes the uploaded chunks.
"""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from handlers.common.aws.workflow_executions import ExecutionStatus, WorkflowExecutions
from handlers.common.logging import EventLog
from handlers.common.sweep_loop import SweepLoop
from handlers.common.time_and_ids.timestamps import timestamp
from handlers.meetings.meeting_execution import MeetingExecution
from handlers.meetings.meeting_record import MeetingReason, MeetingRecord, MeetingStatus, Stage
from handlers.meetings.meeting_state_transitions import (
    STAGE_FAILURES,
    mark_failed,
    postpone_sweep,
    start_new_attempt,
)
from handlers.meetings.meeting_table import DueMeeting, MeetingTable
from handlers.meetings.upload_processing import UploadOutcome, UploadProcessor, meeting_hash

INCOMPLETE_CHECK_INTERVAL: Final = timedelta(hours=6)
"""Time between two checks of an incomplete meeting."""


@dataclass(frozen=True)
class MeetingTimeLimits:
    """Time limits for meetings in one state."""

    processing: timedelta
    """Time without progress after which a meeting's execution is checked, and the interval between two checks."""
    incomplete: timedelta
    """Time after which missing chunks are no longer expected."""
    give_up: timedelta
    """Age of a recording after which it is not restarted."""


class MeetingSweepOutcome(StrEnum):
    """Result of checking one meeting."""

    WAITING = "waiting"
    """The meeting is checked again later: its execution runs, it waits for chunks, or this check was too early."""
    STARTED = "started"
    """The meeting's execution was started, or the meeting got a new attempt, which checks the uploads again."""
    EXECUTION_FAILED = "ended"
    """The meeting's execution failed or was aborted without a report."""
    TIMED_OUT = "timed_out"
    """The meeting's execution timed out, or the recording is too old to be restarted."""
    NEVER_COMPLETE = "never_complete"
    """The meeting's chunks did not arrive in time."""
    NOT_DUE = "not_due"
    """The meeting is no longer due at this time, or a concurrent invocation changed it."""


LOGGED_OUTCOMES: Final = (
    MeetingSweepOutcome.STARTED,
    MeetingSweepOutcome.EXECUTION_FAILED,
    MeetingSweepOutcome.TIMED_OUT,
    MeetingSweepOutcome.NEVER_COMPLETE,
)
"""Outcomes whose numbers a sweep logs: those that started or failed a meeting."""


@dataclass(frozen=True)
class MeetingSweep:
    """Fails or restarts meetings that make no progress."""

    table: MeetingTable
    executions: WorkflowExecutions
    upload_processor: UploadProcessor
    _: KW_ONLY
    limits: MeetingTimeLimits
    budget: timedelta
    """Time after which a sweep checks no further meeting."""
    clock: Callable[[], datetime]
    log: EventLog

    def run(self) -> dict[str, int]:
        """Sweep once; return the number of meetings by outcome."""
        loop = SweepLoop(self.log, self.clock, self.budget)
        counts = loop.run(
            batches=([due] for due in self.table.list_due(timestamp(self.clock()))),
            handle=lambda due: [self._sweep_meeting(due)],
            failure_event="meeting_unattended",
            describe=lambda due: {"key_hash": meeting_hash(due.meeting)},
        )
        return loop.log_counts("meeting_sweep", counts, outcomes=LOGGED_OUTCOMES)

    def _sweep_meeting(self, due: DueMeeting) -> MeetingSweepOutcome:
        record = self.table.read(due.meeting)
        if record is None or record.due != due.due_at:
            self.table.delete_due_item(due)
            return MeetingSweepOutcome.NOT_DUE
        if record.status is MeetingStatus.INCOMPLETE:
            return self._sweep_incomplete(record, due)
        return self._sweep_processing(record, due)

    def _sweep_incomplete(self, record: MeetingRecord, due: DueMeeting) -> MeetingSweepOutcome:
        deadline = datetime.fromisoformat(record.since) + self.limits.incomplete
        if self.clock() >= deadline:
            return self._fail(record, MeetingReason.NEVER_COMPLETE, MeetingSweepOutcome.NEVER_COMPLETE)
        if self.upload_processor.process_upload(due.meeting) is UploadOutcome.STARTED:
            return MeetingSweepOutcome.STARTED
        return self._postpone(record, min(deadline, self.clock() + INCOMPLETE_CHECK_INTERVAL))

    def _sweep_processing(self, record: MeetingRecord, due: DueMeeting) -> MeetingSweepOutcome:
        check_at = datetime.fromisoformat(record.since) + self.limits.processing
        if self.clock() < check_at:
            return self._postpone(record, check_at)
        execution = MeetingExecution.for_record(record)
        match self.executions.status(self.executions.arn(execution.name)):
            case ExecutionStatus.RUNNING:
                return self._postpone(record, self.clock() + self.limits.processing)
            case ExecutionStatus.TIMED_OUT:
                return self._fail(record, MeetingReason.TIMED_OUT, MeetingSweepOutcome.TIMED_OUT)
            case ExecutionStatus.FAILED | ExecutionStatus.ABORTED:
                reason = STAGE_FAILURES[record.stage or Stage.MEDIA]
                return self._fail(record, reason, MeetingSweepOutcome.EXECUTION_FAILED)
            case ExecutionStatus.SUCCEEDED if not self._is_too_old(record):
                return self._restart(record, due)
            case None if not self._is_too_old(record):
                self.upload_processor.start_execution(record)
                self._postpone(record, self.clock() + self.limits.processing)
                return MeetingSweepOutcome.STARTED
        # The execution succeeded without a report or never started, and the recording is too old to be restarted.
        return self._fail(record, MeetingReason.TIMED_OUT, MeetingSweepOutcome.TIMED_OUT)

    def _is_too_old(self, record: MeetingRecord) -> bool:
        """Compare the recording's upload time with the limit, because no restart changes that time."""
        uploaded_at = datetime.fromisoformat(record.whole_at or record.created_at)
        return self.clock() - uploaded_at > self.limits.give_up

    def _restart(self, record: MeetingRecord, due: DueMeeting) -> MeetingSweepOutcome:
        if not self.table.write(record, start_new_attempt(record, self.clock())):
            return MeetingSweepOutcome.NOT_DUE
        self.upload_processor.process_upload(due.meeting)
        return MeetingSweepOutcome.STARTED

    def _fail(self, record: MeetingRecord, reason: MeetingReason, outcome: MeetingSweepOutcome) -> MeetingSweepOutcome:
        if not self.table.write(record, mark_failed(record, reason, self.clock())):
            return MeetingSweepOutcome.NOT_DUE
        # Missing chunks are the client's problem. An execution that ended without a report is ours.
        log_failure = self.log.info if outcome is MeetingSweepOutcome.NEVER_COMPLETE else self.log.error
        log_failure("meeting_given_up", code=reason, key_hash=meeting_hash(record.meeting))
        return outcome

    def _postpone(self, record: MeetingRecord, until: datetime) -> MeetingSweepOutcome:
        self.table.write(record, postpone_sweep(record, until))
        return MeetingSweepOutcome.WAITING

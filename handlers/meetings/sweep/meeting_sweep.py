"""Check of meetings that make no progress, for example because an event or a report was lost.

The sweep is a scheduled function. A meeting's record contains the time of the meeting's next check.

An execution of the Step Functions workflow processes a meeting in progress, and reports each new stage to the meeting's
record. If the meeting has been in one stage for too long, the sweep checks the execution:

- It runs: the sweep checks again later.
- It does not exist, because its start failed: the sweep starts it.
- It failed, was aborted or timed out: the sweep marks the meeting as failed.
- It succeeded without a report: an execution does this if it finds that `complete.json`, the client's list of the
  recording's files, now describes another recording than the record. The sweep starts a new processing attempt, and
  processes the uploaded objects again.

If an execution or a new attempt has to be started, but the recording is too old, the sweep marks the meeting as failed
instead.

An incomplete meeting waits for files of its recording (chunks). The sweep processes the meeting's uploaded objects
again, in case an event was lost. After a time limit, the sweep marks the meeting as failed, because the bucket's
lifecycle then deletes the chunks.
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
from handlers.meetings.execution_name_and_input import MeetingExecution
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
    """Time limits of the sweep."""

    check_execution_after: timedelta
    """Time without a new stage or attempt after which the sweep checks the meeting's execution. If the execution runs,
    the sweep checks it again after the same time.
    """
    fail_incomplete_after: timedelta
    """Time after which the sweep marks an incomplete meeting as failed."""
    give_up_after: timedelta
    """Time since the upload of a recording after which the sweep starts no execution for it, but marks the meeting as
    failed instead.
    """


class MeetingSweepOutcome(StrEnum):
    """Result of checking one meeting."""

    WAITING = "waiting"
    """The meeting is checked again later, because it waits for chunks, its execution runs, or its stage or attempt
    began too recently for a check.
    """
    STARTED = "started"
    """The meeting's execution was started, or the meeting got a new attempt."""
    EXECUTION_FAILED = "ended"
    """The meeting was marked as failed, because its execution failed or was aborted."""
    TIMED_OUT = "timed_out"
    """The meeting was marked as failed, because its execution timed out or its recording is too old."""
    NEVER_COMPLETE = "never_complete"
    """The meeting was marked as failed, because its chunks did not arrive in time."""
    NOT_DUE = "not_due"
    """The meeting has no record or another due time by now, or another writer changed the record before the sweep
    could.
    """


LOGGED_OUTCOMES: Final = (
    MeetingSweepOutcome.STARTED,
    MeetingSweepOutcome.EXECUTION_FAILED,
    MeetingSweepOutcome.TIMED_OUT,
    MeetingSweepOutcome.NEVER_COMPLETE,
)
"""Outcomes that the sweep counts in its log and its response."""


@dataclass(frozen=True)
class MeetingSweep:
    """Sweep of the meetings in one table."""

    table: MeetingTable
    executions: WorkflowExecutions
    upload_processor: UploadProcessor
    _: KW_ONLY
    limits: MeetingTimeLimits
    budget: timedelta
    """Time after which the sweep checks no further meeting."""
    clock: Callable[[], datetime]
    log: EventLog

    def run(self) -> dict[str, int]:
        """Check the meetings that are due; return their number by outcome (`LOGGED_OUTCOMES`)."""
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
        deadline = datetime.fromisoformat(record.since) + self.limits.fail_incomplete_after
        if self.clock() >= deadline:
            return self._fail(record, MeetingReason.NEVER_COMPLETE, MeetingSweepOutcome.NEVER_COMPLETE)
        if self.upload_processor.process_uploads(due.meeting) is UploadOutcome.STARTED:
            return MeetingSweepOutcome.STARTED
        return self._postpone(record, min(deadline, self.clock() + INCOMPLETE_CHECK_INTERVAL))

    def _sweep_processing(self, record: MeetingRecord, due: DueMeeting) -> MeetingSweepOutcome:
        check_at = datetime.fromisoformat(record.since) + self.limits.check_execution_after
        if self.clock() < check_at:
            return self._postpone(record, check_at)
        execution = MeetingExecution.for_record(record)
        match self.executions.status(self.executions.arn(execution.name)):
            case ExecutionStatus.RUNNING:
                return self._postpone(record, self.clock() + self.limits.check_execution_after)
            case ExecutionStatus.TIMED_OUT:
                return self._fail(record, MeetingReason.TIMED_OUT, MeetingSweepOutcome.TIMED_OUT)
            case ExecutionStatus.FAILED | ExecutionStatus.ABORTED:
                reason = STAGE_FAILURES[record.stage or Stage.MEDIA]
                return self._fail(record, reason, MeetingSweepOutcome.EXECUTION_FAILED)
            case ExecutionStatus.SUCCEEDED if not self._is_too_old(record):
                return self._restart(record, due)
            case None if not self._is_too_old(record):
                self.upload_processor.start_execution(record)
                self._postpone(record, self.clock() + self.limits.check_execution_after)
                return MeetingSweepOutcome.STARTED
        # An execution should be started, but the recording is too old.
        return self._fail(record, MeetingReason.TIMED_OUT, MeetingSweepOutcome.TIMED_OUT)

    def _is_too_old(self, record: MeetingRecord) -> bool:
        # The upload time does not change with a restart, so restarts end at some time.
        uploaded_at = datetime.fromisoformat(record.whole_at or record.created_at)
        return self.clock() - uploaded_at > self.limits.give_up_after

    def _restart(self, record: MeetingRecord, due: DueMeeting) -> MeetingSweepOutcome:
        if not self.table.write(record, start_new_attempt(record, self.clock())):
            return MeetingSweepOutcome.NOT_DUE
        self.upload_processor.process_uploads(due.meeting)
        return MeetingSweepOutcome.STARTED

    def _fail(self, record: MeetingRecord, reason: MeetingReason, outcome: MeetingSweepOutcome) -> MeetingSweepOutcome:
        if not self.table.write(record, mark_failed(record, reason, self.clock())):
            return MeetingSweepOutcome.NOT_DUE
        # Missing chunks are the client's problem. All other reasons are the operator's.
        log_failure = self.log.info if outcome is MeetingSweepOutcome.NEVER_COMPLETE else self.log.error
        log_failure("meeting_given_up", code=reason, key_hash=meeting_hash(record.meeting))
        return outcome

    def _postpone(self, record: MeetingRecord, until: datetime) -> MeetingSweepOutcome:
        self.table.write(record, postpone_sweep(record, until))
        return MeetingSweepOutcome.WAITING

"""Looks after meetings that stay too long where they are: whatever was lost, no meeting waits for it for ever.

One that is processed has an execution. While that runs there is nothing to do; where it never began it is started, and
where it has ended without a word the meeting is marked as it ended. One that ended well and left its meeting where it
was had found another recording there than it was about, which is gone again: the meeting is begun anew. One that is
incomplete is looked at again, for the arrival that nobody announced, until what it has is deleted.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from handlers.common.aws.workflow_executions import Executions, ExecutionStatus
from handlers.common.logging import EventLog
from handlers.common.sweep import SweepLoop
from handlers.common.time_and_ids.timestamps import timestamp
from handlers.meetings.meeting_progress import STAGE_FAILURES, MeetingExecution, mark_failed, postpone, restart
from handlers.meetings.meeting_record import MeetingReason, MeetingRecord, MeetingStatus, Stage
from handlers.meetings.meeting_table import DueMeeting, MeetingTable
from handlers.meetings.workflow_start import RecordingStarter, UploadOutcome, meeting_hash

INCOMPLETE_CHECK_INTERVAL: Final = timedelta(hours=6)
"""Between two looks at what is incomplete."""


@dataclass(frozen=True)
class MeetingTimeLimits:
    """How long what may take."""

    processing: timedelta
    incomplete: timedelta
    give_up: timedelta


class MeetingSweepOutcome(StrEnum):
    """What was done about a meeting."""

    WAITING = "waiting"
    """It has time, or its execution runs."""
    STARTED = "started"
    ENDED = "ended"
    """Its execution had ended without a word."""
    TIMED_OUT = "timed_out"
    NEVER_COMPLETE = "never_complete"
    NOT_DUE = "not_due"
    """Another was quicker."""


class MeetingSweep:
    """Ends or begins anew what nobody else will."""

    def __init__(
        self,
        table: MeetingTable,
        executions: Executions,
        starting: RecordingStarter,
        *,
        limits: MeetingTimeLimits,
        budget: timedelta,
        clock: Callable[[], datetime],
        log: EventLog,
    ) -> None:
        """`budget`: how long a sweep may take."""
        self._table = table
        self._executions = executions
        self._starting = starting
        self._limits = limits
        self._loop = SweepLoop(log, clock, budget)
        self._clock = clock
        self._log = log

    def run(self) -> dict[str, int]:
        """Sweep once; return what was found, by number."""
        count = self._loop.run(
            ([due] for due in self._table.list_due(timestamp(self._clock()))),
            lambda due: [self._sweep_meeting(due)],
            failure_event="meeting_unattended",
            describe=lambda due: {"key_hash": meeting_hash(due.meeting)},
        )
        return self._loop.report(
            "meeting_sweep",
            count,
            MeetingSweepOutcome.STARTED,
            MeetingSweepOutcome.ENDED,
            MeetingSweepOutcome.TIMED_OUT,
            MeetingSweepOutcome.NEVER_COMPLETE,
        )

    def _sweep_meeting(self, due: DueMeeting) -> MeetingSweepOutcome:
        record = self._table.read(due.meeting)
        if record is None or record.due != due.due_at:
            self._table.delete_due_item(due)
            return MeetingSweepOutcome.NOT_DUE
        if record.status is MeetingStatus.INCOMPLETE:
            return self._sweep_incomplete(record, due)
        return self._sweep_processing(record, due)

    def _sweep_incomplete(self, record: MeetingRecord, due: DueMeeting) -> MeetingSweepOutcome:
        ends = datetime.fromisoformat(record.since) + self._limits.incomplete
        if self._clock() >= ends:
            return self._fail(record, MeetingReason.NEVER_COMPLETE, MeetingSweepOutcome.NEVER_COMPLETE)
        if self._starting.process_upload(due.meeting) is UploadOutcome.STARTED:
            return MeetingSweepOutcome.STARTED
        return self._postpone(record, min(ends, self._clock() + INCOMPLETE_CHECK_INTERVAL))

    def _sweep_processing(self, record: MeetingRecord, due: DueMeeting) -> MeetingSweepOutcome:
        asked_for = datetime.fromisoformat(record.since) + self._limits.processing
        if self._clock() < asked_for:
            return self._postpone(record, asked_for)
        execution = MeetingExecution.for_record(record)
        match self._executions.status(self._executions.arn(execution.name)):
            case ExecutionStatus.RUNNING:
                return self._postpone(record, self._clock() + self._limits.processing)
            case ExecutionStatus.TIMED_OUT:
                return self._fail(record, MeetingReason.TIMED_OUT, MeetingSweepOutcome.TIMED_OUT)
            case ExecutionStatus.FAILED | ExecutionStatus.ABORTED:
                return self._fail(record, STAGE_FAILURES[record.stage or Stage.MEDIA], MeetingSweepOutcome.ENDED)
            case ExecutionStatus.SUCCEEDED if not self._is_too_old(record):
                return self._restart(record, due)
            case None if not self._is_too_old(record):
                self._starting.start_execution(record)
                self._postpone(record, self._clock() + self._limits.processing)
                return MeetingSweepOutcome.STARTED
        return self._fail(record, MeetingReason.TIMED_OUT, MeetingSweepOutcome.TIMED_OUT)

    def _is_too_old(self, record: MeetingRecord) -> bool:
        """By when its recording was whole, which no attempt changes."""
        whole = datetime.fromisoformat(record.whole_at or record.created_at)
        return self._clock() - whole > self._limits.give_up

    def _restart(self, record: MeetingRecord, due: DueMeeting) -> MeetingSweepOutcome:
        if not self._table.write(record, restart(record, self._clock())):
            return MeetingSweepOutcome.NOT_DUE
        self._starting.process_upload(due.meeting)
        return MeetingSweepOutcome.STARTED

    def _fail(self, record: MeetingRecord, reason: MeetingReason, found: MeetingSweepOutcome) -> MeetingSweepOutcome:
        if not self._table.write(record, mark_failed(record, reason, self._clock())):
            return MeetingSweepOutcome.NOT_DUE
        # What never came is the user's; what ended without a word, or came to nothing, is ours.
        say = self._log.info if found is MeetingSweepOutcome.NEVER_COMPLETE else self._log.error
        say("meeting_given_up", code=reason, key_hash=meeting_hash(record.meeting))
        return found

    def _postpone(self, record: MeetingRecord, until: datetime) -> MeetingSweepOutcome:
        self._table.write(record, postpone(record, until))
        return MeetingSweepOutcome.WAITING

"""State transitions of a meeting: changes of its record after a report of the workflow, a failure or a new attempt.

This module makes no AWS calls. It computes the changed record, and the caller writes it to the table.

Reports of an earlier attempt or of another recording are ignored. A meeting's rank is its attempt and, within the
attempt, its stage and status. Reports only raise the rank, so repeated and late reports change nothing either.

A failure is not final: a meeting that was marked as failed becomes ready if its execution finishes after all. If the
media job finds wrong chunks, the meeting becomes incomplete again, with a new attempt.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from handlers.common.time_and_ids.timestamps import timestamp
from handlers.meetings.meeting_execution import MeetingExecution
from handlers.meetings.meeting_record import MAX_LISTED_CHUNKS, MeetingReason, MeetingRecord, MeetingStatus, Stage
from handlers.meetings.upload_completion_file import WrongChunk

FIRST_SWEEP_DELAY: Final = timedelta(minutes=15)
"""Time from the start of an attempt, or from a change of the status, to the sweep's first check. Normally, the events
of the uploads have arrived and the execution has started within this time.
"""
PROGRESS_RANKS: Final[Mapping[tuple[MeetingStatus, Stage | None], int]] = {
    (MeetingStatus.INCOMPLETE, None): 0,
    (MeetingStatus.PROCESSING, Stage.MEDIA): 1,
    (MeetingStatus.PROCESSING, Stage.TRANSCRIPTION): 2,
    (MeetingStatus.PROCESSING, Stage.SUMMARY): 3,
    (MeetingStatus.FAILED, None): 4,
    (MeetingStatus.READY, None): 5,
}
"""Rank of each status and stage within one attempt."""
STAGE_FAILURES: Final[Mapping[Stage, MeetingReason]] = {
    Stage.MEDIA: MeetingReason.MEDIA_FAILED,
    Stage.TRANSCRIPTION: MeetingReason.TRANSCRIPTION_FAILED,
    Stage.SUMMARY: MeetingReason.SUMMARY_FAILED,
}
"""Reason for a failed stage, if the report names no other reason."""
_UNFINISHED = frozenset({MeetingStatus.INCOMPLETE, MeetingStatus.PROCESSING})


@dataclass(frozen=True)
class ExecutionReport:
    """Report of an execution of the workflow about the recording that it processes."""

    execution: MeetingExecution
    status: MeetingStatus
    stage: Stage | None = None
    reason: MeetingReason | None = None
    """Reason for a failure, or for the missing transcript or summary of a ready meeting."""
    wrong: tuple[WrongChunk, ...] = ()
    """Chunks because of which the media job rejected the recording."""
    fields: Mapping[str, object] = field(default_factory=dict)
    """Further fields of the meeting's record to set, by name."""


def progress_rank(record: MeetingRecord) -> tuple[int, int]:
    """Return the rank of a record: its attempt, then the rank of its status and stage."""
    return record.attempt, PROGRESS_RANKS[record.status, record.stage]


def is_current(record: MeetingRecord, execution: MeetingExecution) -> bool:
    """Return True if the record's current attempt is this execution."""
    return (record.content, record.attempt) == (execution.recording.content, execution.attempt)


def apply_report(record: MeetingRecord, report: ExecutionReport, at: datetime) -> MeetingRecord:
    """Apply an execution's report to the meeting's record; ignore stale reports."""
    if not is_current(record, report.execution):
        return record
    update = {"status": report.status, "stage": report.stage, "reason": report.reason, **report.fields}
    if report.status is MeetingStatus.INCOMPLETE:
        if record.stage is not Stage.MEDIA:
            return record  # the chunks were already accepted
        update["attempt"] = record.attempt + 1  # the status alone would lower the rank
    after = record.model_copy(update={**update, **wrong_chunk_fields(report.wrong)})
    return stamp_change(record, after, at) if progress_rank(after) > progress_rank(record) else record


def mark_failed(record: MeetingRecord, reason: MeetingReason, at: datetime) -> MeetingRecord:
    """Return the record as failed. The caller writes it only if the record is unchanged."""
    update = {"status": MeetingStatus.FAILED, "stage": None, "reason": reason}
    return stamp_change(record, record.model_copy(update=update), at)


def start_new_attempt(record: MeetingRecord, at: datetime) -> MeetingRecord:
    """Return the record as incomplete, with a new attempt, so that the uploads are checked again."""
    update = {
        "status": MeetingStatus.INCOMPLETE,
        "stage": None,
        "attempt": record.attempt + 1,
        "last_tried_uploads": "",  # the same uploads may be tried again
    }
    return stamp_change(record, record.model_copy(update=update), at)


def postpone_sweep(record: MeetingRecord, until: datetime) -> MeetingRecord:
    """Return the record with a later time for the next sweep. Clients see no change."""
    return record.model_copy(update={"due": timestamp(until), "version": record.version + 1})


def wrong_chunk_fields(wrong: tuple[WrongChunk, ...]) -> dict[str, object]:
    """Return the values of the record's fields `wrong` and `wrong_count`."""
    return {"wrong": wrong[:MAX_LISTED_CHUNKS], "wrong_count": len(wrong)}


def stamp_change(before: MeetingRecord | None, after: MeetingRecord, at: datetime) -> MeetingRecord:
    """Return the changed record with its new version, times and due time; return `before` itself if nothing changed."""
    if before is not None and after == before:
        return before
    now = timestamp(at)
    has_new_rank = before is None or progress_rank(before) != progress_rank(after)
    update = {
        "version": 1 if before is None else before.version + 1,
        "since": now if has_new_rank else after.since,
        "due": _next_sweep(before, after, at),
        "updated_at": now,
    }
    return after.model_copy(update=update)


def _next_sweep(before: MeetingRecord | None, after: MeetingRecord, at: datetime) -> str | None:
    """Return the time from which a sweep checks the changed record; None if it is finished."""
    if after.status not in _UNFINISHED:
        return None
    if before is not None and (before.attempt, before.status) == (after.attempt, after.status):
        return before.due  # a new stage of the same attempt changes the rank, but does not move the next sweep
    return timestamp(at + FIRST_SWEEP_DELAY)

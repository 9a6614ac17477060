"""State transitions of a meeting: how its record changes after a report of the workflow.

The functions make no AWS calls. They compute the changed record, and the caller writes it to the table.

An execution of the Step Functions workflow processes a recording, and reports its progress. Reports may arrive late or
repeatedly. So a report is applied only if it belongs to the current attempt and raises the record's rank. The rank is
the attempt and, within the attempt, the rank of the status and stage.

`ready` ranks above `failed`, so a meeting that was marked as failed becomes ready if its execution succeeds after all.
If the media job, the first stage, reports missing or wrong chunks (files of the recording), the meeting becomes
incomplete again, with a new attempt.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from handlers.common.ids import timestamp
from handlers.meetings.execution_name_and_input import MeetingExecution
from handlers.meetings.meeting_record import MAX_LISTED_CHUNKS, MeetingReason, MeetingRecord, MeetingStatus, Stage
from handlers.meetings.upload_completion_file import WrongChunk

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
"""Reason for a failure in each stage, if no other reason is known."""


@dataclass(frozen=True)
class ExecutionReport:
    """Report of an execution of the workflow about the recording that it processes."""

    execution: MeetingExecution
    status: MeetingStatus
    stage: Stage | None = None
    reason: MeetingReason | None = None
    """Reason for a failure, or for the missing transcript or summary of a ready meeting. After a failure without a
    reason, the record gets the reason of its stage (`STAGE_FAILURES`).
    """
    wrong: tuple[WrongChunk, ...] = ()
    """Chunks because of which the media job rejected the recording."""
    fields: Mapping[str, object] = field(default_factory=dict)
    """Values of further fields of the record, such as the S3 keys of the video and the transcript."""


def progress_rank(record: MeetingRecord) -> tuple[int, int]:
    """Return the rank of a record: its attempt, and then the rank of its status and stage."""
    return record.attempt, PROGRESS_RANKS[record.status, record.stage]


def is_current(record: MeetingRecord, execution: MeetingExecution) -> bool:
    """Return True if the execution belongs to the record's current recording and attempt."""
    return (record.content, record.attempt) == (execution.recording.content, execution.attempt)


def apply_report(record: MeetingRecord, report: ExecutionReport, at: datetime) -> MeetingRecord:
    """Return the record after a report, or the same record if the report is not applied."""
    if not is_current(record, report.execution):
        return record
    reason = report.reason
    if reason is None and report.status is MeetingStatus.FAILED:
        reason = STAGE_FAILURES[record.stage or Stage.MEDIA]
    update = {"status": report.status, "stage": report.stage, "reason": reason, **report.fields}
    if report.status is MeetingStatus.INCOMPLETE:
        if record.stage is not Stage.MEDIA:
            return record  # the attempt is in a later stage already, or has ended
        update["attempt"] = record.attempt + 1  # in the same attempt, this status would lower the rank
    after = record.model_copy(update={**update, **wrong_chunk_fields(report.wrong)})
    return stamp_change(record, after, at) if progress_rank(after) > progress_rank(record) else record


def wrong_chunk_fields(wrong: tuple[WrongChunk, ...]) -> dict[str, object]:
    """Return the values of the record's fields `wrong` and `wrong_count` for all wrong chunks."""
    return {"wrong": wrong[:MAX_LISTED_CHUNKS], "wrong_count": len(wrong)}


def stamp_change(before: MeetingRecord | None, after: MeetingRecord, at: datetime) -> MeetingRecord:
    """Return `after` with its new version and times, or `before` itself if nothing changed. `before` is None for a new
    meeting.
    """
    if before is not None and after == before:
        return before
    now = timestamp(at)
    has_new_rank = before is None or progress_rank(before) != progress_rank(after)
    update = {
        "version": 1 if before is None else before.version + 1,
        "since": now if has_new_rank else after.since,
        "updated_at": now,
    }
    return after.model_copy(update=update)

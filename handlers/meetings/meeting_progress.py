"""Where a meeting stands, and how it moves on by what its executions say. Pure.

A meeting's place is its attempt and, within that, how far it has come; it only rises. So what is heard again, late, of
an earlier attempt or of another content changes nothing. A failure is no end: what was given up and is done after all
counts as done. What cannot be worked on before more of it has arrived waits for its next attempt.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from handlers.common.time_and_ids.timestamps import timestamp
from handlers.meetings.complete_file import WrongChunk
from handlers.meetings.meeting_record import MAX_LISTED_CHUNKS, MeetingReason, MeetingRecord, MeetingStatus, Stage
from handlers.meetings.s3_keys import Recording

HASH_DIGITS: Final = 32
FIRST_SWEEP_DELAY: Final = timedelta(minutes=15)
"""After which somebody looks at what was begun: what is started is running by then."""
PROGRESS_RANKS: Final[Mapping[tuple[MeetingStatus, Stage | None], int]] = {
    (MeetingStatus.INCOMPLETE, None): 0,
    (MeetingStatus.PROCESSING, Stage.MEDIA): 1,
    (MeetingStatus.PROCESSING, Stage.TRANSCRIPTION): 2,
    (MeetingStatus.PROCESSING, Stage.SUMMARY): 3,
    (MeetingStatus.FAILED, None): 4,
    (MeetingStatus.READY, None): 5,
}
STAGE_FAILURES: Final[Mapping[Stage, MeetingReason]] = {
    Stage.MEDIA: MeetingReason.MEDIA_FAILED,
    Stage.TRANSCRIPTION: MeetingReason.TRANSCRIPTION_FAILED,
    Stage.SUMMARY: MeetingReason.SUMMARY_FAILED,
}
"""What it is where a stage fails and says no more."""
_UNFINISHED = frozenset({MeetingStatus.INCOMPLETE, MeetingStatus.PROCESSING})


@dataclass(frozen=True)
class MeetingExecution:
    """An execution of the workflow: one attempt at one recording.

    Its name says of which meeting it is, of which content, and which attempt: the name of an execution that has ended
    is refused for 90 days, so that what is begun anew has a number of its own. The hash has the user in it: two users
    may call a meeting the same.
    """

    recording: Recording
    attempt: int

    @classmethod
    def for_record(cls, record: MeetingRecord) -> "MeetingExecution":
        """The one that a meeting's item is about."""
        return cls(Recording(record.meeting, record.content), record.attempt)

    @property
    def name(self) -> str:
        """At most 80 characters, as long as a meeting is begun anew less than 10^20 times."""
        meeting = self.recording.meeting
        said = f"{meeting.user}/{meeting.meeting_id}/{self.recording.content}"
        digest = hashlib.sha256(said.encode()).hexdigest()[:HASH_DIGITS]
        return f"{meeting.meeting_id}-{digest}-{self.attempt}"

    @property
    def input(self) -> dict[str, object]:
        """What the workflow is given, and gives each of its steps. The same again is the same text."""
        meeting = self.recording.meeting
        return {
            "schemaVersion": 1,
            "user": meeting.user,
            "meetingId": meeting.meeting_id,
            "content": self.recording.content,
            "attempt": self.attempt,
        }


@dataclass(frozen=True)
class ExecutionReport:
    """What an execution says of its recording."""

    execution: MeetingExecution
    status: MeetingStatus
    stage: Stage | None = None
    reason: MeetingReason | None = None
    wrong: tuple[WrongChunk, ...] = ()
    fields: Mapping[str, object] = field(default_factory=dict)
    """What else the meeting's item is to say, by the fields' names."""


def progress_rank(record: MeetingRecord) -> tuple[int, int]:
    """Where a meeting stands; only ever more."""
    return record.attempt, PROGRESS_RANKS[record.status, record.stage]


def is_current(record: MeetingRecord, execution: MeetingExecution) -> bool:
    """Whether a meeting's item is about this attempt."""
    return (record.content, record.attempt) == (execution.recording.content, execution.attempt)


def apply_report(record: MeetingRecord, word: ExecutionReport, at: datetime) -> MeetingRecord:
    """A meeting once a word is heard; the same where that is old."""
    if not is_current(record, word.execution):
        return record
    changed: dict[str, object] = {"status": word.status, "stage": word.stage, "reason": word.reason, **word.fields}
    if word.status is MeetingStatus.INCOMPLETE:
        if record.stage is not Stage.MEDIA:
            return record  # somebody else has said what came of the chunks
        changed["attempt"] = record.attempt + 1
    after = record.model_copy(update={**changed, **wrong_chunk_fields(word.wrong)})
    return stamp_change(record, after, at) if progress_rank(after) > progress_rank(record) else record


def mark_failed(record: MeetingRecord, reason: MeetingReason, at: datetime) -> MeetingRecord:
    """A meeting that is given up by whoever has seen it as it is."""
    update = {"status": MeetingStatus.FAILED, "stage": None, "reason": reason}
    return stamp_change(record, record.model_copy(update=update), at)


def restart(record: MeetingRecord, at: datetime) -> MeetingRecord:
    """A meeting that is to be looked at as if its chunks had just arrived, since an attempt came to nothing."""
    update = {"status": MeetingStatus.INCOMPLETE, "stage": None, "attempt": record.attempt + 1, "tried": ""}
    return stamp_change(record, record.model_copy(update=update), at)


def postpone(record: MeetingRecord, until: datetime) -> MeetingRecord:
    """A meeting that nobody need look at before then; to its user it is the same."""
    return record.model_copy(update={"due": timestamp(until), "version": record.version + 1})


def wrong_chunk_fields(wrong: tuple[WrongChunk, ...]) -> dict[str, object]:
    """What an item says of chunks that are wrong."""
    return {"wrong": wrong[:MAX_LISTED_CHUNKS], "wrong_count": len(wrong)}


def stamp_change(before: MeetingRecord | None, after: MeetingRecord, at: datetime) -> MeetingRecord:
    """What is to be written of a meeting as it is to be; the very same where nothing changes."""
    if before is not None and after == before:
        return before
    now, moved = timestamp(at), before is None or progress_rank(before) != progress_rank(after)
    # Whoever goes on with the same is looked at when it was due before.
    goes_on = before is not None and (before.attempt, before.status) == (after.attempt, after.status)
    due = before.due if before is not None and goes_on else timestamp(at + FIRST_SWEEP_DELAY)
    update = {
        "version": 1 if before is None else before.version + 1,
        "since": now if moved else after.since,
        "due": due if after.status in _UNFINISHED else None,
        "updated_at": now,
    }
    return after.model_copy(update=update)

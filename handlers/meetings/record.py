"""State of a meeting: its record, and the rules by which uploads, the workflow's reports and a deletion change it.

A recording consists of files, which are called chunks. The client uploads them, and then `complete.json`, which lists
them and describes the meeting. The hash `content` identifies the recording by its chunks. An execution of the Step
Functions workflow processes the recording and reports its progress. A new recording, or a retry after a failure, is a new
attempt with its own execution.

A record has a rank: the number of the attempt and, within the attempt, the rank of its status and stage. No change
lowers it. So reports that arrive late, repeatedly or in another order give the same record. `ready` ranks above
`failed`, so a meeting that was marked as failed becomes ready if its execution succeeds after all.

The functions make no AWS calls. They return the same record if nothing changes.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from handlers.common.events import is_later
from handlers.common.ids import timestamp
from handlers.common.logging import LogText, hash_for_log
from handlers.common.records import Attributes, Record
from handlers.meetings.recording_files import CompleteFile, MeetingReason, WrongChunk
from handlers.meetings.s3_keys import MeetingId

PARTITION = "user"
"""Partition key of the table. A role's policy can restrict a user to one partition."""
SORT = "meetingId"
INDEX = "GSI-1"
"""Name of the index that sorts each user's meetings by date."""
INDEX_SORT = "startedAt"
"""Sort key of the index. Its partition key is `PARTITION` too."""
TTL = "ttl"
"""Attribute with the time at which DynamoDB deletes an item, in seconds since 1970. Only a tombstone has it."""
MAX_LISTED_CHUNKS = 1_000
"""Maximum number of wrong chunks that a record lists. A recording may have 5,000 chunks, and a list of all of
them could exceed the 400 KB of a DynamoDB item.
"""
TOMBSTONE_DAYS = 30
"""Time for which a tombstone is kept. Later than that, nothing reports on the meeting: an execution ends within days, and
SQS keeps the event of an upload for two weeks.
"""


class MeetingStatus(StrEnum):
    """Status of a meeting."""

    PROCESSING = "processing"
    """An execution has been started. If it ended without a report, for example because an operator aborted it, a new
    upload of `complete.json` restarts the meeting.
    """
    READY = "ready"
    """The output exists. If there is no transcript or no summary, `reason` explains why."""
    FAILED = "failed"
    """`reason` explains the failure. A new upload of `complete.json` restarts the meeting. If chunks are missing or wrong,
    the client uploads them first.
    """
    DELETED = "deleted"
    """The user has deleted the meeting. The record is a tombstone, which has no content and is in no index. A deleted
    meeting never returns.
    """


class Stage(StrEnum):
    """Stage of a meeting whose status is `processing`."""

    MEDIA = "media"
    """The media job checks the chunks and makes video and audio."""
    TRANSCRIPTION = "transcription"
    SUMMARY = "summary"


RANKS: Final[Mapping[tuple[MeetingStatus, Stage | None], int]] = {
    (MeetingStatus.PROCESSING, Stage.MEDIA): 0,
    (MeetingStatus.PROCESSING, Stage.TRANSCRIPTION): 1,
    (MeetingStatus.PROCESSING, Stage.SUMMARY): 2,
    (MeetingStatus.FAILED, None): 3,
    (MeetingStatus.READY, None): 4,
    (MeetingStatus.DELETED, None): 5,
}
"""Rank of each status and stage within one attempt."""


class MeetingRecord(Record):
    """One meeting. An attribute in the table has the field's name in camelCase, such as `meetingId`."""

    schema_version: int = 1
    user: str
    meeting_id: str
    content: str = ""
    """Hash that identifies the recording. Empty if only a malformed `complete.json` was uploaded."""
    title: str = ""
    started_at: str | None = None
    """Start of the meeting. Until a valid `complete.json` was uploaded, the time at which the record was created. None
    for a deleted meeting.
    """
    language: str = ""
    """Language code. Empty until a valid `complete.json` was uploaded."""
    participants: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    status: MeetingStatus
    stage: Stage | None = None
    """None unless the status is `processing`."""
    reason: MeetingReason | None = None
    """Reason for a failure, or for the missing transcript or summary of a ready meeting."""
    wrong: tuple[WrongChunk, ...] = ()
    """The first 1,000 chunks that are missing or wrong, or `complete.json` if it cannot be used."""
    duration_ms: int | None = None
    """Duration of the recording. None until the media job has measured it."""
    video_key: str | None = None
    """S3 key of the video, or None if there is none."""
    transcript_key: str | None = None
    """S3 key of the transcript, or None if there is none."""
    summary_key: str | None = None
    """S3 key of the summary, or None if there is none."""
    updated_at: str
    attempt: int = 1
    """Number of the processing attempt. It rises if a recording has to be processed again, or if another recording is
    uploaded. Each attempt has at most one execution.
    """
    sequencer: str = "0"
    """Number by which S3 orders the uploads of `complete.json`, of the latest one that this record contains."""
    uploaded_at: str | None = None
    """Upload time of the `complete.json` that began the attempt. None until a valid one was uploaded."""

    @property
    def execution_name(self) -> str:
        """Name of the current attempt's execution, which may not have been started.

        It identifies the meeting, the recording and the attempt, so the same attempt cannot be started twice. Step
        Functions refuses the name of an ended execution for 90 days. It allows 80 characters, which leaves 20 for the
        attempt.
        """
        # The hash contains the user, because two users may have the same meeting id.
        identity = f"{self.user}/{self.meeting_id}/{self.content}"
        return f"{self.meeting_id}-{hashlib.sha256(identity.encode()).hexdigest()[:32]}-{self.attempt}"

    @property
    def execution_input(self) -> dict[str, object]:
        """Input of the execution. The workflow's states also pass these values to the Lambda function `steps`.

        All values must be the same whenever the start is repeated, because Step Functions accepts a repeated start only
        with the same input.
        """
        fields = {"schema_version", "user", "meeting_id", "content", "attempt"}
        return self.model_dump(mode="json", by_alias=True, include=fields)

    def is_attempt(self, content: str, attempt: int) -> bool:
        """Return True if the current attempt has this number, and processes this recording."""
        return (self.content, self.attempt) == (content, attempt)

    @property
    def rank(self) -> tuple[int, int]:
        return self.attempt, RANKS[self.status, self.stage]


def meeting_hash(meeting: MeetingId) -> LogText:
    """Return the hash that identifies a meeting in logs."""
    return hash_for_log(f"{meeting.user}/{meeting.meeting_id}")


def record_key(meeting: MeetingId) -> dict[str, str]:
    """Return the key of a meeting's item."""
    return {PARTITION: meeting.user, SORT: meeting.meeting_id}


def record_attributes(record: MeetingRecord) -> Attributes:
    """Return the attributes of a meeting's item that are not in its record."""
    if record.status is not MeetingStatus.DELETED:
        return {}
    end = datetime.fromisoformat(record.updated_at) + timedelta(days=TOMBSTONE_DAYS)
    return {TTL: int(end.timestamp())}


@dataclass(frozen=True)
class Upload:
    """An uploaded `complete.json`, compared with the chunks in S3."""

    sequencer: str
    """Number by which S3 orders the uploads of the meeting's `complete.json`."""
    complete_file: CompleteFile | None
    """The parsed file. None if it cannot be used."""
    wrong: tuple[WrongChunk, ...]
    """Chunks that are missing or do not have the stated size. Or `complete.json` itself, if it cannot be used."""
    uploaded_at: str | None = None
    """Time of the upload. None if the file cannot be used."""


def apply_upload(
    record: MeetingRecord | None, meeting: MeetingId, upload: Upload, ended: str | None, at: datetime
) -> MeetingRecord:
    """Return the record after an upload of `complete.json`. `record` is None for a new meeting.

    `ended` is the name of an execution that is known to have ended, or None. If it is the current one, and the meeting is
    still in progress, nothing will report on it any more.

    - Other chunks are a new attempt, whatever the status was.
    - The same chunks are a new attempt if the meeting has failed or its execution has ended, because the client wants
      a retry. Otherwise only the description changes, for example the title.
    - An attempt whose chunks are not all there fails at once.
    - A file that cannot be used marks the meeting as failed, unless it is ready or in progress.
    """
    if record is not None and (
        record.status is MeetingStatus.DELETED or not is_later(upload.sequencer, record.sequencer)
    ):
        return record  # a repeated event, or the event of an upload that was replaced
    before = record or _new_record(meeting, at)
    wrong = upload.wrong[:MAX_LISTED_CHUNKS]
    complete = upload.complete_file
    if complete is None:
        if before.status is not MeetingStatus.FAILED:
            return before
        malformed = {"reason": MeetingReason.MALFORMED, "wrong": wrong, "sequencer": upload.sequencer}
        return _changed(before, at, malformed)
    description: dict[str, object] = {
        "title": complete.title,
        "started_at": complete.started_at,
        "participants": complete.participants,
        "tags": complete.tags,
        "sequencer": upload.sequencer,
    }
    has_ended = before.status is MeetingStatus.FAILED or (
        before.status is MeetingStatus.PROCESSING and ended == before.execution_name
    )
    if before.content == complete.content and not has_ended:
        return _changed(before, at, description)
    attempt: dict[str, object] = {
        "attempt": 1 if record is None else record.attempt + 1,
        "content": complete.content,
        "language": complete.language,
        "uploaded_at": upload.uploaded_at,
    }
    if wrong:
        attempt |= {"reason": MeetingReason.INCOMPLETE, "wrong": wrong}
    else:
        attempt |= {"status": MeetingStatus.PROCESSING, "stage": Stage.MEDIA, "reason": None}
    return _changed(_new_record(meeting, at), at, {**description, **attempt})


def apply_report(
    record: MeetingRecord | None, content: str, attempt: int, changes: Mapping[str, Any], at: datetime
) -> MeetingRecord | None:
    """Return the record after a report of an attempt's execution. Only the current attempt can change it.

    `changes` are values of the record's fields, with a status. Without a value, the meeting has no stage, reason or wrong
    chunks any more.
    """
    if record is None or not record.is_attempt(content, attempt):
        return record
    fields = {"stage": None, "reason": None, "wrong": (), **changes}
    after = _changed(record, at, {**fields, "wrong": fields["wrong"][:MAX_LISTED_CHUNKS]})
    return after if after.rank > record.rank else record


def apply_deletion(record: MeetingRecord | None, at: datetime) -> MeetingRecord | None:
    """Return the tombstone of a meeting: its keys, and the rank above which nothing can raise it."""
    if record is None or record.status is MeetingStatus.DELETED:
        return record
    return MeetingRecord(
        user=record.user,
        meeting_id=record.meeting_id,
        status=MeetingStatus.DELETED,
        attempt=record.attempt,
        updated_at=timestamp(at),
    )


def _new_record(meeting: MeetingId, at: datetime) -> MeetingRecord:
    """Return the record of a new meeting. It has failed until a usable `complete.json` changes the status or reason."""
    now = timestamp(at)
    return MeetingRecord(
        user=meeting.user,
        meeting_id=meeting.meeting_id,
        started_at=now,
        status=MeetingStatus.FAILED,
        reason=MeetingReason.MALFORMED,
        updated_at=now,
    )


def _changed(record: MeetingRecord, at: datetime, fields: Mapping[str, object]) -> MeetingRecord:
    return record.model_copy(update={**fields, "updated_at": timestamp(at)})

"""Record of a meeting, as the table stores it and as the user's app reads it, and the keys of the table.

A recording consists of files, which are called chunks. The client uploads them, and then `complete.json`, which lists
them. An execution of the Step Functions workflow processes the recording and reports its progress to the record.

A user can upload another recording for the same meeting. The record describes only the latest recording, which the hash
`content` identifies.
"""

from enum import StrEnum

from pydantic import Field

from handlers.common.json_models import Message
from handlers.meetings.s3_keys import MeetingId
from handlers.meetings.upload_completion_file import WrongChunk

PARTITION = "user"
"""Partition key of the table. A role's policy can restrict a user to one partition."""
SORT = "meetingId"
INDEX = "GSI-1"
"""Name of the index that sorts each user's meetings by date."""
INDEX_SORT = "startedAt"
"""Sort key of the index. Its partition key is `PARTITION` too."""
MAX_LISTED_CHUNKS = 1_000
"""Maximum number of wrong chunks that a record lists. A recording may have 5,000 chunks, and a list of all of
them could exceed the 400 KB of a DynamoDB item.
"""


class MeetingStatus(StrEnum):
    """Status of a meeting."""

    INCOMPLETE = "incomplete"
    """Chunks are missing or wrong; `wrong` lists them. Processing starts when they arrive."""
    PROCESSING = "processing"
    """An execution has been started. If it ended without a report, for example because an operator aborted it, a new
    upload of `complete.json` restarts the meeting.
    """
    READY = "ready"
    """The output exists. If there is no transcript or no summary, `reason` explains why."""
    FAILED = "failed"
    """`reason` explains the failure. A new upload of `complete.json` restarts the meeting."""


class Stage(StrEnum):
    """Stage of a meeting whose status is `processing`."""

    MEDIA = "media"
    """The media job checks the chunks and makes video and audio."""
    TRANSCRIPTION = "transcription"
    SUMMARY = "summary"


class MeetingReason(StrEnum):
    """Reason for a failure, or for the missing transcript or summary of a ready meeting."""

    MALFORMED = "MALFORMED"
    """`complete.json` cannot be used."""
    UNREADABLE = "UNREADABLE"
    """Chunks cannot be decoded; `wrong` lists them."""
    TOO_LARGE = "TOO_LARGE"
    """The recording exceeds the maximum duration or the media job's disk."""
    NO_AUDIO = "NO_AUDIO"
    """The recording has no audio, so the meeting is ready without transcript and summary."""
    NOTHING_SAID = "NOTHING_SAID"
    """The transcript is empty, so the meeting is ready without a summary."""
    MEDIA_FAILED = "MEDIA_FAILED"
    TRANSCRIPTION_FAILED = "TRANSCRIPTION_FAILED"
    SUMMARY_FAILED = "SUMMARY_FAILED"


class MeetingRecord(Message):
    """One meeting. An attribute in the table has the field's alias as its name, or else the field's name in camelCase,
    such as `meetingId`.
    """

    schema_version: int = 1
    user: str
    meeting_id: str
    content: str
    """Hash that identifies the recording. Empty if only a malformed `complete.json` was uploaded."""
    title: str
    started_at: str
    """Start of the meeting. Until a valid `complete.json` was uploaded, the time at which the record was created."""
    language: str
    """Language code. Empty until a valid `complete.json` was uploaded."""
    participants: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    status: MeetingStatus
    stage: Stage | None = None
    """None unless the status is `processing`."""
    reason: MeetingReason | None = None
    """Reason for a failure, or for the missing transcript or summary of a ready meeting."""
    since: str
    """Time at which the meeting reached its current attempt, stage and status."""
    wrong: tuple[WrongChunk, ...] = ()
    """The first 1,000 chunks that are missing or wrong."""
    wrong_count: int = 0
    """Number of all chunks that are missing or wrong."""
    size: int
    """Total size of all chunks in bytes."""
    duration_ms: int | None = None
    """Duration of the recording. None until the media job has measured it."""
    video_key: str | None = None
    """S3 key of the video, or None if there is none."""
    transcript_key: str | None = None
    """S3 key of the transcript, or None if there is none."""
    summary_key: str | None = None
    """S3 key of the summary, or None if there is none."""
    created_at: str
    updated_at: str
    attempt: int = 1
    """Number of the processing attempt. It rises if a recording has to be processed again, or if another recording is
    uploaded. Each attempt has at most one execution.
    """
    complete_fingerprint: str = Field(default="", alias="said")
    """Fingerprint (ETag and upload time) of the uploaded `complete.json` from which the record was last updated."""
    last_tried_uploads: str = Field(default="", alias="tried")
    """Fingerprints of `complete.json` and of the chunks when the last execution was started. As long as the uploads
    have these fingerprints, no other execution is started, because it would give the same result. Empty if the next
    execution may be started even with unchanged uploads.
    """
    whole_at: str | None = None
    """Upload time of the recording's last object, a chunk or `complete.json`. None until all chunks have arrived."""
    version: int = 1
    """Number of changes. A write fails if the table no longer has the version that the writer read."""

    @property
    def meeting(self) -> MeetingId:
        return MeetingId(self.user, self.meeting_id)

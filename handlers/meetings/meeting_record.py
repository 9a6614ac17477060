"""A meeting as DynamoDB stores it and as its user reads it.

The partition key is the user, because a role's policy can restrict access to one partition. The index sorts a user's
meetings by date.

A user can upload another recording for the same meeting. Its record describes the latest recording, which the hash
`content` identifies. `meeting_state_transitions.py` ignores reports of executions that processed an earlier one.
"""

from enum import StrEnum

from pydantic import Field

from handlers.common.json_models import Message
from handlers.meetings.s3_keys import MeetingId
from handlers.meetings.upload_completion_file import WrongChunk

PARTITION = "user"
"""Partition key of the table."""
SORT = "meetingId"
"""Sort key of the table."""
INDEX = "GSI-1"
"""Name of the index by date."""
INDEX_SORT = "startedAt"
"""Sort key of the index. Its partition key is the user too."""
DUE_PARTITION = "#open"
"""Partition of the items that list the meetings for the sweep. No user has this name, so no user's role can read it."""
MAX_LISTED_CHUNKS = 1_000
"""Maximum number of wrong chunks that a record lists, because an item of the table may have 400 KB. `wrong_count`
counts all of them.
"""


class MeetingStatus(StrEnum):
    """Status of a meeting."""

    INCOMPLETE = "incomplete"
    """Chunks are missing or wrong; `wrong` lists them. Processing starts when they arrive."""
    PROCESSING = "processing"
    READY = "ready"
    """The output exists. `reason` explains why a transcript or summary is missing."""
    FAILED = "failed"


class Stage(StrEnum):
    """Stage of a meeting that is being processed."""

    MEDIA = "media"
    """The media job checks the chunks and makes video and audio."""
    TRANSCRIPTION = "transcription"
    SUMMARY = "summary"


class MeetingReason(StrEnum):
    """Reason for a failure, or for the missing transcript or summary of a ready meeting."""

    MALFORMED = "MALFORMED"
    """`complete.json` cannot be used."""
    NEVER_COMPLETE = "NEVER_COMPLETE"
    """Chunks were missing for so long that the sweep ended the meeting."""
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
    TIMED_OUT = "TIMED_OUT"
    """The execution took too long, or the recording is too old to be restarted."""


class MeetingRecord(Message):
    """One meeting. The attributes in the table are the aliases of the fields, such as `meetingId` and `startedAt`."""

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
    """Wrong chunks; only the first 1,000 of them."""
    wrong_count: int = 0
    """Number of all wrong chunks."""
    size: int
    """Total size of all chunks in bytes."""
    duration_ms: int | None = None
    """Duration of the recording. None until the media job has measured it."""
    video_key: str | None = None
    """S3 key of the video. None while there is none."""
    transcript_key: str | None = None
    """S3 key of the transcript. None while there is none."""
    summary_key: str | None = None
    """S3 key of the summary. None while there is none."""
    created_at: str
    updated_at: str
    attempt: int = 1
    """Number of the processing attempt. It rises if the recording has to be processed again."""
    complete_fingerprint: str = Field(default="", alias="said")
    """Fingerprint of the `complete.json` from which this record was made. Its attribute in the table has the older name
    `said`.
    """
    last_tried_uploads: str = Field(default="", alias="tried")
    """The uploads with which the last execution was started: the fingerprint of `complete.json` and that of the chunks.
    No execution is started with the same uploads again, because it would give the same result. Empty if the next
    execution may be started with any uploads. Its attribute in the table has the older name `tried`.
    """
    whole_at: str | None = None
    """Latest upload time of the recording's objects: its chunks and `complete.json`. None until all chunks arrived."""
    due: str | None = None
    """Time of the sweep's next check. None if the meeting is finished."""
    version: int = 1
    """Number of changes. A write names the version that was read, and fails if the record has another one."""

    @property
    def meeting(self) -> MeetingId:
        """The user and id of the meeting."""
        return MeetingId(self.user, self.meeting_id)

"""A meeting as the table keeps it, and as its user reads it there. Pure.

The partition is the user's name, which is what a role bound to him may read; the index lists his meetings by date. An
item is about the latest content of its meeting: what is heard of an older one changes nothing.
"""

from enum import StrEnum

from handlers.common.messages import Message
from handlers.meetings.media import WrongChunk

PARTITION = "user"
SORT = "meetingId"
INDEX = "GSI-1"
INDEX_SORT = "startedAt"
"""The index's partition is the user too."""


class MeetingStatus(StrEnum):
    """How far a meeting has come."""

    INCOMPLETE = "incomplete"
    """Chunks are missing or wrong: `wrong` lists them; it goes on when they arrive."""
    PROCESSING = "processing"
    READY = "ready"
    FAILED = "failed"


class Stage(StrEnum):
    """What is being done with a meeting that is processed."""

    MEDIA = "media"
    TRANSCRIPTION = "transcription"
    SUMMARY = "summary"


class MeetingReason(StrEnum):
    """Why a meeting failed, or lacks something although it is ready."""

    NEVER_COMPLETE = "NEVER_COMPLETE"
    UNREADABLE = "UNREADABLE"
    TOO_LARGE = "TOO_LARGE"
    NO_AUDIO = "NO_AUDIO"
    """Ready, without transcript and summary."""
    NOTHING_SAID = "NOTHING_SAID"
    """Ready, without a summary."""
    MEDIA_FAILED = "MEDIA_FAILED"
    TRANSCRIPTION_FAILED = "TRANSCRIPTION_FAILED"
    SUMMARY_FAILED = "SUMMARY_FAILED"
    TIMED_OUT = "TIMED_OUT"


class MeetingRecord(Message):
    """One meeting. Its attributes in the table are the aliases: `meetingId`, `startedAt`."""

    schema_version: int = 1
    user: str
    meeting_id: str
    content: str
    """Of the recording that this is about."""
    title: str
    started_at: str
    language: str
    participants: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    status: MeetingStatus
    stage: Stage | None = None
    reason: MeetingReason | None = None
    since: str
    """When it came to where it is."""
    wrong: tuple[WrongChunk, ...] = ()
    size: int
    """Bytes of all chunks."""
    duration_ms: int | None = None
    video_key: str | None = None
    transcript_key: str | None = None
    summary_key: str | None = None
    created_at: str
    updated_at: str

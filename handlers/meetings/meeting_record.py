"""A meeting as the table keeps it, and as its user reads it there. Pure.

The partition is the user's name, which is what a role bound to him may read; the index lists his meetings by date. An
item is about the latest content of its meeting: what is heard of an older one changes nothing (`standing.py`).
"""

from enum import StrEnum

from handlers.common.websocket.messages import Message
from handlers.meetings.complete_file import WrongChunk
from handlers.meetings.s3_keys import MeetingId

PARTITION = "user"
SORT = "meetingId"
INDEX = "GSI-1"
INDEX_SORT = "startedAt"
"""The index's partition is the user too."""
DUE_PARTITION = "#open"
"""The partition of what somebody is to look at again: no user has this name, so no role bound to one reads it."""
MAX_LISTED_CHUNKS = 1_000
"""Chunks that an item lists, since it has 400 KB; `wrongCount` says how many there are."""


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

    MALFORMED = "MALFORMED"
    """`complete.json` says nothing that can be used."""
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
    """Of the recording that this is about; empty where nothing is known but that it was malformed."""
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
    """The first of them, where there are more than `MAX_WRONG`."""
    wrong_count: int = 0
    size: int
    """Bytes of all chunks."""
    duration_ms: int | None = None
    video_key: str | None = None
    transcript_key: str | None = None
    summary_key: str | None = None
    created_at: str
    updated_at: str
    attempt: int = 1
    """Which execution this is about, or will be: it counts up whenever work begins anew."""
    said: str = ""
    """Which `complete.json` this is by."""
    tried: str = ""
    """What `complete.json` and the chunks were when the last execution was started: just the same come to the same."""
    whole_at: str | None = None
    """When the last of what is being worked on had arrived."""
    due: str | None = None
    """When somebody is to look at it again; none where nothing is waited for."""
    version: int = 1
    """Counts its changes: who changes it says which one he has seen."""

    @property
    def meeting(self) -> MeetingId:
        """Whose and which."""
        return MeetingId(self.user, self.meeting_id)

"""Record meetings, and read what came of them: a client of the meetings backend. The guide is docs/meetings-client.md."""

from clients.meetings.client import MeetingsClient
from clients.meetings.errors import (
    ChunkRefused,
    ExchangeFailed,
    ExchangeUnavailable,
    MeetingFailed,
    MeetingIncomplete,
    MeetingsError,
    MeetingUnknown,
    MeetingUnreadable,
    NotMade,
    NotReadyInTime,
    RequestRefused,
    TokenRefused,
    UploadInterrupted,
    UserChanged,
)
from clients.meetings.models import NewMeeting, Uploaded
from clients.meetings.reading import MeetingList
from handlers.meetings.media import ChunkProblem, WrongChunk
from handlers.meetings.records import MeetingReason, MeetingRecord, MeetingStatus, Stage
from handlers.meetings.summary import ActionItem, Quoted, Summary, Tokens
from handlers.meetings.transcript import Said, Transcript

__all__ = [
    "ActionItem",
    "ChunkProblem",
    "ChunkRefused",
    "ExchangeFailed",
    "ExchangeUnavailable",
    "MeetingFailed",
    "MeetingIncomplete",
    "MeetingList",
    "MeetingReason",
    "MeetingRecord",
    "MeetingStatus",
    "MeetingUnknown",
    "MeetingUnreadable",
    "MeetingsClient",
    "MeetingsError",
    "NewMeeting",
    "NotMade",
    "NotReadyInTime",
    "Quoted",
    "RequestRefused",
    "Said",
    "Stage",
    "Summary",
    "TokenRefused",
    "Tokens",
    "Transcript",
    "UploadInterrupted",
    "Uploaded",
    "UserChanged",
    "WrongChunk",
]

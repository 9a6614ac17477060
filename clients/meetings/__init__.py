"""Client of the meetings backend: upload recordings, and read transcripts and summaries (docs/meetings-client.md).

The names `ExchangeFailed` and `ExchangeUnavailable` refer to the exchange of an identity provider's token for AWS
credentials. `NotMade` means that a meeting has no transcript or no summary. `MeetingReason` is the reason for this, or
for the failure of a meeting. A chunk is one file of a recording. `ChunkRefused` is the client's error for files that it
does not upload. `WrongChunk` is the backend's report of an uploaded file that it cannot use.
"""

from clients.meetings.client_errors import (
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
from clients.meetings.meeting_queries import MeetingList
from clients.meetings.meetings_client import MeetingsClient
from clients.meetings.upload_models import NewMeeting, Uploaded
from handlers.meetings.bedrock_summarize.stored_summary_models import (
    ActionItem,
    Summary,
    SummaryTokens,
    TranscriptQuote,
)
from handlers.meetings.bedrock_summarize.stored_transcript_models import Transcript, TranscriptSegment
from handlers.meetings.meeting_record import MeetingReason, MeetingRecord, MeetingStatus, Stage
from handlers.meetings.upload_completion_file import ChunkProblem, WrongChunk

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
    "RequestRefused",
    "Stage",
    "Summary",
    "SummaryTokens",
    "TokenRefused",
    "Transcript",
    "TranscriptQuote",
    "TranscriptSegment",
    "UploadInterrupted",
    "Uploaded",
    "UserChanged",
    "WrongChunk",
]

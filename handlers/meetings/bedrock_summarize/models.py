"""Data models of the summary function: the workflow's event, and the transcript and summary that clients read from S3.

The Step Functions workflow recognises the two exceptions by their class names. No message contains data of a meeting.
"""

from typing import Annotated, Literal

from pydantic import Field

from handlers.common.bedrock import TokenUsage
from handlers.common.ids import Ulid, UserId
from handlers.common.json_models import Message
from handlers.meetings.recording_files import AudioPart, Language, Milliseconds
from handlers.meetings.s3_keys import ContentHash, MeetingId, Recording


class SummaryBusy(Exception):
    """A model is throttled, unavailable or slow, or S3 failed. The workflow retries the function later."""


class SummaryFailed(Exception):
    """No summary can be written until a setting, a permission or the recording changes, so the workflow gives up."""


class SummaryRequest(Message):
    """Event with which the workflow invokes the function. All parts of the recording's audio have been transcribed."""

    user: UserId
    meeting_id: Ulid
    content: ContentHash
    language: Language
    duration_ms: Milliseconds
    audio: Annotated[tuple[AudioPart, ...], Field(min_length=1)]
    """Parts of the audio, in their order."""

    @property
    def recording(self) -> Recording:
        return Recording(MeetingId(self.user, self.meeting_id), self.content)


class TranscriptSegment(Message):
    """Consecutive words of one speaker, at most a few sentences."""

    speaker: str
    """Label from Amazon Transcribe, for example `spk_0`. If the recording was transcribed in several parts, the number
    of the part comes first: `2-spk_0`.
    """
    start_ms: Milliseconds
    end_ms: Milliseconds
    text: str


class Transcript(Message):
    """Transcript of a whole recording."""

    schema_version: Literal[1] = 1
    language: str
    duration_ms: Milliseconds
    said: tuple[TranscriptSegment, ...]
    """The segments, in their order. Empty if the recording contains no speech."""


class TranscriptQuote(Message):
    """A passage of the transcript, word for word."""

    text: str
    start_ms: Milliseconds
    """Start of the transcript's segment in which the quote begins, from the start of the recording."""


class ActionItem(Message):
    """A task that a participant promised or accepted in the meeting."""

    text: str
    """The task in one sentence."""
    owner: str | None = None
    """Person who has the task: the name as it was spoken, or the label of the speaker. None if the model named no
    person.
    """
    due: str | None = None
    """Due time as it was spoken, for example `by Friday`. None if the model named none."""
    quote: TranscriptQuote


class Summary(Message):
    """Summary of a meeting with its action items."""

    schema_version: Literal[1] = 1
    summary: str
    action_items: tuple[ActionItem, ...]
    dropped: int
    """Number of action items that were dropped because their quote does not occur in the transcript."""
    summary_model: str
    """Id of the model that summarised."""
    action_model: str
    """Id of the model that found the action items."""
    tokens: TokenUsage

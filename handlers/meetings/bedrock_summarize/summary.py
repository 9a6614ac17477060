"""A meeting's summary as S3 stores it and as clients read it."""

from typing import Literal

from handlers.common.json_models import Message
from handlers.meetings.media_result import Milliseconds


class TranscriptQuote(Message):
    """A passage of the transcript, word for word."""

    text: str
    start_ms: Milliseconds
    """Start of the segment in which the quote begins."""


class ActionItem(Message):
    """A task that a participant promised or accepted in the meeting."""

    text: str
    """The task in one sentence."""
    owner: str | None = None
    """Person who has the task: the spoken name, or the speaker's label. None if the model names no person."""
    due: str | None = None
    """Due time in the words of the speaker, for example `by Friday`. None if none was said."""
    quote: TranscriptQuote


class SummaryTokens(Message):
    """Number of tokens that a summary cost, by kind."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0


class Summary(Message):
    """Summary of a meeting with its action items."""

    schema_version: Literal[1] = 1
    summary: str
    action_items: tuple[ActionItem, ...] = ()
    dropped: int = 0
    """Number of action items that were dropped because their quote does not occur in the transcript."""
    summary_model: str
    """Id of the model that summarised."""
    action_model: str
    """Id of the model that found the action items."""
    tokens: SummaryTokens

"""Data models of a meeting's summary: the JSON object that is stored in S3 and that clients read."""

from typing import Literal

from handlers.common.json_models import Message
from handlers.meetings.media_result import Milliseconds


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


class SummaryTokens(Message):
    """Numbers of billed tokens, by kind. `input_tokens` does not include tokens that were read from or written to the
    model's cache.
    """

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

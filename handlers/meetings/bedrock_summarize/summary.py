"""A meeting's summary as it is kept and as clients read it. Pure."""

from typing import Literal

from handlers.common.websocket.messages import Message
from handlers.meetings.media_result import Milliseconds


class TranscriptQuote(Message):
    """Words of the transcript, as they stand there."""

    text: str
    start_ms: Milliseconds


class ActionItem(Message):
    """Something that somebody is to do."""

    text: str
    owner: str | None = None
    due: str | None = None
    """As it was said: `by Friday`, or a date."""
    quote: TranscriptQuote


class SummaryTokens(Message):
    """What a summary cost, by the kind of token."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0


class Summary(Message):
    """What came of a meeting."""

    schema_version: Literal[1] = 1
    summary: str
    action_items: tuple[ActionItem, ...] = ()
    dropped: int = 0
    """Action items whose quote nobody had said."""
    summary_model: str
    action_model: str
    tokens: SummaryTokens

"""Environment variables of both transcription functions.

An utterance is a few seconds of speech, which a client sends in one message.
"""

from typing import Annotated

from pydantic import Field

from handlers.common.environment import HandlerEnvironment

LastResultsMs = Annotated[int, Field(ge=500, le=6_000)]
"""Milliseconds beyond the length of an utterance that its transcription may take."""
InFlight = Annotated[int, Field(ge=1, le=8)]
"""Maximum number of concurrent utterances of one session. Each uses one stream of Amazon Transcribe's quota."""


class TranscriptionEnvironment(HandlerEnvironment):
    """Environment variables of the router and the audio processor."""

    structured_logging: bool = True
    """True to log JSON lines, False to log plain text."""
    sessions_table_name: str
    live_table_name: str

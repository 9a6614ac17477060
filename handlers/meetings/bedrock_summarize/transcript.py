"""A meeting's transcript as it is kept and summarised: who said what, from when to when. Pure."""

from typing import Literal

from handlers.common.websocket.messages import Message
from handlers.meetings.media_result import Milliseconds


class TranscriptSegment(Message):
    """What one speaker said in one go."""

    speaker: str
    """As Amazon Transcribe labels them; of several parts of a recording, with the part before it."""
    start_ms: Milliseconds
    end_ms: Milliseconds
    text: str


class Transcript(Message):
    """All that was said in a meeting, in its order."""

    schema_version: Literal[1] = 1
    language: str
    duration_ms: Milliseconds
    said: tuple[TranscriptSegment, ...] = ()

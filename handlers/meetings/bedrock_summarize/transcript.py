"""A meeting's transcript as S3 stores it and as the models and clients read it."""

from typing import Literal

from handlers.common.json_models import Message
from handlers.meetings.media_result import Milliseconds


class TranscriptSegment(Message):
    """Speech of one speaker without a long pause."""

    speaker: str
    """Label from Amazon Transcribe. If the recording has several parts, the number of the part comes before it."""
    start_ms: Milliseconds
    end_ms: Milliseconds
    text: str


class Transcript(Message):
    """All segments of a meeting in their order."""

    schema_version: Literal[1] = 1
    language: str
    duration_ms: Milliseconds
    said: tuple[TranscriptSegment, ...] = ()
    """The transcript's segments. Empty if the recording contains no speech. The name is part of the stored format."""

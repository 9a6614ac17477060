"""Data models of a meeting's transcript: the JSON object that is stored in S3 and that clients read.

The language models get the speakers and texts of the segments, but not this object.
"""

from typing import Literal

from handlers.common.json_models import Message
from handlers.meetings.media_result import Milliseconds


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
    said: tuple[TranscriptSegment, ...] = ()
    """The segments, in their order. Empty if the recording contains no speech."""

"""What is known of a recording once its headers were read, and what can be wrong with one. Pure vocabulary."""

from dataclasses import dataclass
from enum import StrEnum


class AudioFormat(StrEnum):
    """How a recording is wrapped: told by its content, never by its name."""

    MP3 = "mp3"
    MP4 = "mp4"
    """M4A too: the same file under another name."""
    WAV = "wav"
    FLAC = "flac"
    OGG = "ogg"
    WEBM = "webm"


class Problem(StrEnum):
    """Why a recording is rejected."""

    MISPLACED = "MISPLACED"
    EMPTY = "EMPTY"
    TOO_LARGE = "TOO_LARGE"
    UNKNOWN_FORMAT = "UNKNOWN_FORMAT"
    FORMAT_NOT_ALLOWED = "FORMAT_NOT_ALLOWED"
    UNREADABLE = "UNREADABLE"
    TRUNCATED = "TRUNCATED"
    NO_AUDIO = "NO_AUDIO"
    CODEC_NOT_SUPPORTED = "CODEC_NOT_SUPPORTED"
    NO_DURATION = "NO_DURATION"
    TOO_SHORT = "TOO_SHORT"
    TOO_LONG = "TOO_LONG"


@dataclass(frozen=True)
class AudioFile:
    """What a recording's headers say of it."""

    format: AudioFormat
    codec: str
    duration_ms: int


class BadFile(Exception):
    """Why nothing can be said of a recording, or nothing good. Holds nothing of the file."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.value)
        self.problem = problem

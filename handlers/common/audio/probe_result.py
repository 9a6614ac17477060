"""Result types of the audio prober: format, duration, and reasons for a rejection."""

from dataclasses import dataclass
from enum import StrEnum


class AudioFormat(StrEnum):
    """Container formats. They are recognised by content, never by file name."""

    MP3 = "mp3"
    MP4 = "mp4"
    """Includes M4A."""
    WAV = "wav"
    FLAC = "flac"
    OGG = "ogg"
    WEBM = "webm"


class RejectionReason(StrEnum):
    """Reasons to reject a recording. The prober judges the content. Its callers judge key, size, format and duration."""

    MISPLACED = "MISPLACED"
    """The object's key does not have the form of the keys that uploads get."""
    EMPTY = "EMPTY"
    TOO_LARGE = "TOO_LARGE"
    UNKNOWN_FORMAT = "UNKNOWN_FORMAT"
    FORMAT_NOT_ALLOWED = "FORMAT_NOT_ALLOWED"
    UNREADABLE = "UNREADABLE"
    """The content is damaged, contradictory or crafted."""
    TRUNCATED = "TRUNCATED"
    """The file ends before the end that its headers state."""
    NO_AUDIO = "NO_AUDIO"
    CODEC_NOT_SUPPORTED = "CODEC_NOT_SUPPORTED"
    NO_DURATION = "NO_DURATION"
    """The duration is 0, or cannot be read from the headers."""
    TOO_SHORT = "TOO_SHORT"
    TOO_LONG = "TOO_LONG"


@dataclass(frozen=True)
class AudioFile:
    """Properties of a recording, read from its headers."""

    format: AudioFormat
    codec: str
    """Name of the codec, for example `aac` or `opus`."""
    duration_ms: int


class RejectedAudio(Exception):
    """The recording is not acceptable. The exception contains nothing from the file."""

    def __init__(self, reason: RejectionReason) -> None:
        super().__init__(reason.value)
        self.reason = reason

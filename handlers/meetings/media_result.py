"""Result of the media job. The workflow decides by its outcome how to continue.

A recording that cannot be processed is an outcome and not a failed job, because a failed job has no result that names
the fault of the recording.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from handlers.common.json_models import Message
from handlers.meetings.upload_completion_file import WrongChunk

Milliseconds = Annotated[int, Field(ge=0)]


class MediaOutcome(StrEnum):
    """Outcome of the media job for one recording."""

    READY = "ready"
    """Audio exists, and also the video if the recording has one."""
    NO_AUDIO = "no_audio"
    """The recording has video, but no audio track."""
    INCOMPLETE = "incomplete"
    """A chunk is missing, cannot be read from S3, or differs from the size or hash in `complete.json`. The outcome is
    the same if `complete.json` is missing or cannot be used.
    """
    UNREADABLE = "unreadable"
    """A chunk has the hash that `complete.json` states, but is not a media file that can be decoded."""
    TOO_LARGE = "too_large"
    """The recording exceeds the job's disk or the maximum duration."""
    SUPERSEDED = "superseded"
    """`complete.json` now describes another content. That content has its own execution and is the meeting's recording.
    """


class AudioPart(Message):
    """A part of the audio within the limits of Amazon Transcribe."""

    key: str
    offset_ms: Milliseconds
    """Start of the part within the whole audio."""
    duration_ms: Milliseconds


class MediaResult(Message):
    """The object that the media job writes below `work/` of its recording."""

    schema_version: Literal[1] = 1
    outcome: MediaOutcome
    wrong: tuple[WrongChunk, ...] = ()
    """Chunks because of which the outcome is `incomplete` or `unreadable`. Empty with any other outcome."""
    video_key: str | None = None
    """None if the recording has no video track."""
    audio: tuple[AudioPart, ...] = ()
    """Parts of the whole audio, in their order. Empty unless the outcome is `ready`."""
    duration_ms: Milliseconds = 0
    """Duration of the recording. Zero unless the outcome is `ready` or `no_audio`."""
    copied: bool = False
    """True if the chunks' videos were joined without encoding them again."""
    ffmpeg_ms: Milliseconds = 0
    """Time during which at least one ffmpeg process ran. The metric `FfmpegRatio` is this time divided by the duration.
    """

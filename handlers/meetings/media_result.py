"""Result of the media job, which joins the chunks (files) of a recording to a video and extracts the audio.

The workflow decides by the outcome how to continue. With an outcome other than `ready` and `no_audio`, the recording was
not processed. The job succeeds even then, because a failed job has no result.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from handlers.common.json_models import Message
from handlers.meetings.complete_file import WrongChunk

Milliseconds = Annotated[int, Field(ge=0)]


class MediaOutcome(StrEnum):
    """Outcome of the media job for one recording."""

    READY = "ready"
    """The audio for the transcription was made, and also the video, if the recording has one."""
    NO_AUDIO = "no_audio"
    """The video was made. The recording has no audio track."""
    INCOMPLETE = "incomplete"
    """A chunk is missing, cannot be read from S3, or differs from its size or hash in `complete.json`, the client's
    list of the chunks. Or `complete.json` itself is missing, cannot be used, or lists other chunks now.
    """
    UNREADABLE = "unreadable"
    """A chunk has the right hash, but is not a media file that can be decoded."""
    TOO_LARGE = "too_large"
    """The recording exceeds the job's disk or the maximum duration."""


class AudioPart(Message):
    """A part of the audio within the limits of Amazon Transcribe."""

    offset_ms: Milliseconds
    """Start of the part within the whole audio."""
    duration_ms: Milliseconds


class MediaResult(Message):
    """Content of the object `result.json`, which the media job writes (`Recording.media_result_key`)."""

    schema_version: Literal[1] = 1
    outcome: MediaOutcome
    wrong: tuple[WrongChunk, ...] = ()
    """Chunks because of which the outcome is `incomplete` or `unreadable`. Empty with any other outcome."""
    has_video: bool = False
    """True if the job has made a video."""
    audio: tuple[AudioPart, ...] = ()
    """Parts of the whole audio, in their order. Empty unless the outcome is `ready`."""
    duration_ms: Milliseconds = 0
    """Duration of the recording. Zero unless the outcome is `ready` or `no_audio`."""
    ffmpeg_ms: Milliseconds = 0
    """Time during which at least one ffmpeg process ran. The metric `FfmpegRatio` is this time divided by the duration.
    """

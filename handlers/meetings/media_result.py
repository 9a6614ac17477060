"""What the media job says when it ends: the workflow goes on by it. Pure.

A recording that cannot be worked on is an outcome, not a failed job: nobody pays for trying it again.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from handlers.common.websocket.messages import Message
from handlers.meetings.complete_file import WrongChunk

Milliseconds = Annotated[int, Field(ge=0)]


class MediaOutcome(StrEnum):
    """What came of a recording."""

    READY = "ready"
    NO_AUDIO = "no_audio"
    """There is a video, and nothing to be heard in it."""
    INCOMPLETE = "incomplete"
    """Chunks are missing, or are not what their hash says; or `complete.json` itself is gone or says nothing."""
    UNREADABLE = "unreadable"
    """A chunk has the promised bytes, and they are no recording."""
    TOO_LARGE = "too_large"
    """It does not fit into the space that the job has, or is longer than recordings may be."""
    SUPERSEDED = "superseded"
    """`complete.json` says another content by now: that one has an execution of its own, and is what the meeting is."""


class AudioPart(Message):
    """A part of the sound, small and short enough for Amazon Transcribe."""

    key: str
    offset_ms: Milliseconds
    """Where it begins in the whole."""
    duration_ms: Milliseconds


class MediaResult(Message):
    """What the job leaves below its recording's `work/`."""

    schema_version: Literal[1] = 1
    outcome: MediaOutcome
    wrong: tuple[WrongChunk, ...] = ()
    """With `incomplete` and `unreadable`."""
    video_key: str | None = None
    """None where there are no pictures."""
    audio: tuple[AudioPart, ...] = ()
    duration_ms: Milliseconds = 0
    copied: bool = False
    """Whether the video was put together without encoding it anew."""
    ffmpeg_ms: Milliseconds = 0
    """How long ffmpeg worked, all steps together: the metric divides it by the duration."""

"""The video track of an episode, as far as video processing moves it. Pure.

What an event says is a place to be at: a state of one upload. Places have an order, and a track only ever goes up in
it: a newer upload is above every state of an older one, and of two states of one upload, the later one. So events come
out the same in whatever order they come and however often.

The two ends have an order too: `chunked` is above `failed`. Chunks that are there are there, even if somebody had given
up on them, or a repeated job of the same video failed.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol


class VideoState(StrEnum):
    """How far the newest upload has come."""

    UPLOADED = "uploaded"
    CHUNKING = "chunking"
    CHUNKED = "chunked"
    FAILED = "failed"


class VideoProblem(StrEnum):
    """Why a video's track failed."""

    UNSUPPORTED_TYPE = "UNSUPPORTED_TYPE"
    CHUNKING_FAILED = "CHUNKING_FAILED"


@dataclass(frozen=True)
class Chunks:
    """What a video was cut into: objects below one prefix."""

    prefix: str
    """Of their keys; it ends with a slash."""
    count: int
    seconds: int
    """The length of each but the last."""
    duration_ms: int


@dataclass(frozen=True)
class VideoMoved:
    """Where an event says that the track is."""

    upload_id: str
    version_id: str
    state: VideoState
    reason: VideoProblem | None = None
    error_code: int | None = None
    """MediaConvert's own number for what went wrong, where it gave one."""
    chunks: Chunks | None = None


ORDER = (VideoState.UPLOADED, VideoState.CHUNKING, VideoState.FAILED, VideoState.CHUNKED)
"""Of the states of one upload; `requested` and `none` come before them."""


class Tracks(Protocol):
    """Where the tracks of all episodes are kept."""

    def move(self, owner: str, episode_id: str, track: Literal["video", "transcript"], event: VideoMoved) -> bool:
        """Moves a track on to where an event says it is, unless it is there already or above it.

        True where the track stands at the event's upload and state now, moved or not: a repeat is told the same as the
        first, so that whoever stopped halfway goes on. False where it is above: there is nothing left to do. False as
        well where there is no such episode: none is made.
        """
        ...

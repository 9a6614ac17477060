"""The video track of an episode, as far as video processing moves it. Pure.

What an event says is a place to be at: a state of one upload. Places have an order, and a track only ever goes up in
it: a newer upload is above every state of an older one, and of two states of one upload, the later one. So events come
out the same in whatever order they come and however often.

The two ends have an order too: `chunked` is above `failed`. Chunks that are there are there, even if a repeated job of
the same video failed. Only a track that the sweep gave up is below all of these again, since that is no event's word; and
one whose job failed, for a person who has it done again.
"""

from dataclasses import asdict, dataclass
from typing import Protocol

from pydantic.alias_generators import to_camel

from handlers.livestream.tracks import TrackReason, TrackState


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
    state: TrackState
    reason: TrackReason | None = None
    error_code: int | None = None
    """MediaConvert's own number for what went wrong, where it gave one."""
    chunks: Chunks | None = None
    again: bool = False
    """Whether a person has it done again: then the track is there also where its job failed."""

    @property
    def facts(self) -> dict[str, object]:
        """What is kept beside the state."""
        chunks = {to_camel(name): value for name, value in asdict(self.chunks).items()} if self.chunks else None
        known = {"errorCode": self.error_code, "chunks": chunks}
        return {name: value for name, value in known.items() if value is not None}


class Tracks(Protocol):
    """Where the video tracks of all episodes are kept."""

    def move(self, owner: str, episode_id: str, event: VideoMoved) -> bool:
        """Moves the video's track on to where an event says it is, unless it is there already or above it.

        True where the track stands at the event's upload and state now, moved or not: a repeat is told the same as the
        first, so that whoever stopped halfway goes on. False where it is above: there is nothing left to do. False as
        well where there is no such episode: none is made.
        """
        ...

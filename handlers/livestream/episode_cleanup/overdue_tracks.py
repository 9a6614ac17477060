"""Which tracks have stayed too long where they are. Pure.

Every state that is no end has a limit, well above what it takes when all goes well and what is tried again by itself:
what is still there then, nobody is working on any more.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from handlers.livestream.tracks import Track, TrackReason, TrackState

_ENDS = frozenset({TrackState.NONE, TrackState.CHUNKED, TrackState.ANALYZED, TrackState.FAILED})


@dataclass(frozen=True)
class Limits:
    """How long a track may be in each state."""

    of: Mapping[TrackState, timedelta]

    def __post_init__(self) -> None:
        if missing := set(TrackState) - _ENDS - set(self.of):
            raise ValueError(f"no limit for {', '.join(sorted(missing))}")


def at_rest(track: Track) -> bool:
    """Whether nothing is waited for."""
    return track.state in _ENDS


def overdue(track: Track, now: datetime, limits: Limits) -> TrackReason | None:
    """Why a track is to be given up; none where it is at rest, or has time."""
    if at_rest(track) or now - datetime.fromisoformat(track.since) <= limits.of[track.state]:
        return None
    return TrackReason.NEVER_UPLOADED if track.state is TrackState.REQUESTED else TrackReason.TIMED_OUT

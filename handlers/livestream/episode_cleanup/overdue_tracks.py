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
class TrackLimits:
    """How long a track may be in each state."""

    by_state: Mapping[TrackState, timedelta]

    def __post_init__(self) -> None:
        if missing := set(TrackState) - _ENDS - set(self.by_state):
            raise ValueError(f"no limit for {', '.join(sorted(missing))}")


def is_idle(track: Track) -> bool:
    """Whether nothing is waited for."""
    return track.state in _ENDS


def timeout_reason(track: Track, now: datetime, limits: TrackLimits) -> TrackReason | None:
    """Why a track is to be given up; none where it is at rest, or has time."""
    if is_idle(track) or now - datetime.fromisoformat(track.since) <= limits.by_state[track.state]:
        return None
    return TrackReason.NEVER_UPLOADED if track.state is TrackState.REQUESTED else TrackReason.TIMED_OUT

"""Time limits of track states, and the check whether a track has exceeded its limit.

A track is the processing of an episode's video or transcript. Each state in which a track waits for an event has a
limit, which is well above the normal duration of the state with all automatic retries. So if a track exceeds the limit,
its event was probably lost.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from handlers.livestream.track_states import Track, TrackReason, TrackState

_IDLE_STATES = frozenset({TrackState.NONE, TrackState.CHUNKED, TrackState.ANALYZED, TrackState.FAILED})


@dataclass(frozen=True)
class TrackLimits:
    """Longest time that a track may stay in each state."""

    by_state: Mapping[TrackState, timedelta]

    def __post_init__(self) -> None:
        if missing := set(TrackState) - _IDLE_STATES - set(self.by_state):
            raise ValueError(f"no limit for {', '.join(sorted(missing))}")


def is_idle(track: Track) -> bool:
    return track.state in _IDLE_STATES


def timeout_reason(track: Track, now: datetime, limits: TrackLimits) -> TrackReason | None:
    """Return the reason with which to fail an overdue track. Return None if the track is idle or within its limit."""
    if is_idle(track) or now - datetime.fromisoformat(track.since) <= limits.by_state[track.state]:
        return None
    return TrackReason.NEVER_UPLOADED if track.state is TrackState.REQUESTED else TrackReason.TIMED_OUT

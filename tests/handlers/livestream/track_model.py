"""How tracks move, in plain code: what the table's conditions are held against."""

from handlers.livestream.tracks import (
    RANKS,
    REPLACEABLE_STATES,
    RESTARTABLE_REASON,
    ExpectedUpload,
    Track,
    TrackState,
    TrackUpdate,
    is_for_upload,
)


def requested(track: Track, upload: ExpectedUpload, at: str) -> Track:
    """The track once an upload is asked for; the same where it takes none."""
    return Track(state=TrackState.REQUESTED, since=at, upload=upload) if track.state in REPLACEABLE_STATES else track


def heard(track: Track, step: TrackUpdate) -> Track:
    """The track once something is heard of its upload; the same where that is old or about another upload."""
    if not is_for_upload(step, track) or not _rises(track, step):
        return track
    version_id = track.version_id or step.version_id
    return Track(state=step.state, since=step.at, reason=step.reason, upload=track.upload, version_id=version_id)


def _rises(track: Track, step: TrackUpdate) -> bool:
    return RANKS[step.state] > track.rank or (step.restart and track.reason is RESTARTABLE_REASON)

"""Reference model of a track, the processing state of an episode's video or transcript, in plain Python.

The real implementation is a DynamoDB update with a condition. Tests compare its results with this model.
"""

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


def request_upload(track: Track, upload: ExpectedUpload, at: str) -> Track:
    """Return the track after an upload request, unchanged if its state accepts none."""
    return Track(state=TrackState.REQUESTED, since=at, upload=upload) if track.state in REPLACEABLE_STATES else track


def apply_update(track: Track, update: TrackUpdate) -> Track:
    """Return the track after an update, unchanged if the update is old or concerns another upload."""
    if not is_for_upload(update, track) or not _is_forward(track, update):
        return track
    version_id = track.version_id or update.version_id
    return Track(state=update.state, since=update.at, reason=update.reason, upload=track.upload, version_id=version_id)


def _is_forward(track: Track, update: TrackUpdate) -> bool:
    return RANKS[update.state] > track.rank or (update.restart and track.reason is RESTARTABLE_REASON)

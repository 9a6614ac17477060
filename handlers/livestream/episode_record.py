"""Record of an episode in livestream's DynamoDB table, and its conversion to the API's model.

A track is the processing of the episode's video, or of its transcript. The record contains the state of both tracks.
"""

from handlers.common.json_models import Message
from handlers.livestream.api_models import Episode, TrackView
from handlers.livestream.table_keys import SCHEMA_VERSION
from handlers.livestream.track_processing_states import Track, TrackKind, episode_status


class EpisodeRecord(Message):
    """Stored form of an episode, without the key attributes of its item, such as `pk` and `sk`."""

    schema_version: int = SCHEMA_VERSION
    owner: str
    """User id of the caller; `everybody` if the API does not identify its users."""
    episode_id: str
    title: str
    description: str | None = None
    language: str
    speakers: tuple[str, ...] = ()
    video: Track
    transcript: Track
    created_at: str
    updated_at: str
    version: int = 1
    """Version of the fields that a client may change. Changes of the tracks do not increase it."""
    creation: str | None = None
    """Hash of the creation request, which is compared if its client token is used again. None without a token."""
    deleted_at: str | None = None
    """Time of the deletion; None if the episode is not deleted. The record of a deleted episode, its tombstone, is kept
    for some days."""

    def track(self, kind: TrackKind) -> Track:
        return self.video if kind is TrackKind.VIDEO else self.transcript

    def to_episode(self) -> Episode:
        return Episode(
            episode_id=self.episode_id,
            title=self.title,
            description=self.description,
            language=self.language,
            speakers=self.speakers,
            status=episode_status(self.video.state, self.transcript.state),
            video=_to_track_view(self.video),
            transcript=_to_track_view(self.transcript),
            created_at=self.created_at,
            updated_at=self.updated_at,
            version=self.version,
        )


def _to_track_view(track: Track) -> TrackView:
    upload_id = track.upload.upload_id if track.upload else None
    return TrackView(state=track.state, since=track.since, reason=track.reason, upload_id=upload_id)

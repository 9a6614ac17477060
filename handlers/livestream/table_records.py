"""Livestream's table: where everything is, and an episode as it is kept. Pure.

Everything of an episode is in one partition_key, which has its owner's name in it: what is somebody else's is not there.
"""

import base64
import hashlib
from enum import StrEnum

from handlers.common.websocket.messages import Message
from handlers.livestream.api_models import Episode, TrackView
from handlers.livestream.tracks import Track, TrackKind, episode_status

Key = dict[str, str]
SCHEMA_VERSION = 1
EPISODE_SORT_KEY = "EPISODE"
WINDOW_PREFIX = "WINDOW#"
OWNER_INDEX = "GSI1"
"""Of an owner's episodes, by when they were made."""
SWEEP_INDEX = "GSI2"
"""Of episodes that somebody has to look after, by since when: those that wait for an upload or are worked on, and
those that are deleted. Sparse: the sweep takes episodes out of it."""
SWEEP_PARTITION = "CARE"
ID_LENGTH = 26


class FindingKind(StrEnum):
    """What is found in an episode: how its sort keys begin. Then comes where it starts, and its id."""

    CLAIM = "CLAIM#"
    CLIP = "CLIP#"


def partition_key(owner: str, episode_id: str) -> str:
    """Where all of an episode is."""
    return f"EPISODE#{owner}#{episode_id}"


def episode_key(owner: str, episode_id: str) -> Key:
    """Where an episode is."""
    return {"pk": partition_key(owner, episode_id), "sk": EPISODE_SORT_KEY}


def finding_key(owner: str, episode_id: str, kind: FindingKind, start_ms: int, name: str) -> Key:
    """Where a claim or a clip is."""
    return {"pk": partition_key(owner, episode_id), "sk": f"{kind}{start_ms:010d}#{name}"}


def window_key(owner: str, episode_id: str, transcript_key: str, version: str, index: int) -> Key:
    """Where it stands what became of a window of one version of a transcript; in the order of the windows."""
    transcript = hashlib.sha256(f"{transcript_key}\n{version}".encode()).hexdigest()[:32]
    return {"pk": partition_key(owner, episode_id), "sk": f"{WINDOW_PREFIX}{transcript}#{index:05d}"}


def owner_index_key(owner: str, created_at: str, episode_id: str) -> Key:
    """Where the index has an episode."""
    return {"GSI1PK": f"OWNER#{owner}", "GSI1SK": f"{created_at}#{episode_id}"}


def sweep_index_key(since: str) -> Key:
    """Puts an episode where the sweep looks."""
    return {"GSI2PK": SWEEP_PARTITION, "GSI2SK": since}


def episode_id_from_token(owner: str, token: str) -> str:
    """The id of the episode that an owner's client token makes: always the same."""
    return base64.b32encode(hashlib.sha256(f"{owner}\n{token}".encode()).digest()).decode()[:ID_LENGTH]


class EpisodeRecord(Message):
    """An episode as it is kept."""

    schema_version: int = SCHEMA_VERSION
    owner: str
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
    creation: str | None = None
    """Fingerprint of what its creation asked for."""
    deleted_at: str | None = None

    @property
    def key(self) -> Key:
        """Where it is."""
        return episode_key(self.owner, self.episode_id)

    def track(self, kind: TrackKind) -> Track:
        """One of its tracks."""
        return self.video if kind is TrackKind.VIDEO else self.transcript

    def to_episode(self) -> Episode:
        """What its owner sees of it."""
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

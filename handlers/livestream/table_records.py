"""Keys of livestream's DynamoDB table, and the record of an episode.

All items of an episode are in one partition. The partition key contains the owner, so a caller can never reach another
owner's episode.
"""

import base64
import hashlib
from enum import StrEnum

from handlers.common.json_models import Message
from handlers.livestream.api_models import Episode, TrackView
from handlers.livestream.track_states import Track, TrackKind, episode_status

Key = dict[str, str]
"""Key attributes of an item, or of its entry in an index."""
SCHEMA_VERSION = 1
EPISODE_SORT_KEY = "EPISODE"
"""Sort key of an episode's own item."""
WINDOW_PREFIX = "WINDOW#"
"""Start of the sort key of an item that records the outcome of a transcript window."""
OWNER_INDEX = "GSI1"
"""Index that lists an owner's episodes by creation time."""
SWEEP_INDEX = "GSI2"
"""Index of the episodes that the sweep checks, by time. It contains episodes that wait for an upload or are being
processed, and deleted episodes. The index is sparse: the sweep removes an episode's index keys when it needs no more
checks."""
SWEEP_PARTITION = "CARE"
"""The only partition of this index. `care` is the resource name of the function that runs the sweep."""
ID_LENGTH = 26
"""Number of characters of an episode id, which is the length of a ULID."""


class FindingKind(StrEnum):
    """Kinds of the agent's findings about a broadcast: fact claims and clips.

    The value is the start of the sort key. The start time and the id of the finding follow.
    """

    CLAIM = "CLAIM#"
    CLIP = "CLIP#"


def partition_key(owner: str, episode_id: str) -> str:
    """Return the partition key that all items of an episode share."""
    return f"EPISODE#{owner}#{episode_id}"


def episode_key(owner: str, episode_id: str) -> Key:
    """Return the key of an episode's own item."""
    return {"pk": partition_key(owner, episode_id), "sk": EPISODE_SORT_KEY}


def finding_key(owner: str, episode_id: str, kind: FindingKind, start_ms: int, finding_id: str) -> Key:
    """Return the key of a fact claim or a clip."""
    return {"pk": partition_key(owner, episode_id), "sk": f"{kind}{start_ms:010d}#{finding_id}"}


def window_key(owner: str, episode_id: str, transcript_key: str, version: str, index: int) -> Key:
    """Return the key of the item that records the outcome of a window. The sort keys follow the order of the windows.

    Each version of a transcript has its own window items.
    """
    transcript = hashlib.sha256(f"{transcript_key}\n{version}".encode()).hexdigest()[:32]
    return {"pk": partition_key(owner, episode_id), "sk": f"{WINDOW_PREFIX}{transcript}#{index:05d}"}


def owner_index_key(owner: str, created_at: str, episode_id: str) -> Key:
    """Return the index attributes that list an episode among its owner's episodes."""
    return {"GSI1PK": f"OWNER#{owner}", "GSI1SK": f"{created_at}#{episode_id}"}


def sweep_index_key(since: str) -> Key:
    """Return the index attributes that make the sweep check an episode."""
    return {"GSI2PK": SWEEP_PARTITION, "GSI2SK": since}


def episode_id_from_token(owner: str, token: str) -> str:
    """Return the episode id for a client token. The same owner and token always give the same id."""
    return base64.b32encode(hashlib.sha256(f"{owner}\n{token}".encode()).digest()).decode()[:ID_LENGTH]


class EpisodeRecord(Message):
    """Stored form of an episode, without its keys."""

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
    """Hash of the creation request; None if the client gave no token."""
    deleted_at: str | None = None
    """Time of the deletion; None if the episode exists. A deleted episode remains as a tombstone for some days."""

    def track(self, kind: TrackKind) -> Track:
        """Return one of the two tracks."""
        return self.video if kind is TrackKind.VIDEO else self.transcript

    def to_episode(self) -> Episode:
        """Return the episode as the API shows it."""
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

"""An episode's two tracks, and the status that they add up to. Pure.

Each track is a state machine of its own that only moves on: what is heard again, late or about an upload that is no
longer the track's changes nothing, and of two versions of its object the first alone counts. So events may come in any
order, and repeated. A failure is no end: what is done after all counts as done, and where a sweep only gave up, whatever
is heard of the upload counts. Where a job failed, a person may have it done again. Any other failed track begins anew only
with an upload that is asked for anew. The table itself sees to that, by the conditions of `episode_table.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from pydantic import computed_field

from handlers.common.websocket.messages import Message


class TrackKind(StrEnum):
    """What an episode is made of."""

    VIDEO = "video"
    TRANSCRIPT = "transcript"


class TrackState(StrEnum):
    """How far a track has come."""

    NONE = "none"
    REQUESTED = "requested"
    """An upload was asked for; nothing has come yet."""
    UPLOADED = "uploaded"
    CHUNKING = "chunking"
    CHUNKED = "chunked"
    ANALYZING = "analyzing"
    ANALYZED = "analyzed"
    FAILED = "failed"


class TrackReason(StrEnum):
    """Why a track failed."""

    NEVER_UPLOADED = "NEVER_UPLOADED"
    UNSUPPORTED_TYPE = "UNSUPPORTED_TYPE"
    TOO_LARGE = "TOO_LARGE"
    EMPTY = "EMPTY"
    UNREADABLE = "UNREADABLE"
    CHUNKING_FAILED = "CHUNKING_FAILED"
    ANALYSIS_FAILED = "ANALYSIS_FAILED"
    TIMED_OUT = "TIMED_OUT"


class EpisodeStatus(StrEnum):
    """What the tracks add up to."""

    DRAFT = "draft"
    UPLOADING = "uploading"
    PROCESSING = "processing"
    READY = "ready"
    FAILED = "failed"


RANKS: dict[TrackState, int] = {
    TrackState.NONE: 0,
    TrackState.REQUESTED: 1,
    TrackState.UPLOADED: 2,
    TrackState.CHUNKING: 3,
    TrackState.ANALYZING: 3,
    TrackState.FAILED: 4,
    TrackState.CHUNKED: 5,
    TrackState.ANALYZED: 5,
}
"""A track moves from lower to higher: the table compares these."""
REPLACEABLE_STATES = frozenset({TrackState.NONE, TrackState.REQUESTED, TrackState.FAILED})
"""Where another upload may be asked for: what is there and whole, or being worked on, stays."""
PROCESSING_STATES = frozenset({TrackState.UPLOADED, TrackState.CHUNKING, TrackState.ANALYZING})
"""Where somebody is working on it, or should be."""
TIMEOUT_REASONS = frozenset({TrackReason.NEVER_UPLOADED, TrackReason.TIMED_OUT})
"""Why a sweep fails a track: it says nothing against the upload, only that nothing was heard of it for too long."""
RESTARTABLE_REASON = TrackReason.CHUNKING_FAILED
"""Why a track fails whose upload a person may have worked on again: MediaConvert has one number for a file that it cannot
read and for one that it may not, so it may say nothing against the upload."""
_ENDS = frozenset({TrackState.CHUNKED, TrackState.ANALYZED})


class ContentType(StrEnum):
    """What an upload says it is."""

    MP4 = "video/mp4"
    QUICKTIME = "video/quicktime"
    WEBM = "video/webm"
    MATROSKA = "video/x-matroska"
    SUBRIP = "application/x-subrip"
    VTT = "text/vtt"
    JSON = "application/json"
    TEXT = "text/plain"


class ExpectedUpload(Message):
    """What was promised to be uploaded."""

    upload_id: str
    content_type: ContentType
    size: int
    parts: int = 0
    """None of a form."""


class Track(Message):
    """Where a track stands, as it is kept."""

    state: TrackState
    since: str
    reason: TrackReason | None = None
    upload: ExpectedUpload | None = None
    version_id: str | None = None
    """Of the upload's object, the version that came first."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def rank(self) -> int:
        """What the table compares: a track that was given up is below all that may yet be heard of its upload."""
        return RANKS[TrackState.REQUESTED if self.reason in TIMEOUT_REASONS else self.state]


@dataclass(frozen=True)
class TrackUpdate:
    """What is heard of an upload."""

    upload_id: str
    state: TrackState
    at: str
    reason: TrackReason | None = None
    version_id: str | None = None
    """Of the upload's object; none where it is about whatever came."""
    facts: Mapping[str, object] = field(default_factory=dict)
    """What else is to be kept with the track, such as where the chunks are."""
    again: bool = False
    """Whether a person has it done again, where it failed for a reason that may have been mended."""


def fail_track(track: Track, reason: TrackReason, at: str) -> Track:
    """The track once nobody waits for it any more."""
    return Track(state=TrackState.FAILED, since=at, reason=reason, upload=track.upload, version_id=track.version_id)


def is_for_upload(step: TrackUpdate, track: Track) -> bool:
    """Whether what is heard is about the upload that the track has."""
    if track.upload is None or track.upload.upload_id != step.upload_id:
        return False
    # A form may be sent twice, and then there are two versions: the first is the upload.
    return None in (track.version_id, step.version_id) or track.version_id == step.version_id


def is_applied(track: Track, step: TrackUpdate) -> bool:
    """Whether a track is where a step leads."""
    return is_for_upload(step, track) and track.state is step.state


def episode_status(video: TrackState, transcript: TrackState) -> EpisodeStatus:
    """What an episode's tracks add up to."""
    both = {video, transcript}
    if TrackState.FAILED in both:
        return EpisodeStatus.FAILED
    if both & PROCESSING_STATES:
        return EpisodeStatus.PROCESSING
    if TrackState.REQUESTED in both:
        return EpisodeStatus.UPLOADING
    return EpisodeStatus.READY if both & _ENDS else EpisodeStatus.DRAFT

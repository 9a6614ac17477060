"""States of an episode's two tracks as pure functions, and the episode status that follows from them.

A track is the processing of the episode's video or of its transcript, from the request of an upload to the result.
`EpisodeTable` and the API apply these functions to stored tracks.

Events about an upload may arrive late, twice and in any order. So each state has a rank (`RANKS`), and an event
advances the track only to a state of a higher rank. An event about an earlier upload, which the client has replaced, is
ignored. If S3 has several versions of the uploaded object, only the version whose event arrived first counts.

A state in which a track waits for an event has a time limit. Nothing runs when it ends: `apply_time_limit` decides
whenever a track is read. So the table may contain the last state of a track that every reader sees as failed.

A failed track can still succeed in these cases:
- An event reports that the processing succeeded after all.
- The time limit ended (`TIMEOUT_REASONS`), and an event of the same upload arrives.
- The MediaConvert job failed, and an operator restarts it.
- The client requests another upload.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from handlers.common.ids import timestamp
from handlers.common.json_models import Message
from handlers.livestream.keys import UploadedObject


class TrackKind(StrEnum):
    """The two tracks of an episode."""

    VIDEO = "video"
    TRANSCRIPT = "transcript"


class TrackState(StrEnum):
    """Processing state of a track."""

    NONE = "none"
    """The client has never requested an upload."""
    REQUESTED = "requested"
    """The client requested an upload, and no object has arrived yet."""
    UPLOADED = "uploaded"
    """The object has arrived, and its processing has not started yet."""
    CHUNKING = "chunking"
    """MediaConvert is cutting the video into chunks."""
    ANALYZING = "analyzing"
    """The fact-check agent, a Lambda function, is analyzing the windows (sections) of the transcript."""
    FAILED = "failed"
    """The track has failed for a `TrackReason`. The states of success rank higher, because a success may arrive later."""
    CHUNKED = "chunked"
    """Final state of a video that was cut."""
    ANALYZED = "analyzed"
    """Final state of a transcript of which at least one window was analyzed."""


class TrackReason(StrEnum):
    """Reason why a track has failed."""

    NEVER_UPLOADED = "NEVER_UPLOADED"
    """The object did not arrive within the time limit."""
    TOO_LARGE = "TOO_LARGE"
    """The transcript has too many bytes, lines, cues or characters."""
    EMPTY = "EMPTY"
    """The transcript contains no text."""
    UNREADABLE = "UNREADABLE"
    """The transcript is malformed, has an unsupported format or an invalid time, or has a cue that is too long."""
    CHUNKING_FAILED = "CHUNKING_FAILED"
    """The MediaConvert job failed or was cancelled."""
    ANALYSIS_FAILED = "ANALYSIS_FAILED"
    """The agent could not analyze any window of the transcript."""
    TIMED_OUT = "TIMED_OUT"
    """The processing of the upload did not end within the time limit."""


class EpisodeStatus(StrEnum):
    """Status of an episode, derived from its two tracks."""

    DRAFT = "draft"
    """No upload was requested."""
    UPLOADING = "uploading"
    """At least one track waits for its upload, and none is being processed or has failed."""
    PROCESSING = "processing"
    """At least one track is being processed, and none has failed."""
    READY = "ready"
    """At least one track has succeeded, and the other has succeeded too or has no upload."""
    FAILED = "failed"
    """At least one track has failed."""


RANKS = {state: rank for rank, state in enumerate(TrackState)}
"""Rank of each state: a later member of `TrackState` has a higher rank. A track only advances to a state of a higher rank,
unless an operator restarts the processing. A new upload replaces the whole track."""
REPLACEABLE_STATES = frozenset({TrackState.NONE, TrackState.REQUESTED, TrackState.FAILED})
"""States in which a client may request another upload. After an upload has arrived, only a failure permits this."""
PROCESSING_STATES = frozenset({TrackState.UPLOADED, TrackState.CHUNKING, TrackState.ANALYZING})
"""States in which a function, a MediaConvert job or the agent should be working on the upload."""
TIME_LIMITS = {
    TrackState.REQUESTED: timedelta(hours=12),
    TrackState.UPLOADED: timedelta(hours=2),
    TrackState.CHUNKING: timedelta(hours=12),
    TrackState.ANALYZING: timedelta(hours=6),
}
"""Time limit of each state in which a track waits for an event. It is well above the normal duration of the state with
all automatic retries: a busy MediaConvert queue may take hours."""
TIMEOUT_REASONS = frozenset({TrackReason.NEVER_UPLOADED, TrackReason.TIMED_OUT})
"""Reasons of a track whose time limit ended. They mean that no event arrived for too long, not that the upload is bad."""


class ContentType(StrEnum):
    """Content types that clients can announce for an upload."""

    MP4 = "video/mp4"
    QUICKTIME = "video/quicktime"
    WEBM = "video/webm"
    MATROSKA = "video/x-matroska"
    SUBRIP = "application/x-subrip"
    VTT = "text/vtt"
    JSON = "application/json"


class ExpectedUpload(Message):
    """Upload that the client announced for a track."""

    upload_id: str
    content_type: ContentType
    size: int
    """Announced size in bytes."""
    multipart_id: str | None = None
    """Id of the multipart upload in S3; None for an upload by form."""


class Track(Message):
    """Stored state of a track. Readers see it through `apply_time_limit`."""

    state: TrackState
    since: str
    """Time of the last change of the state."""
    reason: TrackReason | None = None
    """Reason of the failure; None if the track has not failed."""
    upload: ExpectedUpload | None = None
    """Upload that was requested last; None if none was requested."""
    version_id: str | None = None
    """S3 version of the uploaded object, or of several versions the one whose event arrived first. None before the
    first event."""


def request_upload(track: Track, upload: ExpectedUpload, at: str) -> Track:
    """Return a track that expects the upload, or the same track if its state accepts no other upload."""
    if apply_time_limit(track, at).state not in REPLACEABLE_STATES:
        return track
    return Track(state=TrackState.REQUESTED, since=at, upload=upload)


def advance(
    track: Track, upload: UploadedObject, state: TrackState, at: str, reason: TrackReason | None, *, restart: bool
) -> Track | None:
    """Return the track after an event reports a state of an upload, or None if the track does not accept the state.

    A track that already has the state accepts it, and stays the same, so a repeated event gets the same answer. `reason`
    explains the state `failed`. `restart` is True if an operator restarts a video whose MediaConvert job failed.
    """
    if track.upload is None or track.upload.upload_id != upload.upload_id:
        return None
    # A client can submit a form twice, which creates two versions of the object. Only one of them is processed.
    if track.version_id not in (None, upload.version_id):
        return None
    current = apply_time_limit(track, at)
    # MediaConvert uses one error code for an unreadable file and for a missing permission, so the upload may be good.
    is_restart = restart and current.reason is TrackReason.CHUNKING_FAILED
    # A timeout only means that no event came, so after it every state that an event can report is accepted.
    rank = RANKS[TrackState.REQUESTED if current.reason in TIMEOUT_REASONS else current.state]
    if is_restart or RANKS[state] > rank:
        return Track(state=state, since=at, reason=reason, upload=track.upload, version_id=upload.version_id)
    return track if state is current.state else None


def apply_time_limit(track: Track, at: str) -> Track:
    """Return the track as it is at a time: failed if the time limit of its state has ended."""
    limit = TIME_LIMITS.get(track.state)
    if limit is None:
        return track
    ends_at = datetime.fromisoformat(track.since) + limit
    if datetime.fromisoformat(at) <= ends_at:
        return track
    reason = TrackReason.NEVER_UPLOADED if track.state is TrackState.REQUESTED else TrackReason.TIMED_OUT
    return track.model_copy(update={"state": TrackState.FAILED, "reason": reason, "since": timestamp(ends_at)})


def episode_status(video: TrackState, transcript: TrackState) -> EpisodeStatus:
    """Return the status of an episode whose tracks are in these states."""
    states = {video, transcript}
    if TrackState.FAILED in states:
        return EpisodeStatus.FAILED
    if states & PROCESSING_STATES:
        return EpisodeStatus.PROCESSING
    if TrackState.REQUESTED in states:
        return EpisodeStatus.UPLOADING
    return EpisodeStatus.DRAFT if states == {TrackState.NONE} else EpisodeStatus.READY

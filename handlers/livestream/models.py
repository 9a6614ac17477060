"""Pydantic models of the requests and responses of livestream's REST API, whose operations are in `episodes/routes.py`.

The OpenAPI document shows the docstrings to developers of clients. The table stores claims and clips in the same form.
`VISIBLE_TEXT` removes hidden characters from a field's text, and refuses a text of which nothing visible remains.
"""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from handlers.common.ids import LanguageCode, Ulid
from handlers.common.json_models import Message, TextForm
from handlers.common.text import VISIBLE_TEXT
from handlers.livestream.tracks import ContentType, EpisodeStatus, TrackKind, TrackReason, TrackState


def _one_line(max_length: int) -> TextForm:
    rule = f"must be one line of at most {max_length} characters, without control characters"
    return TextForm(r"^[^\u0000-\u001f\u007f-\u009f]*$", rule, max_length=max_length, strip_whitespace=True)


Title = Annotated[str, _one_line(200), VISIBLE_TEXT]
Description = Annotated[
    str,
    TextForm(
        r"^[^\u0000-\u0009\u000b-\u001f\u007f-\u009f]*$",
        "must have at most 5000 characters, without control characters other than the line feed",
        max_length=5_000,
        strip_whitespace=True,
    ),
    VISIBLE_TEXT,
]
Speakers = Annotated[tuple[Annotated[str, _one_line(100), VISIBLE_TEXT], ...], Field(max_length=20)]
Timestamp = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{3}Z$")]
PageLimit = Annotated[int, Field(ge=1, le=100)]
"""Maximum number of entries of a page."""


class EpisodePath(Message):
    """Path parameter of an episode."""

    episode_id: Ulid


class UploadPath(EpisodePath):
    """Path parameters of an upload."""

    upload_id: Ulid


class PageQuery(Message):
    """Query parameters of a list."""

    limit: PageLimit = 20
    cursor: str | None = None
    """The `nextCursor` of the previous page."""


class PlaybackQuery(Message):
    """Query parameters of the list of video chunks."""

    from_ms: int = 0
    """Position in the video. The first returned chunk contains it."""
    limit: PageLimit = 10


class NewEpisode(Message):
    """Request to create an episode."""

    episode_id: Ulid | None = None
    """Id that the client chooses: a new ULID. If the request is repeated with it, no second episode is created. Without
    it, the API chooses the id."""
    title: Title
    description: Description | None = None
    language: LanguageCode = "en-US"
    speakers: Speakers = ()


class EpisodeChanges(Message):
    """Request to change an episode. Fields that it does not contain stay unchanged. Null removes the description."""

    version: int
    """Version of the episode that the client has read."""
    # The defaults only make the fields optional. The API changes no field that the request does not contain.
    title: Title = Field(default_factory=str)
    description: Description | None = None
    language: LanguageCode = Field(default_factory=str)
    speakers: Speakers = Field(default_factory=tuple)

    @model_validator(mode="after")
    def _has_changes(self) -> Self:
        if self.model_fields_set <= {"version"}:
            raise PydanticCustomError("nothing_to_change", "name at least one field to change in addition to version")
        return self


class TrackView(Message):
    """State of a track, which is the processing of an episode's video or transcript."""

    state: TrackState
    since: Timestamp
    """Time of the last change of the state."""
    reason: TrackReason | None = None
    """Reason of the failure, if the track failed."""
    upload_id: Ulid | None = None


class Episode(Message):
    """Episode with the state of both tracks."""

    episode_id: Ulid
    title: Title
    description: Description | None = None
    language: LanguageCode
    speakers: Speakers
    status: EpisodeStatus
    video: TrackView
    transcript: TrackView
    created_at: Timestamp
    updated_at: Timestamp
    version: int
    """Version of the fields that a client may change. Changes of the tracks do not increase it."""


class EpisodePage(Message):
    """Page of episodes, newest first."""

    episodes: tuple[Episode, ...]
    next_cursor: str | None = None


class UploadRequest(Message):
    """Request to upload a video or a transcript."""

    kind: TrackKind
    content_type: ContentType
    bytes: Annotated[int, Field(ge=1)]
    """Exact size of the file."""


class UploadForm(Message):
    """Presigned POST: send a multipart form with `fields` first and the file last.

    If S3 refuses the form with status 403, or with 400 and the code `ExpiredToken`, request the upload again to get a
    new form.
    """

    url: str
    fields: dict[str, str]


class MultipartUpload(Message):
    """Presigned URLs for a multipart upload.

    Send the file with PUT in parts of `partBytes`; the last part is the rest of the file. S3 refuses a part of another
    size, or without the header Content-Length, with status 403. Each response has an ETag header. Finally POST the
    ETags of all parts to the API's path `/episodes/{episodeId}/uploads/{uploadId}`.

    If S3 refuses a part of the right size with status 403, or with 400 and the code `ExpiredToken`, its URL has
    expired. Then POST to `/parts` below that path to get new URLs. Parts that were sent stay valid.
    """

    part_bytes: int
    """Size of every part except the last."""
    urls: tuple[str, ...]
    """URLs of all parts, in the order of the file."""


class UploadReady(Message):
    """Upload that the client can send now. A large video gets `multipart`, every other file `form`."""

    upload_id: Ulid
    expires_seconds: int
    """Maximum validity of the form or of the URLs. They expire earlier if the credentials that signed them expire."""
    form: UploadForm | None = None
    multipart: MultipartUpload | None = None


ETag = Annotated[
    str, TextForm(r'^"?[A-Za-z0-9+/=_-]{1,128}"?$', "must be the header ETag of the response to this part")
]


class CompleteUpload(Message):
    """Request to combine the parts of an upload to one object."""

    etags: Annotated[tuple[ETag, ...], Field(min_length=1)]
    """ETag headers of the responses to all parts, in the order of the file."""


class PlayableChunk(Message):
    """Chunk of a video. It is an HLS segment (MPEG-TS) with sound that begins with a key frame. Browsers play it with hls.js."""

    start_ms: int
    duration_ms: int
    url: str
    """Presigned URL for GET. If S3 refuses it with status 403, or with 400 and the code `ExpiredToken`, list the chunks
    from this chunk's `startMs` on for a new URL."""


class Playback(Message):
    """Page of a video's chunks, by time."""

    chunks: tuple[PlayableChunk, ...]
    """Empty if `fromMs` is at or after the end of the video."""
    expires_seconds: int
    """Maximum validity of the URLs. They expire earlier if the credentials that signed them expire."""
    next_ms: int | None = None
    """Value of `fromMs` for the following chunks; absent after the last chunk."""


class Verdict(StrEnum):
    """Verdict of the fact-check agent on a fact claim, as the model, the table and the API name it."""

    SUPPORTED = "supported"
    REFUTED = "refuted"
    MISLEADING = "misleading"
    """A source shows that the claim is true in its words but leaves out or mixes up something that matters."""
    UNVERIFIED = "unverified"
    """No source in the request to the model confirms or contradicts the claim."""


class Claim(Message):
    """Statement that was made in an episode, with the verdict of the fact-check agent, which asks a language model."""

    claim_id: str
    start_ms: int
    end_ms: int
    quote: str
    """Words of the transcript."""
    text: str
    """Content of the claim as one sentence."""
    speaker: str | None = None
    verdict: Verdict
    confidence: float
    """The agent's confidence in the verdict, from 0 to 1."""
    explanation: str | None = None
    sources: tuple[str, ...] = ()
    """Ids of what supports the verdict: cues (timed lines of the transcript), or the agent's memories of other sections
    of the same transcript."""


class ClaimPage(Message):
    """Page of claims, by time."""

    claims: tuple[Claim, ...]
    next_cursor: str | None = None


class Clip(Message):
    """Section of an episode that the agent suggests as an excerpt, because it is worth watching alone."""

    clip_id: str
    start_ms: int
    end_ms: int
    title: str
    reason: str | None = None


class ClipPage(Message):
    """Page of clips, by time."""

    clips: tuple[Clip, ...]
    next_cursor: str | None = None

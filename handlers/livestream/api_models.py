"""What clients of livestream's REST API say and hear: one model each."""

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from handlers.common.name_patterns import LanguageCode, Ulid
from handlers.common.websocket.messages import Message
from handlers.livestream.findings import Verdict
from handlers.livestream.tracks import ContentType, EpisodeStatus, TrackKind, TrackReason, TrackState

MAX_PARTS = 100
_LINE = r"^[^\u0000-\u001f\u007f-\u009f]*$"
_LINES = r"^[^\u0000-\u0009\u000b-\u001f\u007f-\u009f]*$"
"""Text may have several lines, but no other control characters."""


def _text_constraints(max_length: int, pattern: str = _LINE) -> StringConstraints:
    return StringConstraints(strip_whitespace=True, min_length=1, max_length=max_length, pattern=pattern)


EpisodeId = Annotated[str, StringConstraints(pattern=r"^[0-9A-Z]{26}$")]
Title = Annotated[str, _text_constraints(200)]
Description = Annotated[str, _text_constraints(5_000, _LINES)]
Speakers = Annotated[tuple[Annotated[str, _text_constraints(100)], ...], Field(max_length=20)]
Version = Annotated[int, Field(ge=1, le=1_000_000_000)]
Milliseconds = Annotated[int, Field(ge=0, le=9_999_999_999)]
Timestamp = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{3}Z$")]
MAX_FINDING_CHARACTERS = 2_000
_FindingText = Annotated[str, StringConstraints(min_length=1, max_length=MAX_FINDING_CHARACTERS)]
"""What was heard, or made of it: nobody who reads it can mend it."""
FindingText = Annotated[_FindingText, Field(repr=False)]
OptionalFindingText = Annotated[_FindingText | None, Field(repr=False)]
FindingId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class EpisodePath(Message):
    """Which episode."""

    episode_id: EpisodeId


class UploadPath(EpisodePath):
    """Which upload to an episode."""

    upload_id: Ulid


class PageQuery(Message):
    """Which part of a list."""

    limit: Annotated[int, Field(ge=1, le=100)] = 20
    cursor: Annotated[str, StringConstraints(min_length=1, max_length=2_048)] | None = None
    """The `nextCursor` of the page before."""


class NewEpisode(Message):
    """An episode to be."""

    title: Title
    description: Description | None = None
    language: LanguageCode = "en-US"
    speakers: Speakers = ()
    client_token: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{8,64}$")] | None = None
    """The client's name for this creation: sent again with the same content, it makes no second episode."""


class EpisodeChanges(Message):
    """What is to be different about an episode. What is not named stays; a description of null goes."""

    version: Version
    """The one that the changes are made to."""
    title: Title = Field(default_factory=str)
    description: Description | None = None
    language: LanguageCode = Field(default_factory=str)
    speakers: Speakers = Field(default_factory=tuple)

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if self.model_fields_set <= {"version"}:
            raise PydanticCustomError("nothing_to_change", "name what is to change")
        return self


class TrackView(Message):
    """Where a track conflict."""

    state: TrackState
    since: Timestamp
    reason: TrackReason | None = None
    """Why it failed."""
    upload_id: Ulid | None = None


class Episode(Message):
    """An episode."""

    episode_id: EpisodeId
    title: Title
    description: Description | None = None
    language: LanguageCode
    speakers: Speakers
    status: EpisodeStatus
    video: TrackView
    transcript: TrackView
    created_at: Timestamp
    updated_at: Timestamp
    version: Version
    """Of what a client may change; tracks move on without it."""


class EpisodePage(Message):
    """Some episodes, newest first."""

    episodes: tuple[Episode, ...]
    next_cursor: str | None = None


class UploadRequest(Message):
    """What a client wants to upload."""

    kind: TrackKind
    content_type: ContentType
    bytes: Annotated[int, Field(ge=1, le=100_000_000_000)]


class UploadForm(Message):
    """Where to POST the file, as a form: `fields`, then the file."""

    url: str
    fields: dict[str, str]


class PartUrl(Message):
    """Where to PUT a part."""

    part_number: Annotated[int, Field(ge=1, le=MAX_PARTS)]
    url: str


class MultipartUpload(Message):
    """Where to PUT the file in parts of `partBytes`, the last being what is left; each answers with an ETag.

    Then POST `multipartId` and the parts' numbers and ETags to the upload itself. Where addresses expire before, POST
    `multipartId` to the upload's `parts`: what was sent stays.
    """

    multipart_id: str
    part_bytes: Annotated[int, Field(ge=5 * 1024**2)]
    """Every part but the last has so many."""
    parts: Annotated[tuple[PartUrl, ...], Field(min_length=1, max_length=MAX_PARTS)]


class UploadReady(Message):
    """Where to upload to: a form for what is small, parts for what is large."""

    upload_id: Ulid
    kind: TrackKind
    key: str
    max_bytes: int
    expires_seconds: int
    form: UploadForm | None = None
    multipart: MultipartUpload | None = None


class Part(Message):
    """A part that was uploaded."""

    part_number: Annotated[int, Field(ge=1, le=MAX_PARTS)]
    etag: Annotated[str, StringConstraints(pattern=r'^"?[A-Za-z0-9+/=_-]{1,128}"?$')]
    """As the answer to the part's PUT had it."""


MultipartId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._~+/=-]{1,1024}$")]


class SignParts(Message):
    """Asks for new addresses of an upload's parts: those that were told hold for a while, and parts may take longer."""

    multipart_id: MultipartId


class CompleteUpload(Message):
    """Puts the parts of an upload together."""

    multipart_id: MultipartId
    parts: Annotated[tuple[Part, ...], Field(min_length=1, max_length=MAX_PARTS)]

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len({one.part_number for one in self.parts}) < len(self.parts):
            raise PydanticCustomError("parts_repeated", "a part counts once")
        return self


class UploadCompleted(Message):
    """The file is whole. What is made of it, its track tells."""

    upload_id: Ulid
    key: str
    bytes: int


class Claim(Message):
    """Something that is claimed in an episode, and what is to be thought of it."""

    claim_id: FindingId
    start_ms: Milliseconds
    end_ms: Milliseconds
    timed: bool = True
    """Whether the times were measured, or estimated from a transcript without any."""
    quote: FindingText
    """As it is said."""
    text: FindingText
    """What it claims."""
    speaker: OptionalFindingText = None
    verdict: Verdict
    confidence: Annotated[float, Field(ge=0, le=1)]
    explanation: OptionalFindingText = None
    sources: Annotated[tuple[_FindingText, ...], Field(max_length=20)] = ()
    """What the verdict rests on."""


class ClaimPage(Message):
    """Some claims, in the order they are made."""

    claims: tuple[Claim, ...]
    next_cursor: str | None = None


class Clip(Message):
    """A part of an episode that may stand alone."""

    clip_id: FindingId
    start_ms: Milliseconds
    end_ms: Milliseconds
    title: FindingText
    reason: OptionalFindingText = None


class ClipPage(Message):
    """Some clips, in the order of the episode."""

    clips: tuple[Clip, ...]
    next_cursor: str | None = None

"""Requests and responses of the meetings API: the token exchange, and the playback of a recording.

`repr=False` keeps a secret out of the text that Python shows for a model, for example in an error.
"""

from typing import Annotated, Literal

from pydantic import Field

from handlers.common.identifier_types import Ulid, UserId
from handlers.common.json_models import Message
from handlers.meetings.auth_exchange.session_names import SessionName
from handlers.meetings.upload_completion_file import UtcTimestamp

Secret = Annotated[str, Field(min_length=1, repr=False)]


class TokenRequest(Message):
    """Base of all requests. The token is in the body, so that no log of URLs contains it."""

    token: Annotated[str, Field(repr=False)]
    """Token from the identity provider. The claim `aud` must contain the audience that the stack's settings name. Any
    invalid token, even an empty text, causes status 401 and not 400.
    """


class ExchangeRequest(TokenRequest):
    """Request for AWS credentials."""

    session_name: Annotated[SessionName, Field(repr=False)]
    """Name of the session in AWS logs, for example a device or a user name. Characters other than `a-zA-Z0-9=,.@_-` are
    removed, and only the first 64 of the remaining characters are used.
    """


class UserPrefixes(Message):
    """Key prefixes of a user's objects, by kind."""

    raw: str
    """The user may write objects with this prefix, but not read them. Objects with the other prefixes may be read, but
    not written.
    """
    video: str
    audio: str
    transcripts: str
    summaries: str


class ExchangeResponse(Message):
    """AWS credentials, and the bucket and table that they give access to."""

    access_key_id: Annotated[str, Field(min_length=1, repr=False)]
    secret_access_key: Secret
    session_token: Secret
    expiration: UtcTimestamp
    """Time at which the credentials expire."""
    renew_after: UtcTimestamp
    """Time from which the client should exchange a token again. It is well before the credentials expire."""
    user: UserId
    """The caller's pseudonym, which is the partition key of the caller's meetings, and part of their S3 keys."""
    bucket_name: str
    table_name: str
    region: str
    prefixes: UserPrefixes


class PlaybackRequest(TokenRequest):
    """Request for URLs with which a recording can be played."""

    meeting_id: Ulid


class PlayableFile(Message):
    """The video of a recording, or a part of its audio."""

    content_type: Literal["video/mp4", "audio/flac"]
    url: Annotated[str, Field(repr=False)]
    """Presigned URL for GET. If S3 refuses it with status 403, or with 400 and the code `ExpiredToken`, request the
    playback again for a new URL."""


class PlaybackResponse(Message):
    """URLs with which a recording can be played."""

    files: Annotated[tuple[PlayableFile, ...], Field(min_length=1)]
    """The recording's video. If it has no video, the parts of its audio, in order."""
    duration_ms: Annotated[int, Field(ge=0)] | None = None
    """Duration of the whole recording. Absent until the media job has measured it."""
    expires_seconds: int
    """Seconds for which the URLs are valid."""

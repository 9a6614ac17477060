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
    """Base of all requests: the caller's token. It is in the body, so that no log of URLs contains it."""

    token: Annotated[str, Field(repr=False)]
    """Token of the identity provider for this platform's audience. An invalid token causes a 401 error, not a 400
    error.
    """


class ExchangeRequest(TokenRequest):
    """Request for AWS credentials."""

    session_name: Annotated[SessionName, Field(repr=False)]
    """Name of the session in AWS logs, for example a device or a user name. Characters other than `a-zA-Z0-9=,.@_-` are
    removed. The rest is cut to 64 characters.
    """


class UserPrefixes(Message):
    """Key prefixes of a user's objects, by kind."""

    raw: str
    """The user writes below this prefix and reads below the others."""
    video: str
    audio: str
    transcripts: str
    summaries: str


class ExchangeResponse(Message):
    """AWS credentials, and the resources that they give access to."""

    access_key_id: Annotated[str, Field(min_length=1, repr=False)]
    secret_access_key: Secret
    session_token: Secret
    expiration: UtcTimestamp
    """Time at which the credentials expire."""
    renew_after: UtcTimestamp
    """The client should exchange a token again from this time on, well before the credentials expire."""
    user: UserId
    """The caller's pseudonym: partition key of the table, and part of every S3 key."""
    bucket_name: str
    table_name: str
    region: str
    prefixes: UserPrefixes


class PlaybackRequest(TokenRequest):
    """Request for URLs with which a recording can be played."""

    meeting_id: Ulid


class PlayableFile(Message):
    """File of a recording."""

    content_type: Literal["video/mp4", "audio/flac"]
    url: Annotated[str, Field(repr=False)]
    """Presigned URL for GET. If S3 refuses it with status 403, or with 400 and the code `ExpiredToken`, request the
    playback again for a new URL."""


class PlaybackResponse(Message):
    """The files of a recording: its video, or the parts of its audio, in order, if it has no video."""

    files: Annotated[tuple[PlayableFile, ...], Field(min_length=1)]
    duration_ms: Annotated[int, Field(ge=0)] | None = None
    """Duration of the whole recording. Absent until the media job has measured it."""
    expires_seconds: int
    """Maximum validity of the URLs."""

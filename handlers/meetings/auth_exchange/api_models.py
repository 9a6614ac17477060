"""Request and response of the meetings API, which has one operation: the token exchange.

`repr=False` keeps a secret out of the text that Python shows for a model, for example in an error.
"""

from typing import Annotated

from pydantic import Field

from handlers.common.ids import UserId
from handlers.common.json_models import Message
from handlers.meetings.auth_exchange.session_names import SessionName
from handlers.meetings.upload_completion_file import UtcTimestamp

Secret = Annotated[str, Field(min_length=1, repr=False)]


class ExchangeRequest(Message):
    """Request for AWS credentials. The token is in the body, so that no log of URLs contains it."""

    token: Annotated[str, Field(repr=False)]
    """Token from the identity provider. The claim `aud` must contain the audience that the stack's settings name. Any
    invalid token, even an empty text, causes status 401 and not 400.
    """
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

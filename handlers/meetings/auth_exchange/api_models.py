"""Request and response of the API call that exchanges a token for AWS credentials.

`repr=False` keeps a secret out of the text that Python shows for a model, for example in an error.
"""

from typing import Annotated

from pydantic import Field

from handlers.common.identifier_types import UserId
from handlers.common.json_models import Message
from handlers.meetings.auth_exchange.session_names import SessionName
from handlers.meetings.upload_completion_file import UtcTimestamp

Secret = Annotated[str, Field(min_length=1, repr=False)]


class ExchangeRequest(Message):
    """Request for AWS credentials."""

    token: Annotated[str, Field(repr=False)]
    """Token of the identity provider for this platform's audience. An invalid token causes a 401 error, not a 400
    error.
    """
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

"""What clients say and hear when they exchange a token for credentials. Pure.

Whatever is secret is in no text that is made of a model.
"""

from typing import Annotated

from pydantic import Field

from handlers.common.name_patterns import User
from handlers.common.websocket.messages import Message
from handlers.meetings.auth_exchange.session_names import SessionName
from handlers.meetings.complete_file import UtcTimestamp

Secret = Annotated[str, Field(min_length=1, repr=False)]


class ExchangeRequest(Message):
    """Asks for credentials."""

    token: Annotated[str, Field(repr=False)]
    """Of the identity provider, for this platform's audience. What is wrong with it is a 401, not a 400."""
    session_name: Annotated[SessionName, Field(repr=False)]
    """What the session is to be called in AWS' logs: a device, or a name; characters other than `a-zA-Z0-9=,.@_-` are
    left out, and what is longer than 64 is cut."""


class UserPrefixes(Message):
    """How the keys of a user's objects begin, by kind."""

    raw: str
    """What he uploads; the others he reads."""
    video: str
    audio: str
    transcripts: str
    summaries: str


class ExchangeResponse(Message):
    """Credentials, and what they are for."""

    access_key_id: Annotated[str, Field(min_length=1, repr=False)]
    secret_access_key: Secret
    session_token: Secret
    expiration: UtcTimestamp
    renew_after: UtcTimestamp
    """From then on, exchange again: well before they end."""
    user: User
    """The caller's name here: partition of the table, and part of every key."""
    bucket_name: str
    table_name: str
    region: str
    prefixes: UserPrefixes

"""The meetings REST API: its operations, their models and its error codes. `handler.py` implements it.

Clients do everything else by calling S3 and DynamoDB with the credentials that `exchangeToken` returns.

The role session name is the name that the caller sent, reduced to characters that STS accepts. AWS logs show it. Two users
may have the same session name, because the permissions depend on the session's tag, which contains the user from the
token.

`repr=False` keeps a secret out of the text that Python shows for a model, for example in an error.
"""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from handlers.common.errors import ErrorCode
from handlers.common.ids import Ulid, UserId
from handlers.common.json_models import Message, TextForm
from handlers.common.rest import RestOperation
from handlers.meetings.recording_files import UtcTimestamp

MAX_LENGTH = 64
"""Maximum length of a role session name in STS, whose minimum is 2."""
MAX_INPUT_LENGTH = 1_000
"""Maximum length of the name that the caller sends."""
_ALLOWED = "a-zA-Z0-9=,.@_-"
"""Characters that STS accepts, as a class of a regular expression."""


def _sanitise_session_name(name: str) -> str:
    """Remove the characters that STS rejects, and cut the name to `MAX_LENGTH`."""
    return re.sub(f"[^{_ALLOWED}]", "", name)[:MAX_LENGTH]


SessionName = Annotated[
    str,
    TextForm(
        rf"[{_ALLOWED}][\s\S]*[{_ALLOWED}]",
        f"must have at least 2 of a-z, A-Z, 0-9, =,.@_- and at most {MAX_INPUT_LENGTH} characters",
        max_length=MAX_INPUT_LENGTH,
    ),
    AfterValidator(_sanitise_session_name),
]
"""Field type whose validation sanitises the name. So no other module sees the name that the caller sent."""
Secret = Annotated[str, Field(repr=False)]


class ExchangeRequest(Message):
    """Request for AWS credentials. The token is in the body, so that no log of URLs contains it."""

    token: Secret
    """Token from the identity provider. The claim `aud` must contain the audience that the stack's settings name. Any
    invalid token, even an empty text, causes status 401 and not 400.
    """
    session_name: Annotated[SessionName, Field(repr=False)]
    """Name of the session in AWS logs, for example a device or a user name. Characters other than `a-zA-Z0-9=,.@_-` are
    removed, and only the first 64 of the remaining characters are used.
    """


class ExchangeResponse(Message):
    """AWS credentials, and the bucket and table that they give access to."""

    access_key_id: Secret
    secret_access_key: Secret
    session_token: Secret
    expiration: UtcTimestamp
    """Time at which the credentials expire."""
    renew_after: UtcTimestamp
    """Time from which the client should exchange a token again. It is well before the credentials expire."""
    user: UserId
    """The caller's pseudonym, which is the partition key of the caller's meetings, and part of their S3 keys. Objects below
    `raw/<user>/` may be written, but not read. Those below `video/<user>/`, `audio/<user>/`, `transcripts/<user>/` and
    `summaries/<user>/` may be read, but not written.
    """
    bucket_name: str
    table_name: str
    region: str


class MeetingPath(Message):
    """Path of a meeting."""

    meeting_id: Ulid
    """Id that the client created for the meeting."""


class MeetingsErrorCode(ErrorCode):
    """Error codes of the meetings API, in addition to the codes that all APIs use, such as `MALFORMED`."""

    MEETING_UNKNOWN = (
        "MEETING_UNKNOWN",
        "The meeting does not exist, belongs to another user, or was deleted more than a month ago.",
        "Check the id, and that the user of the token recorded the meeting.",
        404,
    )
    TOKEN_EXPIRED = (
        "TOKEN_EXPIRED",
        "The token has expired.",
        "Get a new token from the identity provider, and send the request again.",
        401,
    )
    TOKEN_REFUSED = (
        "TOKEN_REFUSED",
        (
            "The token is missing, malformed or not valid yet, or the stack's identity provider did not issue it for the "
            "stack's audience. The response does not distinguish these cases."
        ),
        "Log in at the identity provider that the stack's settings name, for the audience that they name.",
        401,
    )
    UNAVAILABLE = (
        "UNAVAILABLE",
        "The identity provider or AWS does not answer.",
        "Send the request again after a few seconds.",
        503,
    )


EXCHANGE_TOKEN = RestOperation(
    name="exchangeToken",
    method="POST",
    path="/exchange",
    summary="Exchange a token of the identity provider for AWS credentials to the caller's own meetings.",
    body=ExchangeRequest,
    answer=ExchangeResponse,
)
DELETE_MEETING = RestOperation(
    name="deleteMeeting",
    method="DELETE",
    path="/meetings/{meetingId}",
    summary="Delete a meeting of the caller, with all recordings and everything that was made from them.",
    parameters=MeetingPath,
    statuses=(204,),
    takes_token=True,
)
OPERATIONS = (EXCHANGE_TOKEN, DELETE_MEETING)

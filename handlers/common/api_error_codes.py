"""Error codes that APIs send to clients, with explanations. `docs/reference/errors.md` is generated from them."""

from enum import StrEnum
from typing import Self


class ErrorCode(StrEnum):
    """Base of the error codes of one API. A member is defined by its code, meaning, action, and HTTP status."""

    meaning: str
    """Reason for the error, as one or more sentences."""
    action: str
    """Advice for the developer of a client, as one or more sentences."""
    status: int
    """Status of the HTTP response. Of a WebSocket API, only the response to the handshake has a status."""

    def __new__(cls, code: str, meaning: str, action: str, status: int = 400) -> Self:
        """Create a member, whose value is the code."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.meaning, member.action, member.status = meaning, action, status
        return member


class CommonErrorCode(ErrorCode):
    """Error codes that all APIs use."""

    INTERNAL = (
        "INTERNAL",
        "The platform failed.",
        "Send the request again later. Give `requestId` to support if it fails again.",
        500,
    )
    MALFORMED = (
        "MALFORMED",
        "A field has an invalid value, or a required field is missing.",
        "Correct the request. `fields` names each wrong field, with the rule for its value.",
    )

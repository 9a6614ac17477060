"""Error codes that APIs send to clients. Each code has its explanation, from which `docs/errors.md` is generated."""

from enum import StrEnum
from typing import Self


class ErrorCode(StrEnum):
    """Base of the error codes of one API: the code, its meaning, the client's action, and the HTTP status.

    A member without meaning and action raises TypeError when its class is defined.
    """

    meaning: str
    """Reason for the error, as one or more sentences."""
    action: str
    """Instruction for the client's author, as one or more sentences."""
    status: int
    """Status of the HTTP response. Over a WebSocket, only an error of the handshake has a status."""

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

"""Error codes of the meetings API for well-formed requests."""

from handlers.common.error_codes import ErrorCode


class ExchangeErrorCode(ErrorCode):
    """Codes by which clients distinguish the errors."""

    MEETING_UNKNOWN = (
        "MEETING_UNKNOWN",
        "The caller has no meeting with this id.",
        "Check the id, and use a token of the user who recorded the meeting.",
        404,
    )
    RECORDING_NOT_READY = (
        "RECORDING_NOT_READY",
        "The meeting has no video and no audio yet, or its processing failed.",
        "Read the meeting's `status` and `reason`. Ask again when the media job has ended.",
        409,
    )
    TOKEN_EXPIRED = (
        "TOKEN_EXPIRED",
        "The token has expired.",
        "Get a new token from the identity provider, and send the request again.",
        401,
    )
    TOKEN_NOT_YET_VALID = (
        "TOKEN_NOT_YET_VALID",
        "The token is not valid yet. The clock of its issuer may be wrong.",
        "Check the clock of the machine that issued the token.",
        401,
    )
    TOKEN_REFUSED = (
        "TOKEN_REFUSED",
        (
            "The token is malformed, or it is not from the identity provider for this platform. The response does not "
            "distinguish these cases."
        ),
        "Log in at the identity provider that the stack names, for its audience.",
        401,
    )
    UNAVAILABLE = (
        "UNAVAILABLE",
        "The identity provider or AWS does not answer.",
        "Send the request again after the number of seconds in the header `Retry-After`.",
        503,
    )

"""Error codes of the meetings API, in addition to the codes that all APIs use, such as `MALFORMED`."""

from handlers.common.api_error_codes import ErrorCode


class ExchangeErrorCode(ErrorCode):
    """Error codes of the meetings API."""

    MEETING_UNKNOWN = (
        "MEETING_UNKNOWN",
        "The caller has no meeting with this id.",
        "Check the id, and use a token of the user who recorded the meeting.",
        404,
    )
    RECORDING_NOT_READY = (
        "RECORDING_NOT_READY",
        (
            "The meeting has no video and no audio. Either the media job, which makes them from the recording, has not "
            "ended yet, or the processing failed."
        ),
        "Read the meeting's `status` and `reason`. Unless the status is `failed`, ask again later.",
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
        "The token is valid only from a later time. The clock of the machine that issued it may be wrong.",
        "Check the clock of the machine that issued the token.",
        401,
    )
    TOKEN_REFUSED = (
        "TOKEN_REFUSED",
        (
            "The token is malformed, or the stack's identity provider did not issue it for the stack's audience. The "
            "response does not distinguish these cases."
        ),
        "Log in at the identity provider that the stack's settings name, for the audience that they name.",
        401,
    )
    UNAVAILABLE = (
        "UNAVAILABLE",
        "The identity provider or AWS does not answer.",
        "Send the request again after the number of seconds in the header `Retry-After`.",
        503,
    )

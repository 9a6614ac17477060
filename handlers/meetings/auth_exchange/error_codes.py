"""Error codes of the meetings API, in addition to the codes that all APIs use, such as `MALFORMED`."""

from handlers.common.errors import ErrorCode


class ExchangeErrorCode(ErrorCode):
    """Error codes of the meetings API."""

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

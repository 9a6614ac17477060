"""What can be wrong with a request to meetings' API that has the form it should."""

from enum import StrEnum


class ExchangeErrorCode(StrEnum):
    """By what clients tell errors apart."""

    TOKEN_EXPIRED = "TOKEN_EXPIRED"  # noqa: S105 - a code
    """A newer token helps."""
    TOKEN_NOT_YET_VALID = "TOKEN_NOT_YET_VALID"  # noqa: S105 - a code
    TOKEN_REFUSED = "TOKEN_REFUSED"  # noqa: S105 - a code
    """It is no token of the provider for this platform; which of that, is nobody's business."""
    UNAVAILABLE = "UNAVAILABLE"
    """Nobody can tell now; `Retry-After` says when to ask again."""

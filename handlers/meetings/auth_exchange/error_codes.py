"""Error codes of the token exchange for well-formed requests."""

from enum import StrEnum


class ExchangeErrorCode(StrEnum):
    TOKEN_EXPIRED = "TOKEN_EXPIRED"  # noqa: S105 - a code
    """The client needs a newer token."""
    TOKEN_NOT_YET_VALID = "TOKEN_NOT_YET_VALID"  # noqa: S105 - a code
    """The token becomes valid later, so one of the clocks may be wrong."""
    TOKEN_REFUSED = "TOKEN_REFUSED"  # noqa: S105 - a code
    """The token is malformed, or not from the identity provider for this platform. The response does not distinguish
    these cases.
    """
    UNAVAILABLE = "UNAVAILABLE"
    """The identity provider or STS is unavailable. `Retry-After` names the seconds to wait."""

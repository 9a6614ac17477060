"""What can be wrong with a request to livestream that has the form it should."""

from enum import StrEnum


class LivestreamErrorCode(StrEnum):
    """By what clients tell errors apart."""

    CURSOR_INVALID = "CURSOR_INVALID"
    EPISODE_UNKNOWN = "EPISODE_UNKNOWN"
    TOKEN_USED = "TOKEN_USED"  # noqa: S105 - a code
    """The client token belongs to another creation."""
    TYPE_UNSUPPORTED = "TYPE_UNSUPPORTED"
    UPLOAD_INCOMPLETE = "UPLOAD_INCOMPLETE"
    """The parts do not make up what was promised."""
    UPLOAD_NOT_EXPECTED = "UPLOAD_NOT_EXPECTED"
    UPLOAD_TOO_LARGE = "UPLOAD_TOO_LARGE"
    UPLOAD_UNKNOWN = "UPLOAD_UNKNOWN"
    VERSION_CONFLICT = "VERSION_CONFLICT"

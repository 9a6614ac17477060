"""Error codes of livestream's REST API for requests that are well formed but cannot be served."""

from enum import StrEnum


class LivestreamErrorCode(StrEnum):
    """Codes by which clients distinguish the errors."""

    CURSOR_INVALID = "CURSOR_INVALID"
    EPISODE_UNKNOWN = "EPISODE_UNKNOWN"
    TOKEN_USED = "TOKEN_USED"  # noqa: S105 - a code
    """The client token was used for a different creation request, or its episode is deleted."""
    TYPE_UNSUPPORTED = "TYPE_UNSUPPORTED"
    UPLOAD_INCOMPLETE = "UPLOAD_INCOMPLETE"
    """The uploaded parts do not form an object of the announced size."""
    UPLOAD_NOT_EXPECTED = "UPLOAD_NOT_EXPECTED"
    """The state of the track does not allow this request, or the upload has no parts."""
    UPLOAD_TOO_LARGE = "UPLOAD_TOO_LARGE"
    UPLOAD_UNKNOWN = "UPLOAD_UNKNOWN"
    VERSION_CONFLICT = "VERSION_CONFLICT"
    """The episode has changed since the client read it."""

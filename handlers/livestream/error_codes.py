"""Error codes of livestream's REST API for requests that are well formed but cannot be served."""

from handlers.common.errors import ErrorCode


class LivestreamErrorCode(ErrorCode):
    """Codes by which clients distinguish the errors.

    Each has its meaning, an action for the client's developer, and its HTTP status if this is not 400. `fields` in
    these texts is the list of wrong fields in the error response.
    """

    CURSOR_INVALID = (
        "CURSOR_INVALID",
        "The cursor has expired, or belongs to another list.",
        "Start again with the first page.",
    )
    EPISODE_DELETED = (
        "EPISODE_DELETED",
        "The `episodeId` of the request belongs to an episode that was deleted.",
        "Create the episode with a new id.",
        409,
    )
    EPISODE_UNKNOWN = (
        "EPISODE_UNKNOWN",
        "The episode does not exist, belongs to another caller, or was deleted.",
        "Check the id, and that the caller created the episode.",
        404,
    )
    TYPE_UNSUPPORTED = (
        "TYPE_UNSUPPORTED",
        "The content type is not accepted for this `kind` of file.",
        "Upload a file of a type that `fields` lists.",
    )
    UPLOAD_INCOMPLETE = (
        "UPLOAD_INCOMPLETE",
        "The uploaded parts do not form an object of the announced size.",
        "Upload the missing parts, then complete the upload with their ETags.",
        409,
    )
    UPLOAD_NOT_EXPECTED = (
        "UPLOAD_NOT_EXPECTED",
        "The file is already uploaded or being processed. Or the upload has failed, or uses a form and has no parts.",
        "Read the episode. If its track has failed, request a new upload.",
        409,
    )
    UPLOAD_TOO_LARGE = (
        "UPLOAD_TOO_LARGE",
        "The file is larger than the stack allows for this `kind`.",
        "Upload a file of at most the size that `fields` states.",
    )
    UPLOAD_UNKNOWN = (
        "UPLOAD_UNKNOWN",
        "The episode has no such upload, or it no longer exists.",
        "Request a new upload.",
        404,
    )
    VERSION_CONFLICT = (
        "VERSION_CONFLICT",
        "The episode has changed since the client read it.",
        "Read the episode again and repeat the change.",
        409,
    )
    VIDEO_GONE = (
        "VIDEO_GONE",
        "The chunks of the video have expired: the bucket keeps them for a limited number of days.",
        "Upload the video to a new episode to watch it again.",
        410,
    )
    VIDEO_NOT_READY = (
        "VIDEO_NOT_READY",
        "The episode has no video that was cut into chunks.",
        "Read the episode. Ask again when the state of its video is `chunked`.",
        409,
    )

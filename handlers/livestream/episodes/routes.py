"""Definition of livestream's REST API: its operations with their paths and models, and its error codes.

API Gateway's routes and docs/reference/openapi.json are derived from `OPERATIONS`. The Lambda function `episodes` binds
each operation to its function. Chunks are pieces of an uploaded video. Claims (statements whose truth was checked) and
clips (passages worth watching alone) were found by a model in the transcript.
"""

from handlers.common.errors import ErrorCode
from handlers.common.rest import AnyRestOperation, RestOperation
from handlers.livestream.models import (
    ClaimPage,
    ClipPage,
    CompleteUpload,
    Episode,
    EpisodeChanges,
    EpisodePage,
    EpisodePath,
    NewEpisode,
    PageQuery,
    Playback,
    PlaybackQuery,
    UploadPath,
    UploadReady,
    UploadRequest,
)

EPISODE_PATH = "/episodes/{episodeId}"

CREATE_EPISODE = RestOperation(
    name="createEpisode",
    method="POST",
    path="/episodes",
    summary="Create an episode. The status is 200 if an episode with the same id exists; it is not changed.",
    body=NewEpisode,
    answer=Episode,
    statuses=(201, 200),
)
LIST_EPISODES = RestOperation(
    name="listEpisodes",
    method="GET",
    path="/episodes",
    summary="List the caller's episodes, newest first.",
    query=PageQuery,
    answer=EpisodePage,
)
GET_EPISODE = RestOperation(
    name="getEpisode",
    method="GET",
    path=EPISODE_PATH,
    summary="Return an episode.",
    parameters=EpisodePath,
    answer=Episode,
)
UPDATE_EPISODE = RestOperation(
    name="updateEpisode",
    method="PATCH",
    path=EPISODE_PATH,
    summary="Change an episode if it still has the version that the client names.",
    parameters=EpisodePath,
    body=EpisodeChanges,
    answer=Episode,
)
DELETE_EPISODE = RestOperation(
    name="deleteEpisode",
    method="DELETE",
    path=EPISODE_PATH,
    summary="Delete an episode. Its video, transcript, claims and clips are deleted in the background.",
    parameters=EpisodePath,
    statuses=(204,),
)
REQUEST_UPLOAD = RestOperation(
    name="requestUpload",
    method="POST",
    path=f"{EPISODE_PATH}/uploads",
    summary="Prepare the upload of an episode's video or transcript.",
    parameters=EpisodePath,
    body=UploadRequest,
    answer=UploadReady,
    statuses=(201,),
)
SIGN_PARTS = RestOperation(
    name="signParts",
    method="POST",
    path=f"{EPISODE_PATH}/uploads/{{uploadId}}/parts",
    summary="Return new presigned URLs for the parts of an upload that is not complete.",
    parameters=UploadPath,
    answer=UploadReady,
)
COMPLETE_UPLOAD = RestOperation(
    name="completeUpload",
    method="POST",
    path=f"{EPISODE_PATH}/uploads/{{uploadId}}",
    summary="Complete an upload by combining its parts. The state of the video shows the further processing.",
    parameters=UploadPath,
    body=CompleteUpload,
    statuses=(204,),
)
LIST_CHUNKS = RestOperation(
    name="listChunks",
    method="GET",
    path=f"{EPISODE_PATH}/chunks",
    summary="List the chunks of an episode's video, by time, with URLs for playing them.",
    parameters=EpisodePath,
    query=PlaybackQuery,
    answer=Playback,
)
LIST_CLAIMS = RestOperation(
    name="listClaims",
    method="GET",
    path=f"{EPISODE_PATH}/claims",
    summary="List the claims of an episode, by time.",
    parameters=EpisodePath,
    query=PageQuery,
    answer=ClaimPage,
)
LIST_CLIPS = RestOperation(
    name="listClips",
    method="GET",
    path=f"{EPISODE_PATH}/clips",
    summary="List the suggested clips of an episode, by time.",
    parameters=EpisodePath,
    query=PageQuery,
    answer=ClipPage,
)
OPERATIONS: tuple[AnyRestOperation, ...] = (
    CREATE_EPISODE,
    LIST_EPISODES,
    GET_EPISODE,
    UPDATE_EPISODE,
    DELETE_EPISODE,
    REQUEST_UPLOAD,
    SIGN_PARTS,
    COMPLETE_UPLOAD,
    LIST_CHUNKS,
    LIST_CLAIMS,
    LIST_CLIPS,
)


class LivestreamErrorCode(ErrorCode):
    """Codes by which clients distinguish errors of requests that are well formed but cannot be served.

    The values of each are the code, its meaning, an action for the client's developer, and the HTTP status if it is not
    400. `fields` in these texts is the list of wrong fields in the error response.
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
        "The file is uploaded or being processed already, or its upload failed.",
        "Read the episode. If the state of this video or transcript is `failed`, request a new upload.",
        409,
    )
    UPLOAD_TOO_LARGE = (
        "UPLOAD_TOO_LARGE",
        "The file is larger than the stack allows for this `kind`.",
        "Upload a file of at most the size that `fields` states.",
    )
    UPLOAD_UNKNOWN = (
        "UPLOAD_UNKNOWN",
        "The episode has no such upload in parts, or it no longer exists.",
        "Use the `uploadId` of the latest request for the upload, or request a new upload.",
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

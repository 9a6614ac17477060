"""Definitions of the operations of livestream's REST API: their paths, and the models of requests and responses.

API Gateway's routes, the dispatch in the handler, and docs/reference/openapi.json are all derived from `OPERATIONS`.
"""

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
    SignParts,
    UploadCompleted,
    UploadPath,
    UploadReady,
    UploadRequest,
)

EPISODES_PATH = "/episodes"
EPISODE_PATH = "/episodes/{episodeId}"

CREATE_EPISODE = RestOperation(
    name="createEpisode",
    method="POST",
    path=EPISODES_PATH,
    summary="Create an episode. The status is 200 if an episode with the same id exists; it is not changed.",
    body=NewEpisode,
    answer=Episode,
    statuses=(201, 200),
)
LIST_EPISODES = RestOperation(
    name="listEpisodes",
    method="GET",
    path=EPISODES_PATH,
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
    body=SignParts,
    answer=UploadReady,
)
COMPLETE_UPLOAD = RestOperation(
    name="completeUpload",
    method="POST",
    path=f"{EPISODE_PATH}/uploads/{{uploadId}}",
    summary="Complete an upload by combining its parts.",
    parameters=UploadPath,
    body=CompleteUpload,
    answer=UploadCompleted,
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

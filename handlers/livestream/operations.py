"""Livestream's REST API: what it offers. Pure."""

from handlers.common.operations import Operation
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
    UploadCompleted,
    UploadPath,
    UploadReady,
    UploadRequest,
)

EPISODES = "/episodes"
EPISODE = "/episodes/{episodeId}"

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        name="createEpisode",
        method="POST",
        path=EPISODES,
        summary="Creates an episode; 200 where the client token has made the same one before.",
        body=NewEpisode,
        answer=Episode,
        statuses=(201, 200),
    ),
    Operation(
        name="listEpisodes",
        method="GET",
        path=EPISODES,
        summary="Lists episodes, newest first.",
        query=PageQuery,
        answer=EpisodePage,
    ),
    Operation(
        name="getEpisode",
        method="GET",
        path=EPISODE,
        summary="Tells an episode.",
        parameters=EpisodePath,
        answer=Episode,
    ),
    Operation(
        name="updateEpisode",
        method="PATCH",
        path=EPISODE,
        summary="Changes an episode, if it still is as the client knows it.",
        parameters=EpisodePath,
        body=EpisodeChanges,
        answer=Episode,
    ),
    Operation(
        name="deleteEpisode",
        method="DELETE",
        path=EPISODE,
        summary="Deletes an episode, and by and by all that belongs to it.",
        parameters=EpisodePath,
        statuses=(204,),
    ),
    Operation(
        name="requestUpload",
        method="POST",
        path=f"{EPISODE}/uploads",
        summary="Tells where to upload an episode's video or transcript.",
        parameters=EpisodePath,
        body=UploadRequest,
        answer=UploadReady,
        statuses=(201,),
    ),
    Operation(
        name="completeUpload",
        method="POST",
        path=f"{EPISODE}/uploads/{{uploadId}}",
        summary="Puts the parts of an upload together.",
        parameters=UploadPath,
        body=CompleteUpload,
        answer=UploadCompleted,
    ),
    Operation(
        name="listClaims",
        method="GET",
        path=f"{EPISODE}/claims",
        summary="Lists what is claimed in an episode, in order.",
        parameters=EpisodePath,
        query=PageQuery,
        answer=ClaimPage,
    ),
    Operation(
        name="listClips",
        method="GET",
        path=f"{EPISODE}/clips",
        summary="Lists what may be cut out of an episode, in order.",
        parameters=EpisodePath,
        query=PageQuery,
        answer=ClipPage,
    ),
)

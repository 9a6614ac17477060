"""Lambda function `episodes`: serves livestream's REST API."""

import os
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import boto3
from botocore.config import Config

from handlers.common.aws.client_config import CONFIG, SHORT_TIMEOUT_CONFIG, build_presigning_config
from handlers.common.aws.secret_parameter import SecretParameter
from handlers.common.http.rest_dispatch import ProxyResponse, RestAnswer, RestDispatcher, RestRequest
from handlers.common.logging import EventLog
from handlers.common.time_and_ids import clock
from handlers.common.time_and_ids.new_ids import new_id
from handlers.livestream.episode_table import EpisodeTable
from handlers.livestream.episodes_api.environment import EpisodesApiEnvironment
from handlers.livestream.episodes_api.episode_operations import EpisodeOperations
from handlers.livestream.episodes_api.operation_definitions import OPERATIONS
from handlers.livestream.episodes_api.page_cursors import Cursors
from handlers.livestream.episodes_api.upload_bucket import UploadBucket
from handlers.livestream.episodes_api.upload_operations import UploadLimits, UploadOperations
from handlers.livestream.episodes_api.video_playback import ChunkBucket, PlaybackOperations
from handlers.livestream.event_publisher import EventPublisher

MEGABYTE, GIGABYTE = 1000**2, 1000**3
_S3_CONFIG = CONFIG.merge(Config(read_timeout=8, retries={"mode": "standard", "total_max_attempts": 2}))
"""Completing a multipart upload takes seconds. Two attempts fit into the function's timeout."""


def operation_handlers(
    episodes: EpisodeOperations, uploads: UploadOperations, playback: PlaybackOperations
) -> dict[str, Callable[[RestRequest], RestAnswer]]:
    """Return the method that implements each operation, by operation name."""
    return {
        "createEpisode": episodes.create,
        "listEpisodes": episodes.list_episodes,
        "getEpisode": episodes.get,
        "updateEpisode": episodes.update,
        "deleteEpisode": episodes.delete,
        "requestUpload": uploads.request,
        "signParts": uploads.sign,
        "completeUpload": uploads.complete,
        "listChunks": playback.list_chunks,
        "listClaims": episodes.list_claims,
        "listClips": episodes.list_clips,
    }


def upload_limits(environment: EpisodesApiEnvironment) -> UploadLimits:
    return UploadLimits(
        max_video_bytes=environment.max_video_gigabytes * GIGABYTE,
        max_transcript_bytes=environment.max_transcript_megabytes * MEGABYTE,
        # Above this size, a video is uploaded in parts instead of by form.
        max_form_bytes=environment.multipart_megabytes * MEGABYTE,
    )


@cache
def _rest() -> RestDispatcher:
    environment = EpisodesApiEnvironment.read()
    session = boto3.Session()
    log = EventLog(environment.log_level)
    table = EpisodeTable(session.client("dynamodb", config=SHORT_TIMEOUT_CONFIG), environment.table_name)
    cursors = Cursors(
        SecretParameter(session.client("ssm", config=SHORT_TIMEOUT_CONFIG), environment.encryption_key),
        seconds=environment.cursor_seconds,
        clock=clock.now,
        nonce=os.urandom,
    )
    episodes = EpisodeOperations(
        table,
        cursors,
        EventPublisher(session.client("events", config=SHORT_TIMEOUT_CONFIG), environment.event_source),
        deleted_days=environment.deleted_days,
        clock=clock.now,
        new_id=new_id,
        log=log,
    )
    s3 = session.client("s3", config=_S3_CONFIG.merge(build_presigning_config()))
    bucket = UploadBucket(s3, environment.bucket_name, environment.url_seconds)
    uploads = UploadOperations(table, bucket, limits=upload_limits(environment), clock=clock.now, new_id=new_id)
    playback = PlaybackOperations(table, ChunkBucket(s3, environment.bucket_name, environment.playback_seconds))
    return RestDispatcher(
        OPERATIONS, operation_handlers(episodes, uploads, playback), origin=environment.origin, log=log
    )


def handler(event: Mapping[str, Any], _context: object) -> ProxyResponse:
    return _rest().handle(event)


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    _rest()  # created during initialization, before the first request waits for it

"""Lambda function `episodes`: serves livestream's REST API."""

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

import boto3
from botocore.config import Config

from handlers.common import ids
from handlers.common.aws import CONFIG, SHORT_TIMEOUT_CONFIG, SecretParameter, build_presigning_config
from handlers.common.ids import new_id
from handlers.common.logging import EventLog
from handlers.common.rest import BoundOperation, ProxyResponse, RestDispatcher
from handlers.livestream.episode_table import EpisodeTable
from handlers.livestream.episodes import operation_definitions as operations
from handlers.livestream.episodes.environment import EpisodesApiEnvironment
from handlers.livestream.episodes.episode_operations import EpisodeOperations
from handlers.livestream.episodes.page_cursors import Cursors
from handlers.livestream.episodes.upload_bucket import UploadBucket
from handlers.livestream.episodes.upload_operations import UploadLimits, UploadOperations
from handlers.livestream.episodes.video_playback import ChunkBucket, PlaybackOperations
from handlers.livestream.event_publisher import EventPublisher
from handlers.livestream.findings import FindingsTable

MEGABYTE, GIGABYTE = 1000**2, 1000**3
_S3_CONFIG = CONFIG.merge(Config(read_timeout=8, retries={"mode": "standard", "total_max_attempts": 2}))
"""Completing a multipart upload takes seconds. Two attempts fit into the function's timeout."""


def bind_operations(
    episodes: EpisodeOperations, uploads: UploadOperations, playback: PlaybackOperations
) -> list[BoundOperation]:
    """Return each operation with the method that implements it."""
    return [
        operations.CREATE_EPISODE.bind(episodes.create),
        operations.LIST_EPISODES.bind(episodes.list_episodes),
        operations.GET_EPISODE.bind(episodes.get),
        operations.UPDATE_EPISODE.bind(episodes.update),
        operations.DELETE_EPISODE.bind(episodes.delete),
        operations.REQUEST_UPLOAD.bind(uploads.request),
        operations.SIGN_PARTS.bind(uploads.sign),
        operations.COMPLETE_UPLOAD.bind(uploads.complete),
        operations.LIST_CHUNKS.bind(playback.list_chunks),
        operations.LIST_CLAIMS.bind(episodes.list_claims),
        operations.LIST_CLIPS.bind(episodes.list_clips),
    ]


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
    dynamodb = session.client("dynamodb", config=SHORT_TIMEOUT_CONFIG)
    table = EpisodeTable(dynamodb, environment.table_name)
    cursors = Cursors(
        SecretParameter(session.client("ssm", config=SHORT_TIMEOUT_CONFIG), environment.encryption_key),
        seconds=environment.cursor_seconds,
        clock=ids.now,
        nonce=os.urandom,
    )
    episodes = EpisodeOperations(
        table,
        FindingsTable(dynamodb, environment.table_name, ids.now),
        cursors,
        EventPublisher(session.client("events", config=SHORT_TIMEOUT_CONFIG), environment.event_source),
        deleted_days=environment.deleted_days,
        clock=ids.now,
        new_id=new_id,
        log=log,
    )
    s3 = session.client("s3", config=_S3_CONFIG.merge(build_presigning_config()))
    bucket = UploadBucket(s3, environment.bucket_name, environment.url_seconds)
    uploads = UploadOperations(table, bucket, limits=upload_limits(environment), clock=ids.now, new_id=new_id)
    playback = PlaybackOperations(table, ChunkBucket(s3, environment.bucket_name, environment.playback_seconds))
    return RestDispatcher(bind_operations(episodes, uploads, playback), origin=environment.origin, log=log)


def handler(event: Mapping[str, Any], _context: object) -> ProxyResponse:
    return _rest().handle(event)


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    _rest()  # created during initialization, before the first request waits for it

"""The REST API's function: wires episodes and uploads to its operations."""

import os
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import boto3
from botocore.config import Config

from handlers.common.aws.clients import CONFIG, LIVE_CONFIG, build_presigning_config
from handlers.common.http.rest_dispatch import ProxyResponse, RestAnswer, RestDispatcher, RestRequest
from handlers.common.logging import EventLog
from handlers.common.time_and_ids import clock
from handlers.livestream.episode_table import EpisodeTable
from handlers.livestream.episodes_api.api_operations import OPERATIONS
from handlers.livestream.episodes_api.environment import ApiEnvironment
from handlers.livestream.episodes_api.episode_operations import Episodes
from handlers.livestream.episodes_api.page_cursors import Cursors, Secret
from handlers.livestream.episodes_api.upload_bucket import UploadBucket
from handlers.livestream.episodes_api.upload_operations import UploadLimits, Uploads
from handlers.livestream.event_publisher import Publisher

MEGABYTE, GIGABYTE = 1000**2, 1000**3
_S3_CONFIG = CONFIG.merge(Config(read_timeout=8, retries={"mode": "standard", "total_max_attempts": 2}))
"""Putting parts together takes seconds; two attempts end before the function does."""


def acts(episodes: Episodes, uploads: Uploads) -> dict[str, Callable[[RestRequest], RestAnswer]]:
    """What does each operation."""
    return {
        "createEpisode": episodes.create,
        "listEpisodes": episodes.list,
        "getEpisode": episodes.get,
        "updateEpisode": episodes.update,
        "deleteEpisode": episodes.delete,
        "requestUpload": uploads.request,
        "signParts": uploads.sign,
        "completeUpload": uploads.complete,
        "listClaims": episodes.claims,
        "listClips": episodes.clips,
    }


def limits(environment: ApiEnvironment) -> UploadLimits:
    """What the environment lets be uploaded."""
    return UploadLimits(
        max_video_bytes=environment.max_video_gigabytes * GIGABYTE,
        max_transcript_bytes=environment.max_transcript_megabytes * MEGABYTE,
        form_bytes=environment.multipart_megabytes * MEGABYTE,
    )


@cache
def _rest() -> RestDispatcher:
    """Made once a container."""
    environment = ApiEnvironment.read()
    session = boto3.Session()
    log = EventLog(environment.log_level)
    table = EpisodeTable(session.client("dynamodb", config=LIVE_CONFIG), environment.table_name)
    cursors = Cursors(
        Secret(session.client("ssm", config=LIVE_CONFIG), environment.encryption_key),
        seconds=environment.cursor_seconds,
        clock=clock.now,
        nonce=os.urandom,
    )
    episodes = Episodes(
        table,
        cursors,
        Publisher(session.client("events", config=LIVE_CONFIG), environment.event_source),
        deleted_days=environment.deleted_days,
        clock=clock.now,
        new_id=clock.new_id,
        log=log,
    )
    s3 = session.client("s3", config=_S3_CONFIG.merge(build_presigning_config()))
    bucket = UploadBucket(s3, environment.bucket_name, environment.url_seconds)
    uploads = Uploads(table, bucket, limits=limits(environment), clock=clock.now, new_id=clock.new_id)
    return RestDispatcher(OPERATIONS, acts(episodes, uploads), origin=environment.origin, log=log)


def handler(event: Mapping[str, Any], _context: object) -> ProxyResponse:
    """The entry point of the function."""
    return _rest().handle(event)


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    _rest()  # while the container starts, which is faster and comes before anybody waits

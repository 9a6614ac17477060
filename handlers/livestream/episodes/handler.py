"""Lambda function `episodes`: serves livestream's REST API."""

import os
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

import boto3
from botocore.config import Config

from handlers.common import ids
from handlers.common.aws import CONFIG, SHORT_TIMEOUT_CONFIG, build_presigning_config, secret_parameter
from handlers.common.errors import HandlerError
from handlers.common.logging import EventLog
from handlers.common.rest import (
    Answer,
    Body,
    BoundOperation,
    Parameters,
    ProxyResponse,
    Query,
    RestAnswer,
    RestDispatcher,
    RestOperation,
    RestRequest,
)
from handlers.livestream.environment import EpisodesApiEnvironment
from handlers.livestream.episode_table import EpisodeNotFound, EpisodeTable, queue_deletion
from handlers.livestream.episodes import routes
from handlers.livestream.episodes.operations import Cursors, EpisodeOperations
from handlers.livestream.episodes.routes import LivestreamErrorCode
from handlers.livestream.episodes.uploads import UploadOperations
from handlers.livestream.episodes.video_playback import PlaybackOperations
from handlers.livestream.windows import FindingsTable

_S3_CONFIG = CONFIG.merge(Config(read_timeout=8, retries={"mode": "standard", "total_max_attempts": 2}))
"""Completing a multipart upload takes seconds. Two attempts fit into the function's timeout."""


def _bind(
    operation: RestOperation[Parameters, Query, Body, Answer],
    perform: Callable[[RestRequest[Parameters, Query, Body]], RestAnswer[Answer]],
) -> BoundOperation:
    """Return the operation with its function. If the function does not find the episode, the client gets a 404."""

    def perform_or_refuse(request: RestRequest[Parameters, Query, Body]) -> RestAnswer[Answer]:
        try:
            return perform(request)
        except EpisodeNotFound:
            message = "This episode does not exist, or it was deleted."
            raise HandlerError(LivestreamErrorCode.EPISODE_UNKNOWN, message) from None

    return operation.bind(perform_or_refuse)


@cache
def _rest() -> RestDispatcher:
    environment = EpisodesApiEnvironment.read()
    dynamodb = boto3.client("dynamodb", config=SHORT_TIMEOUT_CONFIG)
    table = EpisodeTable(dynamodb, environment.table_name, ids.now)
    secret = secret_parameter(boto3.client("ssm", config=SHORT_TIMEOUT_CONFIG), environment.encryption_key)
    sqs = boto3.client("sqs", config=SHORT_TIMEOUT_CONFIG)
    episodes = EpisodeOperations(
        table,
        FindingsTable(dynamodb, environment.table_name, ids.now),
        Cursors(secret, ids.now),
        partial(queue_deletion, sqs, environment.deletions_queue_url),
        clock=ids.now,
        new_id=ids.new_id,
    )
    s3 = boto3.client("s3", config=_S3_CONFIG.merge(build_presigning_config()))
    uploads = UploadOperations(table, s3, environment, clock=ids.now, new_id=ids.new_id)
    playback = PlaybackOperations(table, s3, environment.bucket_name)
    operations = [
        _bind(routes.CREATE_EPISODE, episodes.create),
        _bind(routes.LIST_EPISODES, episodes.list_episodes),
        _bind(routes.GET_EPISODE, episodes.get),
        _bind(routes.UPDATE_EPISODE, episodes.update),
        _bind(routes.DELETE_EPISODE, episodes.delete),
        _bind(routes.REQUEST_UPLOAD, uploads.request),
        _bind(routes.SIGN_PARTS, uploads.sign),
        _bind(routes.COMPLETE_UPLOAD, uploads.complete),
        _bind(routes.LIST_CHUNKS, playback.list_chunks),
        _bind(routes.LIST_CLAIMS, episodes.list_claims),
        _bind(routes.LIST_CLIPS, episodes.list_clips),
    ]
    return RestDispatcher(operations, origin=environment.origin, log=EventLog(environment.log_level))


def handler(event: Mapping[str, Any], _context: object) -> ProxyResponse:
    return _rest().handle(event)


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    _rest()  # created during initialization, before the first request waits for it

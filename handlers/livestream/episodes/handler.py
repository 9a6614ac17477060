"""Lambda function `episodes`: serves livestream's REST API."""

import os
from collections.abc import Mapping
from functools import cache, partial
from typing import Any

import boto3

from handlers.common import ids
from handlers.common.aws import CONFIG, SHORT_TIMEOUT_CONFIG, build_presigning_config, secret_parameter
from handlers.common.errors import HandlerError, ProxyResponse
from handlers.common.logging import EventLog
from handlers.common.rest import RestDispatcher
from handlers.livestream.environment import EpisodesApiEnvironment
from handlers.livestream.episode_table import EpisodeTable, queue_deletion
from handlers.livestream.episodes import routes
from handlers.livestream.episodes.operations import Cursors, EpisodeOperations
from handlers.livestream.episodes.routes import LivestreamErrorCode
from handlers.livestream.episodes.uploads import UploadOperations
from handlers.livestream.episodes.video_playback import PlaybackOperations
from handlers.livestream.windows import FindingsTable


@cache
def _rest() -> RestDispatcher:
    environment = EpisodesApiEnvironment.read()
    dynamodb = boto3.client("dynamodb", config=SHORT_TIMEOUT_CONFIG)
    unknown = partial(
        HandlerError, LivestreamErrorCode.EPISODE_UNKNOWN, "This episode does not exist, or it was deleted."
    )
    table = EpisodeTable(dynamodb, environment.table_name, ids.now, not_found=unknown)
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
    s3 = boto3.client("s3", config=CONFIG.merge(build_presigning_config()))
    uploads = UploadOperations(table, s3, environment, clock=ids.now, new_id=ids.new_id)
    playback = PlaybackOperations(table, s3, environment.bucket_name)
    operations = [
        routes.CREATE_EPISODE.bind(episodes.create),
        routes.LIST_EPISODES.bind(episodes.list_episodes),
        routes.GET_EPISODE.bind(episodes.get),
        routes.UPDATE_EPISODE.bind(episodes.update),
        routes.DELETE_EPISODE.bind(episodes.delete),
        routes.REQUEST_UPLOAD.bind(uploads.request),
        routes.SIGN_PARTS.bind(uploads.sign),
        routes.COMPLETE_UPLOAD.bind(uploads.complete),
        routes.LIST_CHUNKS.bind(playback.list_chunks),
        routes.LIST_CLAIMS.bind(episodes.list_claims),
        routes.LIST_CLIPS.bind(episodes.list_clips),
    ]
    return RestDispatcher(operations, origin=environment.origin, log=EventLog(environment.log_level))


def handler(event: Mapping[str, Any], _context: object) -> ProxyResponse:
    return _rest().handle(event)


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    _rest()  # created during initialization, before the first request waits for it

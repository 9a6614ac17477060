"""Lambda function `auth-exchange`, which implements both operations of the meetings API.

`exchangeToken` exchanges an identity provider's token for AWS credentials. `playRecording` returns presigned URLs for
playing a recording. The function and its folder are named after `exchangeToken` only.

API Gateway does not authenticate callers. Instead, this function verifies the token in the request's body. So neither
this function nor API Gateway may log bodies.
"""

import os
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import boto3
from botocore.config import Config

from handlers.common.aws.client_config import CONFIG
from handlers.common.http.rest_dispatch import ProxyResponse, RestAnswer, RestDispatcher, RestRequest
from handlers.common.identity.oidc_tokens import TokenVerifier
from handlers.common.identity.signing_keys import SigningKeys
from handlers.common.logging import EventLog
from handlers.common.time_and_ids import clock
from handlers.meetings.auth_exchange.credentials_exchange import (
    CallerAccess,
    ClientRole,
    MeetingsLocation,
    TokenExchange,
)
from handlers.meetings.auth_exchange.environment import MIN_CREDENTIAL_SECONDS, AuthEnvironment
from handlers.meetings.auth_exchange.operation_definitions import OPERATIONS
from handlers.meetings.auth_exchange.recording_playback import RecordingPlayback, create_user_clients

_STS_CONFIG = CONFIG.merge(
    Config(connect_timeout=1, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 2})
)
"""Short timeouts: both attempts together must end before the caller of the API stops waiting."""


def operation_functions(
    exchange: TokenExchange, playback: RecordingPlayback
) -> dict[str, Callable[[RestRequest], RestAnswer]]:
    """Return the methods that implement the operations of `operation_definitions.py`, by operation name."""
    return {"exchangeToken": exchange.exchange, "playRecording": playback.sign}


@cache
def _api() -> RestDispatcher:
    environment = AuthEnvironment.read()
    log = EventLog(environment.log_level)
    sts = boto3.client("sts", config=_STS_CONFIG)
    verifier = TokenVerifier(environment.issuer, environment.audience, SigningKeys(environment.jwks_url), clock.now)
    location = MeetingsLocation(environment.bucket_name, environment.table_name, sts.meta.region_name)

    def create_access(seconds: int) -> CallerAccess:
        return CallerAccess(verifier, ClientRole(sts, environment.client_role, seconds).assume, log)

    exchange = TokenExchange(
        create_access(environment.credential_seconds), location, renew_before_seconds=environment.renew_before_seconds
    )
    playback = RecordingPlayback(
        create_access(MIN_CREDENTIAL_SECONDS),
        location,
        create_user_clients,
        playback_seconds=environment.playback_seconds,
    )
    operations = operation_functions(exchange, playback)
    return RestDispatcher(OPERATIONS, operations, origin=environment.origin, log=log)


def handler(event: Mapping[str, Any], _context: object) -> ProxyResponse:
    return _api().handle(event)


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    _api()  # Lambda gives the initialisation more CPU than an invocation, so a first request waits less

"""Lambda function `auth-exchange`, which implements the meetings API: it exchanges an identity provider's token for AWS
credentials.

API Gateway does not authenticate callers. Instead, this function verifies the token in the request's body. So neither
this function nor API Gateway may log bodies.
"""

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

import boto3
from botocore.config import Config

from handlers.common.aws import CONFIG
from handlers.common.logging import EventLog
from handlers.common.rest import ProxyResponse, RestDispatcher
from handlers.common.tokens import TokenVerifier, signing_keys
from handlers.meetings.auth_exchange.credentials_exchange import (
    CallerAccess,
    ClientRole,
    MeetingsLocation,
    TokenExchange,
)
from handlers.meetings.auth_exchange.environment import AuthEnvironment
from handlers.meetings.auth_exchange.operation_definitions import EXCHANGE_TOKEN

_STS_CONFIG = CONFIG.merge(
    Config(connect_timeout=1, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 2})
)
"""Short timeouts: both attempts together must end before the caller of the API stops waiting."""


@cache
def _api() -> RestDispatcher:
    environment = AuthEnvironment.read()
    log = EventLog(environment.log_level)
    sts = boto3.client("sts", config=_STS_CONFIG)
    verifier = TokenVerifier(environment.issuer, environment.audience, signing_keys(environment.jwks_url))
    location = MeetingsLocation(environment.bucket_name, environment.table_name, sts.meta.region_name)
    role = ClientRole(sts, environment.client_role, environment.credential_seconds)
    exchange = TokenExchange(
        CallerAccess(verifier, role.assume, log), location, renew_before_seconds=environment.renew_before_seconds
    )
    return RestDispatcher([EXCHANGE_TOKEN.bind(exchange.exchange)], origin=environment.origin, log=log)


def handler(event: Mapping[str, Any], _context: object) -> ProxyResponse:
    return _api().handle(event)


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    _api()  # Lambda gives the initialisation more CPU than an invocation, so a first request waits less

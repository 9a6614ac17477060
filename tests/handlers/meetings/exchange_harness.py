"""Harness for tests of the token exchange, the API call that trades an identity provider's token for AWS credentials.

A local server is the identity provider, and moto emulates STS.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

import boto3
import jwt
from botocore.config import Config
from moto import mock_aws

from handlers.common.logging import EventLog
from handlers.common.rest import RestDispatcher
from handlers.common.tokens import TokenVerifier, signing_keys
from handlers.meetings.auth_exchange.credentials_exchange import (
    CallerAccess,
    ClientRole,
    MeetingsLocation,
    TokenExchange,
)
from handlers.meetings.auth_exchange.operation_definitions import EXCHANGE_TOKEN
from tests.handlers.client_events import at_event
from tests.handlers.rest_response import RestResponse
from tests.token_issuer import AUDIENCE, Provider, serving

ROLE = "arn:aws:iam::123456789012:role/polyphony-dev-meetings-client"
LOCATION = MeetingsLocation("recordings", "meetings", "us-east-1")
ORIGIN = "https://example.org"
CREDENTIAL_SECONDS, RENEW_BEFORE_SECONDS = 3600, 900


@cache
def _sts_client() -> Any:
    """Return a cached client, because creating one would take most of a test's time."""
    create_client: Any = boto3.client
    return create_client("sts", region_name="us-east-1", config=Config(retries={"total_max_attempts": 1}))


@dataclass
class ExchangeHarness:
    """The token exchange with its identity provider and STS."""

    provider: Provider
    role: ClientRole
    assume_role_calls: list[dict[str, Any]]
    """Parameters of all AssumeRole calls."""
    clock_seconds: float = 1_000_000.0
    """Time of the clock by which the signing keys of the identity provider are cached."""
    keys: jwt.PyJWKClient = field(init=False)

    def __post_init__(self) -> None:
        self.keys = signing_keys(self.provider.keys_url)

    @cached_property
    def log(self) -> EventLog:
        """Created by the test that first uses it, because a logger keeps the `sys.stdout` of its creation, which pytest
        replaces for each test.
        """
        return EventLog("DEBUG")

    def exchange(self, token: str | None = None, session_name: object = "laptop") -> "ParsedResponse":
        """Exchange a token, which is valid by default."""
        return self.send_body(json.dumps({"token": token or self.provider.token(), "sessionName": session_name}))

    def send_body(self, body: str | None) -> "ParsedResponse":
        """Send any text as the body of the request."""
        verifier = TokenVerifier(self.provider.issuer, AUDIENCE, self.keys)
        access = CallerAccess(verifier, self.role.assume, self.log)
        exchange = TokenExchange(access, LOCATION, renew_before_seconds=RENEW_BEFORE_SECONDS)
        operations = [EXCHANGE_TOKEN.bind(exchange.exchange)]
        return ParsedResponse(RestDispatcher(operations, origin=ORIGIN, log=self.log).handle(api_gateway_event(body)))


def api_gateway_event(body: str | None) -> dict[str, Any]:
    """Return the event that API Gateway sends to the function."""
    context = {"requestId": "r1"}
    return {"resource": "/exchange", "httpMethod": "POST", "body": body, "requestContext": context}


class ParsedResponse(RestResponse):
    """Response of the function."""

    @property
    def error(self) -> tuple[int, str, list[str]]:
        """Status, code and wrong fields of an error."""
        assert set(self.body) == {"code", "message", "fields", "requestId"}
        return self.status, self.body["code"], [field["field"] for field in self.body["fields"]]


@contextmanager
def create_exchange_harness() -> Iterator[ExchangeHarness]:
    """Create the harness. The environment must contain AWS credentials."""
    sts, calls = _sts_client(), []

    def record_call(params: dict[str, Any], **_: Any) -> None:
        calls.append(dict(params))

    recorded_calls = at_event(sts, "provide-client-params.sts.AssumeRole", record_call)
    with recorded_calls, mock_aws(), serving(Provider()) as provider:
        yield ExchangeHarness(provider, ClientRole(sts, ROLE, CREDENTIAL_SECONDS), calls)

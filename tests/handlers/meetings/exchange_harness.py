"""Harness for tests of the token exchange, the API call that trades an identity provider's token for AWS credentials.

A local server is the identity provider, and moto emulates STS.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property, partial
from typing import Any

import boto3
import jwt
from botocore.config import Config
from moto import mock_aws

from handlers.common.aws import CONFIG
from handlers.common.logging import EventLog
from handlers.common.records import Records
from handlers.common.tokens import TokenVerifier, signing_keys
from handlers.meetings import environment
from handlers.meetings.auth_exchange.handler import ClientRole, MeetingsApi, MeetingsLocation, create_dispatcher
from handlers.meetings.deletions import queue_deletion
from handlers.meetings.record import PARTITION, SORT, MeetingRecord, record_attributes
from tests.handlers.client_events import at_event
from tests.handlers.rest_response import RestResponse
from tests.moto_tables import create_table
from tests.token_issuer import AUDIENCE, Provider, serving

ROLE = "arn:aws:iam::123456789012:role/polyphony-dev-meetings-client"
LOCATION = MeetingsLocation("recordings", "meetings", "us-east-1")
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
ORIGIN = "https://example.org"
CREDENTIAL_SECONDS, RENEW_BEFORE_SECONDS = environment.CREDENTIAL_SECONDS, 900


@cache
def _client(service: str) -> Any:
    """Return a cached client, because creating one would take most of a test's time."""
    create_client: Any = boto3.client
    config = CONFIG.merge(Config(retries={"total_max_attempts": 1}))
    return create_client(service, region_name="us-east-1", config=config)


@dataclass
class ExchangeHarness:
    """The token exchange with its identity provider and STS."""

    provider: Provider
    role: ClientRole
    assume_role_calls: list[dict[str, Any]]
    """Parameters of all AssumeRole calls."""
    dynamodb: Any
    sqs: Any
    queue_url: str
    queued_messages: list[tuple[str, int]]
    """Body and delay of each message that was sent to the queue of deletions."""
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
        """Send any text as the body of a request for an exchange."""
        return self.send(api_gateway_event(body))

    def delete(self, meeting_id: str, authorization: str | None) -> "ParsedResponse":
        """Delete a meeting, with this value of the header `Authorization`."""
        event = {
            "resource": "/meetings/{meetingId}",
            "httpMethod": "DELETE",
            "pathParameters": {"meetingId": meeting_id},
            "headers": {"authorization": authorization} if authorization is not None else None,
            "requestContext": {"requestId": "r1"},
        }
        return self.send(event)

    def send(self, event: dict[str, Any]) -> "ParsedResponse":
        queue = partial(queue_deletion, self.sqs, self.queue_url)
        api = MeetingsApi(
            verifier=TokenVerifier(self.provider.issuer, AUDIENCE, self.keys),
            role=self.role,
            location=LOCATION,
            renew_before=timedelta(seconds=RENEW_BEFORE_SECONDS),
            records=self.records,
            queue_deletion=queue,
            clock=lambda: NOW,
            log=self.log,
        )
        return ParsedResponse(create_dispatcher(api, ORIGIN).handle(event))

    @property
    def records(self) -> Records[MeetingRecord]:
        return Records(self.dynamodb, LOCATION.table_name, MeetingRecord, record_attributes)


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
    sts, calls = _client("sts"), []

    def record_call(params: dict[str, Any], **_: Any) -> None:
        calls.append(dict(params))

    def record_messages(params: dict[str, Any], **_: Any) -> None:
        messages.extend((entry["MessageBody"], entry["DelaySeconds"]) for entry in params["Entries"])

    messages: list[tuple[str, int]] = []
    dynamodb, sqs = _client("dynamodb"), _client("sqs")
    with (
        at_event(sts, "provide-client-params.sts.AssumeRole", record_call),
        at_event(sqs, "provide-client-params.sqs.SendMessageBatch", record_messages),
        mock_aws(),
        serving(Provider()) as provider,
    ):
        role = ClientRole(sts, ROLE, CREDENTIAL_SECONDS)
        create_table(dynamodb, LOCATION.table_name, PARTITION, SORT)
        queue_url = sqs.create_queue(QueueName="deletions")["QueueUrl"]
        yield ExchangeHarness(provider, role, calls, dynamodb, sqs, queue_url, messages)

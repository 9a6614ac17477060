"""Backend for client tests: the real token exchange over HTTP, bucket and table emulated by moto, and a fake clock.

The token exchange trades a login token for AWS credentials. Here the credentials are invented, and valid for one hour
of the fake clock.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler
from typing import Any

import boto3
import botocore.session
from moto import mock_aws

from clients.meetings import MeetingsClient
from handlers.common.aws.dynamodb_values import serialize_item
from handlers.common.http.rest_dispatch import RestDispatcher
from handlers.common.identity.oidc_tokens import TokenVerifier
from handlers.common.logging import EventLog
from handlers.common.time_and_ids import ulid
from handlers.common.time_and_ids.timestamps import timestamp
from handlers.meetings.auth_exchange.credentials_exchange import CallerAccess, SessionCredentials, TokenExchange
from handlers.meetings.auth_exchange.handler import operation_functions
from handlers.meetings.auth_exchange.operation_definitions import OPERATIONS
from handlers.meetings.meeting_record import INDEX, INDEX_SORT, PARTITION, SORT, MeetingRecord, MeetingStatus
from local import LOOPBACK, http_server
from tests.handlers.meetings.exchange_harness import (
    CREDENTIAL_SECONDS,
    LOCATION,
    RENEW_BEFORE_SECONDS,
    api_gateway_event,
)
from tests.moto_tables import Index, create_table
from tests.token_issuer import AUDIENCE, KeysOf, Provider

START = datetime(2026, 1, 31, 12, tzinfo=UTC)
Response = tuple[int, dict[str, str], bytes]
"""Status, headers and body."""


@dataclass
class Backend:
    """Fake meetings backend. A test creates clients and meetings, advances the clock, and checks requests."""

    s3: Any
    dynamodb: Any
    now: datetime = START
    subject: str = "ann"
    """User of the tokens that clients get."""
    provider: Provider = field(default_factory=Provider)
    url: str = ""
    exchange_count: int = 0
    """Number of successful token exchanges."""
    tokens: list[str] = field(default_factory=list)
    """Tokens that the callback of clients has returned."""
    request_bodies: list[bytes] = field(default_factory=list)
    """Bodies of all requests to the API."""
    fake_response: Callable[[], Response] | None = None
    """Function whose result replaces the real response of the API, if it is set."""
    used_access_keys: list[str] = field(default_factory=list)
    """Access key of each request to S3 or DynamoDB, in order. It ends with the number of the exchange."""
    put_keys: list[str] = field(default_factory=list)
    """Keys of the objects that clients uploaded, in the order in which the uploads started."""
    before_put: Callable[[str], None] = lambda _: None
    """Function that is called with the key of each upload and may raise."""
    sent_puts: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    """Released for each signed PutObject request."""

    def __post_init__(self) -> None:
        self.provider.clock = lambda: self.now
        verifier = TokenVerifier(self.provider.issuer, AUDIENCE, KeysOf(self.provider), lambda: self.now)
        log = EventLog("ERROR")
        access = CallerAccess(verifier, self._create_session, log)
        operations = operation_functions(TokenExchange(access, LOCATION, renew_before_seconds=RENEW_BEFORE_SECONDS))
        self._rest = RestDispatcher(OPERATIONS, operations, origin="*", log=log)

    def _create_session(self, user: str, name: str) -> SessionCredentials:
        """Return credentials like STS, with the number of the exchange in the access key."""
        assert name
        self.exchange_count += 1
        number = f"{self.exchange_count:04d}"
        return SessionCredentials(
            f"AKIDEXAMPLE{number}",
            f"secret-{user}",
            f"session-{number}",
            self.now + timedelta(seconds=CREDENTIAL_SECONDS),
        )

    def respond(self, path: str, body: bytes) -> Response:
        """Respond to a request like API Gateway."""
        self.request_bodies.append(body)
        if self.fake_response is not None:
            return self.fake_response()
        response = self._rest.handle({**api_gateway_event(body.decode()), "resource": path})
        return response["statusCode"], response["headers"], response["body"].encode()

    def issue_token(self) -> str:
        """Return a login token of the current user. Clients call this function when they need a token."""
        token = self.provider.token(sub=self.subject)
        self.tokens.append(token)
        return token

    def create_client(self, **options: Any) -> MeetingsClient:
        """Return a client of the current user, and record its AWS requests."""
        client = MeetingsClient(
            self.url, self.issue_token, "test's laptop", clock=lambda: self.now, **{"workers": 1, **options}
        )
        get_access = client._access.get
        recorded: set[int] = set()

        def get_recorded_access() -> Any:
            access = get_access()
            if id(access) not in recorded:
                recorded.add(id(access))
                access.s3.meta.events.register("provide-client-params.s3.PutObject", self._record_put)
                for aws_client in (access.s3, access.dynamodb):
                    aws_client.meta.events.register_first("before-send", self._record_access_key)
            return access

        client._access.get = get_recorded_access  # type: ignore[method-assign]
        return client

    def advance(self, **time: float) -> None:
        self.now += timedelta(**time)

    def add_meeting(self, user: str, **changes: Any) -> MeetingRecord:
        """Write a meeting to the table, which starts one hour after the previous one. Return its record."""
        self.advance(hours=1)
        now = timestamp(self.now)
        attributes = {
            "user": user,
            "meetingId": ulid.ulid(self.now, 1),
            "content": "0" * 32,
            "title": "Weekly",
            "startedAt": now,
            "language": "en-US",
            "status": MeetingStatus.READY,
            "since": now,
            "size": 5,
            "createdAt": now,
            "updatedAt": now,
        }
        record = MeetingRecord.model_validate({**attributes, **changes})
        item = serialize_item(record.model_dump(mode="json", by_alias=True, exclude_none=True))
        self.dynamodb.put_item(TableName=LOCATION.table_name, Item=item)
        return record

    def put_object(self, key: str, content: bytes) -> None:
        self.s3.put_object(Bucket=LOCATION.bucket_name, Key=key, Body=content)

    def read_object(self, key: str) -> bytes:
        content: bytes = self.s3.get_object(Bucket=LOCATION.bucket_name, Key=key)["Body"].read()
        return content

    def _record_put(self, params: dict[str, Any], **_: Any) -> None:
        assert params["ChecksumSHA256"], "every object must be uploaded with its hash"
        self.before_put(params["Key"])
        self.put_keys.append(params["Key"])

    def _record_access_key(self, request: Any, **_: Any) -> None:
        header = request.headers["Authorization"]
        header = header.decode() if isinstance(header, bytes) else header
        self.used_access_keys.append(header.partition("Credential=")[2].partition("/")[0])
        if request.method == "PUT":
            self.sent_puts.release()


def _handler(backend: Backend) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, headers, content = backend.respond(self.path, body)
            try:
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)
            except ConnectionError:
                self.close_connection = True  # the client closed the connection

        def do_GET(self) -> None:
            """Record the request that a client would send if it followed a redirect."""
            backend.request_bodies.append(b"GET")
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    return Handler


@cache
def _loader() -> Any:
    """Return a loader of botocore's service models, which is shared because loading them takes most of a client's
    start.
    """
    return botocore.session.Session().get_component("data_loader")


def create_botocore_session() -> botocore.session.Session:
    """Return a session like `botocore.session.get_session`, with the shared loader."""
    botocore_session = botocore.session.Session()
    botocore_session.register_component("data_loader", _loader())
    return botocore_session


@cache
def _clients() -> tuple[Any, Any]:
    aws_session = boto3.Session(botocore_session=create_botocore_session(), region_name=LOCATION.region)
    return aws_session.client("s3"), aws_session.client("dynamodb")


@contextmanager
def run_backend() -> Iterator[Backend]:
    """Start the backend on a free port. The environment must have credentials."""
    with mock_aws():
        s3, dynamodb = _clients()
        s3.create_bucket(Bucket=LOCATION.bucket_name)
        create_table(dynamodb, LOCATION.table_name, PARTITION, SORT, indexes={INDEX: Index((PARTITION, INDEX_SORT))})
        backend = Backend(s3, dynamodb)
        with http_server.serve_handler(_handler(backend)) as port:
            backend.url = f"http://{LOOPBACK}:{port}"
            yield backend

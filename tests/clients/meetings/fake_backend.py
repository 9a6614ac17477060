"""The meetings backend as a client meets it: the real exchange over HTTP, bucket and table as moto plays them, a clock.

Credentials are made up and last an hour by the same clock as everything else; what signs a request is noted.
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
from boto3.dynamodb.types import TypeSerializer
from moto import mock_aws

from clients.meetings import MeetingsClient
from handlers.common.http.rest_dispatch import Rest
from handlers.common.identity.oidc_tokens import Verifier
from handlers.common.logging import EventLog
from handlers.common.time_and_ids import ulid
from handlers.common.time_and_ids.timestamps import timestamp
from handlers.meetings.auth_exchange.api_operations import OPERATIONS
from handlers.meetings.auth_exchange.handler import acts
from handlers.meetings.auth_exchange.token_exchange import Credentials, Exchange, Store
from handlers.meetings.meeting_record import INDEX, INDEX_SORT, PARTITION, SORT, MeetingRecord, MeetingStatus
from handlers.meetings.s3_keys import MeetingId
from local import LOOPBACK, http_server
from tests.moto_tables import Index, create_table
from tests.token_issuer import AUDIENCE, KeysOf, Provider

STORE = Store("recordings", "meetings", "us-east-1")
START = datetime(2026, 1, 31, 12, tzinfo=UTC)
HOUR, RENEW_BEFORE = 3600, 900
Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Backend:
    """The backend, and what tests may do with it."""

    s3: Any
    dynamodb: Any
    now: datetime = START
    subject: str = "ann"
    provider: Provider = field(default_factory=Provider)
    url: str = ""
    exchanges: int = 0
    tokens: list[str] = field(default_factory=list)
    """Those that the clients' callback gave."""
    bodies: list[bytes] = field(default_factory=list)
    answers: Callable[[], Answer] | None = None
    """What the API answers instead of what it should."""
    signed_with: list[str] = field(default_factory=list)
    """Access keys, a request each."""
    puts: list[str] = field(default_factory=list)
    """Keys of the objects that clients sent, as they began."""
    before_put: Callable[[str], None] = lambda _: None
    """Called with the key of each, and may raise."""
    went: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    """Released by each PUT that is signed and on its way."""
    slept: list[float] = field(default_factory=list)
    wakes: Callable[[], None] = lambda: None
    """What happens while a client sleeps."""

    def __post_init__(self) -> None:
        self.provider.clock = lambda: self.now
        verifier = Verifier(self.provider.issuer, AUDIENCE, KeysOf(self.provider), lambda: self.now)
        self._exchange = Exchange(
            verifier, self.session, STORE, renew_before_seconds=RENEW_BEFORE, log=EventLog("ERROR")
        )
        self._rest = Rest(OPERATIONS, acts(self._exchange), origin="*", log=EventLog("ERROR"))

    def session(self, user: str, name: str) -> Credentials:
        """STS' part: each session has a number in its key."""
        assert name
        self.exchanges += 1
        number = f"{self.exchanges:04d}"
        return Credentials(
            f"AKIDEXAMPLE{number}", f"secret-{user}", f"session-{number}", self.now + timedelta(seconds=HOUR)
        )

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        """API Gateway's part."""
        self.bodies.append(body)
        if self.answers is not None:
            return self.answers()
        event = {
            "resource": path,
            "httpMethod": method,
            "body": body.decode(),
            "requestContext": {"requestId": "r1"},
        }
        said = self._rest.handle(event)
        return said["statusCode"], said["headers"], said["body"].encode()

    def token(self) -> str:
        """The callback of clients: a token of whoever is at the machine."""
        made = self.provider.token(sub=self.subject)
        self.tokens.append(made)
        return made

    def client(self, **more: Any) -> MeetingsClient:
        """A client of whoever is at the machine; what it asks of AWS is watched."""
        made = MeetingsClient(
            self.url, self.token, "test's laptop", clock=lambda: self.now, sleep=self._sleep, **{"workers": 1, **more}
        )
        opened = made._access.opened
        watched: set[int] = set()

        def watching() -> Any:
            access = opened()
            if id(access) not in watched:
                watched.add(id(access))
                access.s3.meta.events.register("provide-client-params.s3.PutObject", self._put)
                for one in (access.s3, access.dynamodb):
                    one.meta.events.register_first("before-send", self._sent)
            return access

        made._access.opened = watching  # type: ignore[method-assign]
        return made

    def passes(self, **time: float) -> None:
        self.now += timedelta(**time)

    def meeting(self, user: str, **changes: Any) -> MeetingRecord:
        """A meeting in the table, an hour after the one before."""
        self.passes(hours=1)
        now = timestamp(self.now)
        said = {
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
        record = MeetingRecord.model_validate({**said, **changes})
        self.writes(record)
        return record

    def writes(self, record: MeetingRecord) -> None:
        """The workflow's part."""
        plain = record.model_dump(mode="json", by_alias=True, exclude_none=True)
        item = {name: TypeSerializer().serialize(value) for name, value in plain.items()}
        self.dynamodb.put_item(TableName=STORE.table_name, Item=item)

    def makes(self, key: str, content: bytes) -> None:
        self.s3.put_object(Bucket=STORE.bucket_name, Key=key, Body=content)

    def names(self, meeting: MeetingId) -> list[str]:
        """What was uploaded of a meeting."""
        listed = self.s3.list_objects_v2(Bucket=STORE.bucket_name, Prefix=meeting.raw).get("Contents", [])
        return [one["Key"].removeprefix(meeting.raw) for one in listed]

    def content(self, key: str) -> bytes:
        found: bytes = self.s3.get_object(Bucket=STORE.bucket_name, Key=key)["Body"].read()
        return found

    def _put(self, params: dict[str, Any], **_: Any) -> None:
        assert params["ChecksumSHA256"], "every object goes with its hash"
        self.before_put(params["Key"])
        self.puts.append(params["Key"])

    def _sent(self, request: Any, **_: Any) -> None:
        header = request.headers["Authorization"]
        header = header.decode() if isinstance(header, bytes) else header
        self.signed_with.append(header.partition("Credential=")[2].partition("/")[0])
        if request.method == "PUT":
            self.went.release()

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.passes(seconds=seconds)
        self.wakes()


def _handler(backend: Backend) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, headers, content = backend.answer("POST", self.path, body)
            try:
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)
            except ConnectionError:
                self.close_connection = True  # the client had enough

        def do_GET(self) -> None:
            """A redirect that was followed would come here."""
            backend.bodies.append(b"GET")
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    return Handler


@cache
def _loader() -> Any:
    """botocore's descriptions of services, read once: reading them is most of what a client costs."""
    return botocore.session.Session().get_component("data_loader")


def session() -> botocore.session.Session:
    """What `botocore.session.get_session` gives, sooner."""
    made = botocore.session.Session()
    made.register_component("data_loader", _loader())
    return made


@cache
def _clients() -> tuple[Any, Any]:
    made = boto3.Session(botocore_session=session(), region_name=STORE.region)
    return made.client("s3"), made.client("dynamodb")


@contextmanager
def running() -> Iterator[Backend]:
    """The backend at an address of its own; the environment has credentials by then."""
    with mock_aws():
        s3, dynamodb = _clients()
        s3.create_bucket(Bucket=STORE.bucket_name)
        create_table(dynamodb, STORE.table_name, PARTITION, SORT, indexes={INDEX: Index((PARTITION, INDEX_SORT))})
        backend = Backend(s3, dynamodb)
        with http_server.serve_handler(_handler(backend)) as port:
            backend.url = f"http://{LOOPBACK}:{port}"
            yield backend

"""Harness of livestream's functions: their handlers with the services of moto and `fakes`, and a manual clock.

Ann and Bob are callers of the REST API, who own their episodes. Texts with "canary" must appear neither in logs nor in
error messages.
"""

import inspect
import json
import runpy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from pydantic.alias_generators import to_camel

from handlers.common.aws import CONFIG, build_presigning_config
from handlers.common.records import deserialize_item, serialize_item, serialize_model
from handlers.livestream.episode_cleanup import handler as cleanup
from handlers.livestream.episode_table import EpisodeTable
from handlers.livestream.episodes import handler as episodes
from handlers.livestream.episodes.routes import OPERATIONS
from handlers.livestream.fact_check_agent import handler as agent
from handlers.livestream.keys import UploadedObject, window_key
from handlers.livestream.tracks import TrackKind, TrackReason, TrackState
from handlers.livestream.transcript_windows import handler as windows
from handlers.livestream.video_chunks import handler as videos
from handlers.livestream.windows import WindowResult
from tests.handlers.common.fakes import RestResponse
from tests.handlers.livestream.fakes import FakeBedrock, FakeMediaConvert, FakeMemory
from tests.loggers import own_logger
from tests.moto_tables import stored_items

TABLE, BUCKET, PARAMETER = "episodes", "livestream-files", "/polyphony/cursors"
START = datetime(2026, 1, 3, 12, 0, 0, 123000, tzinfo=UTC)
ANN, BOB = "A" * 32, "B" * 32
MAX_VIDEO_BYTES, MAX_TRANSCRIPT_BYTES, MAX_FORM_BYTES = 2 * 10**9, 3 * 10**6, 10**7
ROLE, SOURCE = "arn:aws:iam::123456789012:role/media", "polyphony-test.livestream"
ENVIRONMENT = {
    "TABLE_NAME": TABLE,
    "BUCKET_NAME": BUCKET,
    "ENCRYPTION_KEY": PARAMETER,
    "ORIGIN": "https://example.org",
    "MAX_VIDEO_GIGABYTES": str(MAX_VIDEO_BYTES // 10**9),
    "MAX_TRANSCRIPT_MEGABYTES": str(MAX_TRANSCRIPT_BYTES // 10**6),
    "MULTIPART_MEGABYTES": str(MAX_FORM_BYTES // 10**6),
    "EVENT_SOURCE": SOURCE,
    "MEDIACONVERT_ROLE_ARN": ROLE,
    "CHUNK_SECONDS": "120",
    "WINDOW_CHARACTERS": "1200",
    "MEMORY_ID": "memory-1234567890",
    "MODEL_ID": "us.model",
    "ANSWER_SECONDS": "65",
    "SUMMARY_NAMESPACE": "/summaries/{actorId}/{sessionId}/",
    "FACT_NAMESPACE": "/facts/{actorId}/{sessionId}/",
}
FUNCTIONS: tuple[Any, ...] = (episodes._rest, cleanup._cleanup, agent._agent, windows._divider, videos._cutter)
"""Factories of the functions, which cache what they create."""
OPERATION = {operation.name: operation for operation in OPERATIONS}
_create_client = boto3.client
_clients: dict[tuple[str, str], Any] = {}


def cached_client(service: str, config: Config | None = None) -> Any:
    """Return a client. All tests share the clients, because creating them takes most of a test's time."""
    key = service, repr(config.__dict__["_user_provided_options"] if config and service == "s3" else None)
    if key not in _clients:
        _clients[key] = _create_client(service, config=config)  # type: ignore[call-overload]
    return _clients[key]


def s3_of_the_api() -> Any:
    """Return the S3 client of the function `episodes`."""
    return cached_client("s3", CONFIG.merge(build_presigning_config()))


def error(code: str, operation: str = "Converse") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "canary"}}, operation)


class ApiResponse(RestResponse):
    """Response of the API."""

    @property
    def error(self) -> tuple[int, str]:
        """Status and code of an error response."""
        return self.status, self.body["code"]


def deliver(handler: Callable[[Mapping[str, Any], None], Mapping[str, Any]], *bodies: str) -> list[int]:
    """Deliver one batch of queue messages; return the indexes of those that SQS must deliver again."""
    records = [{"messageId": str(index), "body": body} for index, body in enumerate(bodies)]
    return [int(failure["itemIdentifier"]) for failure in handler({"Records": records}, None)["batchItemFailures"]]


@dataclass
class Harness:
    """Backend of livestream. A test calls operations, by default as Ann, sets the time, and inspects stored items."""

    deletions_url: str
    windows_url: str
    now: datetime = START
    bedrock: FakeBedrock = field(default_factory=FakeBedrock)
    memory: FakeMemory = field(default_factory=FakeMemory)
    media: FakeMediaConvert = field(default_factory=FakeMediaConvert)

    @property
    def dynamodb(self) -> Any:
        return cached_client("dynamodb")

    @property
    def s3(self) -> Any:
        return cached_client("s3")

    @property
    def table(self) -> EpisodeTable:
        return EpisodeTable(self.dynamodb, TABLE, lambda: self.now)

    def client(self, service: str, config: Config | None = None) -> Any:
        fakes = {"bedrock-runtime": self.bedrock, "bedrock-agentcore": self.memory}
        fakes |= {"mediaconvert": self.media, "events": self.media}
        return fakes[service] if service in fakes else cached_client(service, config)

    def call(self, operation: str, body: Any = None, *, owner: str | None = ANN, **parameters: Any) -> ApiResponse:
        """Call an operation. `parameters` are its path and query parameters. A body that is a text may be invalid JSON."""
        definition = OPERATION[operation]
        names = set(definition.parameters.model_fields) if definition.parameters else set()
        path = {to_camel(name): value for name, value in parameters.items() if name in names}
        query = {
            to_camel(name): str(value) for name, value in parameters.items() if name not in names and value is not None
        }
        context = {"requestId": "r1", **({} if owner is None else {"authorizer": {"user": owner, "principalId": "x"}})}
        event = {
            "resource": definition.path,
            "httpMethod": definition.method,
            "pathParameters": path or None,
            "queryStringParameters": query or None,
            "body": body if body is None or isinstance(body, str) else json.dumps(body),
            "isBase64Encoded": False,
            "requestContext": context,
        }
        return ApiResponse(episodes.handler(event, None))

    def list_pages(self, operation: str, entries: str, **parameters: Any) -> list[list[Any]]:
        """Return the entries of all pages of a list."""
        pages: list[list[Any]] = []
        cursor = None
        while not pages or cursor is not None:
            answer = self.call(operation, cursor=cursor, **parameters)
            assert answer.status == 200
            pages.append(answer.body[entries])
            cursor = answer.body.get("nextCursor")
        return pages

    def create_episode(self, owner: str | None = ANN, **content: Any) -> str:
        """Create an episode and return its id."""
        response = self.call("createEpisode", {"title": "A stream", **content}, owner=owner)
        assert response.status == 201
        return str(response.body["episodeId"])

    def request_upload(self, episode_id: str, kind: str = "video", size: int = 5) -> dict[str, Any]:
        """Request an upload, and return the API's response."""
        content_type = "video/mp4" if kind == "video" else "text/vtt"
        body = {"kind": kind, "contentType": content_type, "bytes": size}
        response = self.call("requestUpload", body, episode_id=episode_id)
        assert response.status == 201
        return response.body

    def advance(
        self,
        episode_id: str,
        upload_id: str,
        state: TrackState,
        reason: TrackReason | None = None,
        kind: TrackKind = TrackKind.VIDEO,
    ) -> bool:
        """Move a track of Ann's episode to a state, as an event about the upload does."""
        record = self.table.find(ANN, episode_id)
        version_id = record and record.track(kind).version_id
        upload = UploadedObject("", version_id or "v1", ANN, episode_id, upload_id)
        return self.table.advance_track(kind, upload, state, reason)

    def store_findings(self, episode_id: str, *start_times_ms: int) -> None:
        """Write a claim and a clip for each time to the table, in place of the agent. Each is in another window."""
        upload = self.table.get(ANN, episode_id).transcript.upload
        upload_id = upload.upload_id if upload else self.request_upload(episode_id, "transcript")["uploadId"]
        for start_ms in start_times_ms:
            times = {"startMs": start_ms, "endMs": start_ms + 1000}
            verdict = {"verdict": "unverified", "confidence": 0.5, "sources": []}
            claim = {"claimId": f"c{start_ms}", "quote": "It is so.", "text": "It is so", **verdict, **times}
            clip = {"clipId": f"c{start_ms}", "title": "A clip", **times}
            result = WindowResult.model_validate({"claims": [claim], "clips": [clip]})
            key = serialize_item(window_key(ANN, episode_id, upload_id, start_ms))
            self.dynamodb.put_item(TableName=TABLE, Item=serialize_model(result) | key)

    def stored_items(self) -> list[dict[str, Any]]:
        """Return the plain values of all items."""
        return [deserialize_item(item) for item in stored_items(self.dynamodb, TABLE)]

    def advance_time(self, **time: float) -> None:
        self.now += timedelta(**time)


@contextmanager
def new_containers() -> Iterator[None]:
    """Let the functions start in new containers, with loggers that write to the output that the test captures.

    A fixture that calls a function yields in this context, because pytest captures the test's output separately.
    """
    with own_logger():
        for create in FUNCTIONS:
            create.cache_clear()
        yield
        for create in FUNCTIONS:
            create.cache_clear()


def is_ready_at_start(create: Any) -> bool:
    """Return True if a new container of a function calls a factory before the first event arrives."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("AWS_LAMBDA_RUNTIME_API", "127.0.0.1")
        module = runpy.run_path(inspect.getfile(create.__wrapped__))
    return bool(module[create.__name__].cache_info().currsize)

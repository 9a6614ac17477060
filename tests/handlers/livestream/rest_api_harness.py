"""Harness for the REST API: table, bucket and secret in moto, a manual clock, sequential ids and recorded events.

Ann and Bob are callers, who own their episodes. Texts with "canary" must appear neither in logs nor in error messages.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from typing import Any

import boto3
from botocore.exceptions import ClientError
from pydantic.alias_generators import to_camel

from handlers.common.aws import SHORT_TIMEOUT_CONFIG, build_presigning_config
from handlers.common.ids import ulid
from handlers.common.logging import EventLog
from handlers.common.records import serialize_item
from handlers.common.rest import RestDispatcher
from handlers.livestream.episode_table import EpisodeTable
from handlers.livestream.episodes.episode_operations import EpisodeOperations
from handlers.livestream.episodes.handler import bind_operations
from handlers.livestream.episodes.page_cursors import Cursors
from handlers.livestream.episodes.routes import OPERATIONS
from handlers.livestream.episodes.upload_bucket import UploadBucket
from handlers.livestream.episodes.upload_operations import MEBIBYTE, UploadLimits, UploadOperations
from handlers.livestream.episodes.video_playback import ChunkBucket, PlaybackOperations
from handlers.livestream.keys import FindingKind, finding_key
from tests.handlers.rest_response import RestResponse
from tests.moto_tables import stored_items

TABLE, BUCKET, PARAMETER = "episodes", "transcripts", "/polyphony/cursors"
SECRET = "canary-secret-of-cursors"
START = datetime(2026, 1, 3, 12, 0, 0, 123000, tzinfo=UTC)
ANN, BOB = "A" * 32, "B" * 32
LIMITS = UploadLimits(max_video_bytes=40 * MEBIBYTE, max_transcript_bytes=10_000, max_form_bytes=MEBIBYTE)
URL_SECONDS, CURSOR_SECONDS, PLAYBACK_SECONDS = 600, 900, 120
DELETED_DAYS = 3
OPERATION = {operation.name: operation for operation in OPERATIONS}


@cache
def clients() -> dict[str, Any]:
    """Create the clients once, because creating them takes most of a test's time."""
    return {
        "dynamodb": boto3.client("dynamodb"),
        "s3": boto3.client("s3", config=SHORT_TIMEOUT_CONFIG.merge(build_presigning_config())),
        "ssm": boto3.client("ssm"),
    }


class MultipartBucket:
    """S3 client of moto that, like S3, refuses to complete a multipart upload that does not belong to the key."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def complete_multipart_upload(self, **request: Any) -> Any:
        multipart_uploads = self._client.list_multipart_uploads(Bucket=request["Bucket"]).get("Uploads", [])
        if (request["Key"], request["UploadId"]) not in {
            (upload["Key"], upload["UploadId"]) for upload in multipart_uploads
        }:
            raise ClientError({"Error": {"Code": "NoSuchUpload", "Message": "canary"}}, "CompleteMultipartUpload")
        return self._client.complete_multipart_upload(**request)


@dataclass
class ApiHarness:
    """REST API with all the services that it uses.

    A test calls operations, by default as Ann, sets the time, and inspects responses, stored items and published
    events.
    """

    dynamodb: Any
    s3: Any
    now: datetime = START
    published: list[tuple[str, Mapping[str, object]]] = field(default_factory=list)
    """Detail type and detail of each event."""
    publish_error: Exception | None = None
    """Exception that the next publications raise."""
    id_count: int = 0
    """Number of ids and nonces that were generated."""

    @property
    def table(self) -> EpisodeTable:
        return EpisodeTable(self.dynamodb, TABLE)

    @property
    def cursors(self) -> Cursors:
        return Cursors(lambda: SECRET, seconds=CURSOR_SECONDS, clock=lambda: self.now, nonce=self._nonce)

    @property
    def episodes(self) -> EpisodeOperations:
        return EpisodeOperations(
            self.table,
            self.cursors,
            self._publish,
            deleted_days=DELETED_DAYS,
            clock=lambda: self.now,
            new_id=self.new_id,
            log=self.log,
        )

    @property
    def uploads(self) -> UploadOperations:
        bucket = UploadBucket(self.s3, BUCKET, URL_SECONDS)
        return UploadOperations(self.table, bucket, limits=LIMITS, clock=lambda: self.now, new_id=self.new_id)

    @property
    def playback(self) -> PlaybackOperations:
        return PlaybackOperations(self.table, ChunkBucket(self.s3, BUCKET, PLAYBACK_SECONDS))

    @cached_property
    def log(self) -> EventLog:
        """Logger, created when a test first uses it, because a logger keeps the standard output of its creation."""
        return EventLog("DEBUG")

    @cached_property
    def rest(self) -> RestDispatcher:
        return RestDispatcher(
            bind_operations(self.episodes, self.uploads, self.playback),
            origin="https://example.org",
            log=self.log,
        )

    def call(self, operation: str, body: Any = None, *, owner: str | None = ANN, **parameters: Any) -> "ApiResponse":
        """Call an operation. `parameters` are its path parameters and query parameters."""
        return self.send(operation, None if body is None else json.dumps(body), owner=owner, **parameters)

    def send(self, operation: str, body: str | None, *, owner: str | None = ANN, **parameters: Any) -> "ApiResponse":
        """Call an operation with a body that may be invalid JSON."""
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
            "body": body,
            "isBase64Encoded": False,
            "requestContext": context,
        }
        return ApiResponse(self.rest.handle(event))

    def create_episode(self, owner: str | None = ANN, **content: Any) -> str:
        """Create an episode and return its id."""
        answer = self.call("createEpisode", {"title": "A stream", **content}, owner=owner)
        assert answer.status == 201
        return str(answer.body["episodeId"])

    def store_claim(self, episode_id: str, start_ms: int, name: str = "claim-1") -> None:
        """Write a claim to the table, in place of the agent."""
        values = {"quote": "It is so.", "text": "It is so", "verdict": "unverified", "confidence": 0.5, "sources": []}
        self._store_finding(FindingKind.CLAIM, episode_id, start_ms, name, claimId=name, **values)

    def store_clip(self, episode_id: str, start_ms: int, name: str = "clip-1", **values: Any) -> None:
        self._store_finding(FindingKind.CLIP, episode_id, start_ms, name, clipId=name, title="A clip", **values)

    def _store_finding(self, kind: FindingKind, episode_id: str, start_ms: int, name: str, **values: Any) -> None:
        key = finding_key(ANN, episode_id, kind, start_ms, name)
        item = {**key, "startMs": start_ms, "endMs": start_ms + 1000, **values}
        self.dynamodb.put_item(TableName=TABLE, Item=serialize_item(item))

    def stored_items(self) -> list[dict[str, Any]]:
        return stored_items(self.dynamodb, TABLE)

    @contextmanager
    def counted_calls(self) -> Iterator[list[str]]:
        """Collect the names of the DynamoDB calls that are made in the context."""
        calls: list[str] = []

        def record_call(model: Any, **_: Any) -> None:
            calls.append(model.name)

        self.dynamodb.meta.events.register("before-call.dynamodb", record_call)
        try:
            yield calls
        finally:
            self.dynamodb.meta.events.unregister("before-call.dynamodb", record_call)

    def advance_time(self, **time: float) -> None:
        self.now += timedelta(**time)

    def new_id(self) -> str:
        self.id_count += 1
        return ulid(self.now, self.id_count)

    def _nonce(self, length: int) -> bytes:
        self.id_count += 1
        return self.id_count.to_bytes(length, "big")

    def _publish(self, detail_type: str, detail: Mapping[str, object]) -> None:
        if self.publish_error is not None:
            raise self.publish_error
        self.published.append((detail_type, detail))


class ApiResponse(RestResponse):
    """Response of the API."""

    @property
    def error(self) -> tuple[int, str]:
        """Status and code of an error response."""
        return self.status, self.body["code"]

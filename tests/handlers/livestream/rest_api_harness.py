"""Harness for the REST API: its Lambda handler with table, bucket, queue and secret in moto, and a manual clock.

Ann and Bob are callers, who own their episodes. Texts with "canary" must appear neither in logs nor in error messages.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto import mock_aws
from pydantic.alias_generators import to_camel

from handlers.common import ids
from handlers.common.ids import timestamp
from handlers.common.records import deserialize_item, serialize_item
from handlers.livestream.episode_table import EpisodeTable
from handlers.livestream.episodes import handler
from handlers.livestream.episodes.routes import OPERATIONS
from handlers.livestream.keys import episode_key, window_key
from handlers.livestream.tracks import TrackKind, TrackReason, TrackState, TrackUpdate
from tests.credentials import credentials
from tests.handlers.rest_response import RestResponse
from tests.loggers import own_logger
from tests.moto_tables import Index, create_table, stored_items

TABLE, BUCKET, QUEUE, PARAMETER = "episodes", "transcripts", "deletions", "/polyphony/cursors"
SECRET = "canary-secret-of-cursors"
START = datetime(2026, 1, 3, 12, 0, 0, 123000, tzinfo=UTC)
ANN, BOB = "A" * 32, "B" * 32
MAX_VIDEO_BYTES, MAX_TRANSCRIPT_BYTES, MAX_FORM_BYTES = 2 * 10**9, 3 * 10**6, 10**7
OPERATION = {operation.name: operation for operation in OPERATIONS}
_create_client = boto3.client
_clients: dict[tuple[str, str], Any] = {}


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


def cached_client(service: str, config: Config | None = None) -> Any:
    """Return a client. All tests share the clients, because creating them takes most of a test's time."""
    key = service, repr(config.__dict__["_user_provided_options"] if config else None)
    if key not in _clients:
        client: Any = _create_client(service, config=config)  # type: ignore[call-overload]
        _clients[key] = MultipartBucket(client) if service == "s3" else client
    return _clients[key]


@dataclass
class ApiHarness:
    """REST API. A test calls operations, by default as Ann, sets the time, and inspects responses and stored items."""

    queue_url: str
    now: datetime = START

    @property
    def dynamodb(self) -> Any:
        return cached_client("dynamodb")

    @property
    def s3(self) -> Any:
        return cached_client("s3")

    @property
    def table(self) -> EpisodeTable:
        return EpisodeTable(self.dynamodb, TABLE, lambda: self.now)

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
        return ApiResponse(handler.handler(event, None))

    def create_episode(self, owner: str | None = ANN, **content: Any) -> str:
        """Create an episode and return its id."""
        answer = self.call("createEpisode", {"title": "A stream", **content}, owner=owner)
        assert answer.status == 201
        return str(answer.body["episodeId"])

    def request_upload(self, episode_id: str, kind: str = "video", size: int = 5) -> dict[str, Any]:
        """Request an upload, and return the API's response."""
        content_type = "video/mp4" if kind == "video" else "text/vtt"
        body = {"kind": kind, "contentType": content_type, "bytes": size}
        answer = self.call("requestUpload", body, episode_id=episode_id)
        assert answer.status == 201
        return answer.body

    def advance(
        self,
        episode_id: str,
        upload_id: str,
        state: TrackState,
        reason: TrackReason | None = None,
        kind: TrackKind = TrackKind.VIDEO,
        **details: object,
    ) -> bool:
        """Apply an update to a track of Ann's episode, as an event about the upload does."""
        update = TrackUpdate(upload_id, state, timestamp(self.now), reason, details=details)
        return self.table.advance_track(ANN, episode_id, kind, update)

    def store_claim(self, episode_id: str, start_ms: int, name: str = "claim-1") -> None:
        """Write a claim to the table, in place of the agent. Each start time is a window of its own."""
        values = {"quote": "It is so.", "text": "It is so", "verdict": "unverified", "confidence": 0.5, "sources": []}
        self._store_finding("claims", episode_id, start_ms, {"claimId": name, **values})

    def store_clip(self, episode_id: str, start_ms: int, name: str = "clip-1") -> None:
        self._store_finding("clips", episode_id, start_ms, {"clipId": name, "title": "A clip"})

    def _store_finding(self, kind: str, episode_id: str, start_ms: int, values: Mapping[str, Any]) -> None:
        key = window_key(ANN, episode_id, self._transcript_upload(episode_id), start_ms)
        item = self.dynamodb.get_item(TableName=TABLE, Key=serialize_item(key)).get("Item", {})
        result: dict[str, Any] = {"outcome": "analyzed", "claims": [], "clips": [], **deserialize_item(item), **key}
        result[kind].append({"startMs": start_ms, "endMs": start_ms + 1000, **values})
        self.dynamodb.put_item(TableName=TABLE, Item=serialize_item(result))

    def _transcript_upload(self, episode_id: str) -> str:
        """Return the id of the episode's transcript. If there is none, request it first."""
        item = self.dynamodb.get_item(TableName=TABLE, Key=serialize_item(episode_key(ANN, episode_id)))["Item"]
        upload = deserialize_item(item)["transcript"].get("upload")
        return str((upload or self.request_upload(episode_id, "transcript"))["uploadId"])

    def stored_items(self) -> list[dict[str, Any]]:
        return stored_items(self.dynamodb, TABLE)

    def advance_time(self, **time: float) -> None:
        self.now += timedelta(**time)


@contextmanager
def open_api(monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiHarness]:
    """Create table, bucket, queue and secret, and give the function its environment and the manual clock."""
    credentials(monkeypatch)
    with mock_aws(), own_logger():
        monkeypatch.setattr(boto3, "client", cached_client)
        api = ApiHarness(cached_client("sqs").create_queue(QueueName=QUEUE)["QueueUrl"])
        create_table(api.dynamodb, TABLE, "pk", "sk", indexes={"GSI1": Index(("GSI1PK", "GSI1SK"))})
        api.s3.create_bucket(Bucket=BUCKET)
        cached_client("ssm").put_parameter(Name=PARAMETER, Value=SECRET, Type="SecureString")
        environment = {
            "TABLE_NAME": TABLE,
            "BUCKET_NAME": BUCKET,
            "DELETIONS_QUEUE_URL": api.queue_url,
            "ENCRYPTION_KEY": PARAMETER,
            "ORIGIN": "https://example.org",
            "MAX_VIDEO_GIGABYTES": str(MAX_VIDEO_BYTES // 10**9),
            "MAX_TRANSCRIPT_MEGABYTES": str(MAX_TRANSCRIPT_BYTES // 10**6),
            "MULTIPART_MEGABYTES": str(MAX_FORM_BYTES // 10**6),
        }
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(ids, "now", lambda: api.now)
        handler._rest.cache_clear()
        yield api
        handler._rest.cache_clear()


class ApiResponse(RestResponse):
    """Response of the API."""

    @property
    def error(self) -> tuple[int, str]:
        """Status and code of an error response."""
        return self.status, self.body["code"]

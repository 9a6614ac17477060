"""Harness for the function `video-chunks`: events in the form of their senders, moto's table, and two fakes.

S3 reports a new object, and livestream publishes its own event about the complete upload. This event starts a
MediaConvert job, which cuts the video into chunks and reports its state. The events move the video's track, which is
its processing state. Texts with "canary" must not be logged.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

import boto3
import pytest
from moto import mock_aws

from handlers.common.ids import now, timestamp, ulid
from handlers.common.logging import EventLog
from handlers.livestream.episode_table import EpisodeRecord
from handlers.livestream.keys import VIDEOS, UploadedObject, parse_upload_key
from handlers.livestream.tracks import ContentType, ExpectedUpload, Track, TrackKind, TrackState, request_upload
from handlers.livestream.video_chunks import handler
from handlers.livestream.video_chunks.job import job_request
from tests.credentials import credentials
from tests.loggers import own_logger
from tests.moto_tables import create_table

BUCKET, TABLE, ROLE = "videos-bucket", "episodes", "arn:aws:iam::123456789012:role/media"
SOURCE = "polyphony-test.livestream"
NOW = datetime(2026, 1, 3, 12, tzinfo=UTC)
OWNER, EPISODE = "A" * 32, ulid(NOW, 1)
UPLOAD, NEWER = ulid(NOW, 2), ulid(NOW, 3)
"""Ids of uploads in the order of their times. At first, the episode expects the upload `UPLOAD`."""
VARIABLES = {"TABLE_NAME": TABLE, "BUCKET_NAME": BUCKET, "EVENT_SOURCE": SOURCE, "MEDIACONVERT_ROLE_ARN": ROLE}


def key(upload: str = UPLOAD, suffix: str = ".mp4", owner: str = OWNER) -> str:
    """Return the S3 key of an upload."""
    return f"videos/{owner}/{EPISODE}/{upload}{suffix}"


def video(upload: str = UPLOAD, suffix: str = ".mp4", version: str = "v1") -> UploadedObject:
    """Return one version of an uploaded video."""
    key_parts = parse_upload_key(VIDEOS, key(upload, suffix))
    assert key_parts is not None
    return UploadedObject(key(upload, suffix), version, key_parts)


def envelope(source: str, detail_type: str, detail: Any, **other_fields: Any) -> str:
    """Return an EventBridge event as a queue message body."""
    common_fields = {"version": "0", "id": "1", "account": "123456789012", "region": "us-east-1", "resources": []}
    return json.dumps({**common_fields, "source": source, "detail-type": detail_type, "detail": detail, **other_fields})


def object_created(object_key: str = key(), **changes: Any) -> str:
    """Return S3's event of a new object."""
    object_fields = {"key": object_key, "size": 1000, "etag": "e", "sequencer": "1", "version-id": "v1"}
    detail = {"version": "0", "bucket": {"name": BUCKET}, "object": object_fields, "reason": "PutObject"}
    return envelope("aws.s3", "Object Created", {**detail, **changes})


def upload_completed(upload: str = UPLOAD, **changes: Any) -> str:
    """Return livestream's own event of a complete upload."""
    return envelope(SOURCE, "Video Upload Completed", {"key": key(upload), "versionId": "v1", **changes})


def replay(event: str) -> str:
    """Return an event as EventBridge replays it from an archive."""
    return json.dumps({**json.loads(event), "replay-name": "again-1"})


def job_metadata(upload: str = UPLOAD) -> dict[str, str]:
    metadata: dict[str, str] = requested_job(upload)["UserMetadata"]
    return metadata


def requested_job(upload: str = UPLOAD) -> dict[str, Any]:
    return job_request(BUCKET, video(upload), chunk_seconds=120, role_arn=ROLE)


def chunk_prefix(upload: str = UPLOAD) -> str:
    """Return the key prefix of the chunks of a video."""
    settings = requested_job(upload)["Settings"]["OutputGroups"][0]["OutputGroupSettings"]["HlsGroupSettings"]
    return str(settings["Destination"]).removeprefix(f"s3://{BUCKET}/")


def job_event(status: str, upload: str = UPLOAD, **changes: Any) -> str:
    """Return MediaConvert's event of a job for a video."""
    playlist = f"s3://{BUCKET}/{chunk_prefix(upload)}{upload}_chunk.m3u8"
    output = {"outputFilePaths": [playlist], "durationInMs": 250_041}
    details_by_status: dict[str, dict[str, Any]] = {
        "COMPLETE": {"outputGroupDetails": [{"outputDetails": [output], "type": "HLS_GROUP"}]},
        "ERROR": {"errorCode": 1010, "errorMessage": "canary s3://videos-bucket/videos"},
    }
    detail = {"jobId": "1-a", "status": status, "userMetadata": job_metadata(upload)}
    return envelope(
        "aws.mediaconvert",
        "MediaConvert Job State Change",
        {**detail, **details_by_status.get(status, {}), **changes},
    )


@dataclass
class FakeServices:
    """Clients of MediaConvert and of the event bus, which record their calls."""

    jobs: list[dict[str, Any]] = field(default_factory=list)
    published: list[dict[str, Any]] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    """Exceptions that the next calls raise."""
    failed_entries: int = 0
    """Number of events that the bus rejects in each request."""

    def create_job(self, **request: Any) -> None:
        self._raise_error()
        self.jobs.append(request)

    def put_events(self, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - boto3's name
        self._raise_error()
        self.published += [] if self.failed_entries else Entries
        return {"FailedEntryCount": self.failed_entries}

    def _raise_error(self) -> None:
        if self.errors:
            raise self.errors.pop(0)


@cache
def dynamodb_client() -> Any:
    """Create the client once, because creating it takes most of a test's time."""
    return boto3.client("dynamodb")


@dataclass
class VideoHarness:
    """Episode that expects a video, and the function that processes the video's events."""

    cutter: handler.VideoCutter
    services: FakeServices = field(default_factory=FakeServices)

    def start(self) -> None:
        """Replace the episode by a new one that expects the upload `UPLOAD`, and forget all calls."""
        dynamodb_client().delete_item(
            TableName=TABLE, Key={"pk": {"S": f"EPISODE#{OWNER}#{EPISODE}"}, "sk": {"S": "EPISODE"}}
        )
        at, services = timestamp(now()), FakeServices()
        track = Track(state=TrackState.NONE, since=at)
        record = EpisodeRecord(
            owner=OWNER,
            episode_id=EPISODE,
            title="t",
            language="en-US",
            created_at=at,
            updated_at=at,
            video=track,
            transcript=track,
        )
        self.cutter.table.create(record)
        self.cutter = replace(self.cutter, mediaconvert=services, bus=services)  # type: ignore[arg-type]
        self.services = services
        self.expect_upload()

    def expect_upload(self, upload: str = UPLOAD) -> None:
        expected, at = ExpectedUpload(upload_id=upload, content_type=ContentType.MP4, size=1000), timestamp(now())
        self.cutter.table.change(
            OWNER,
            EPISODE,
            lambda record: record.with_track(TrackKind.VIDEO, request_upload(record.video, expected, at), at),
        )

    def handle(self, *bodies: str) -> list[int]:
        """Process one batch; return the indexes of the failed messages."""
        records = [{"messageId": str(index), "body": body} for index, body in enumerate(bodies)]
        with own_logger(), pytest.MonkeyPatch.context() as patch:
            # A logger keeps the standard output of its creation.
            cutter = replace(self.cutter, log=EventLog("INFO"))
            patch.setattr(handler, "_cutter", lambda: cutter)
            failures = handler.handler({"Records": records}, None)["batchItemFailures"]
        return [int(failure["itemIdentifier"]) for failure in failures]

    @property
    def track(self) -> Track:
        """Stored track of the video."""
        record = self.cutter.table.find(OWNER, EPISODE)
        assert record is not None
        return record.video

    @property
    def state(self) -> tuple[str, str | None]:
        return self.track.state, self.track.reason


@contextmanager
def open_videos() -> Iterator[VideoHarness]:
    """Yield the harness with moto's table."""
    with mock_aws(), pytest.MonkeyPatch.context() as patch:
        credentials(patch)
        for name, value in VARIABLES.items():
            patch.setenv(name, value)
        create_table(dynamodb_client(), TABLE, "pk", "sk")
        handler._cutter.cache_clear()
        videos = VideoHarness(handler._cutter())
        handler._cutter.cache_clear()
        videos.start()
        yield videos

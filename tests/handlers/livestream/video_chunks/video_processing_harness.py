"""Harness for video processing: events in the form of their sources, fake services and a fake table.

S3 reports a new object, and livestream publishes its own event about the complete upload. This event starts a
MediaConvert job, which cuts the video into chunks and reports its state. The events move the video's track, which is
its processing state.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from handlers.common.ids import timestamp, ulid
from handlers.common.logging import EventLog
from handlers.livestream.keys import VIDEOS, parse_upload_key
from handlers.livestream.tracks import (
    ContentType,
    ExpectedUpload,
    Track,
    TrackKind,
    TrackReason,
    TrackState,
    TrackUpdate,
    apply_update,
    is_applied,
    request_upload,
)
from handlers.livestream.video_chunks import video_cutting_job
from handlers.livestream.video_chunks.video_and_job_events import UploadedVideo, VideoUploadDetail
from handlers.livestream.video_chunks.video_event_processing import VideoProcessing

BUCKET, ROLE = "episodes", "arn:aws:iam::123456789012:role/media"
CHUNK_SECONDS = 120
NOW = datetime(2026, 1, 3, 12, tzinfo=UTC)
OWNER, EPISODE = "A" * 32, ulid(NOW, 1)
OLDER, UPLOAD, NEWER = (ulid(NOW.replace(hour=hour), 2) for hour in (11, 12, 13))
"""Ids of uploads in the order of their times. By default, the episode expects the upload `UPLOAD`."""
JOB_STATUSES = ("PROGRESSING", "STATUS_UPDATE", "COMPLETE", "ERROR", "CANCELED")


def key(upload: str = UPLOAD, suffix: str = ".mp4", owner: str = OWNER) -> str:
    """Return the S3 key of an upload."""
    return f"videos/{owner}/{EPISODE}/{upload}{suffix}"


def video(upload: str = UPLOAD, suffix: str = ".mp4", version: str = "v1") -> UploadedVideo:
    """Return one version of an uploaded video."""
    key_parts = parse_upload_key(VIDEOS, key(upload, suffix))
    assert key_parts is not None
    return UploadedVideo(key(upload, suffix), version, key_parts, 1000)


def envelope(source: str, detail_type: str, detail: Any, **other_fields: Any) -> str:
    """Return an EventBridge event as a queue message body."""
    common_fields = {"version": "0", "id": "1", "account": "123456789012", "region": "us-east-1", "resources": []}
    return json.dumps({**common_fields, "source": source, "detail-type": detail_type, "detail": detail, **other_fields})


def object_created(uploaded_video: UploadedVideo | str, **changes: Any) -> str:
    """Return S3's event of a new object."""
    version = {} if isinstance(uploaded_video, str) else {"version-id": uploaded_video.version_id}
    object_key = uploaded_video if isinstance(uploaded_video, str) else uploaded_video.key
    object_fields = {"key": object_key, "size": 1000, "etag": "e", "sequencer": "1", **version}
    detail = {"version": "0", "bucket": {"name": BUCKET}, "object": object_fields, "reason": "PutObject"}
    return envelope("aws.s3", "Object Created", {**detail, **changes})


def upload_completed(uploaded_video: UploadedVideo, **changes: Any) -> str:
    """Return livestream's own event of a complete upload."""
    detail = VideoUploadDetail.from_video(uploaded_video).model_dump(by_alias=True)
    return envelope("polyphony-test.livestream", "Video Upload Completed", {**detail, **changes})


def replay(event: str) -> str:
    """Return an event as EventBridge replays it from an archive."""
    return json.dumps({**json.loads(event), "replay-name": "again-1"})


def playlist(uploaded_video: UploadedVideo) -> str:
    """Return the URI of the playlist of a video's chunks."""
    prefix = video_cutting_job.chunk_prefix(
        uploaded_video, video_cutting_job.job_token(BUCKET, uploaded_video, CHUNK_SECONDS)
    )
    return f"s3://{BUCKET}/{prefix}{uploaded_video.key_parts.upload_id}{video_cutting_job.CHUNK_MODIFIER}.m3u8"


def job_event(uploaded_video: UploadedVideo, status: str, **changes: Any) -> str:
    """Return MediaConvert's event of a job for a video."""
    metadata = video_cutting_job.job_request(BUCKET, uploaded_video, chunk_seconds=CHUNK_SECONDS, role_arn=ROLE)[
        "UserMetadata"
    ]
    output = {"outputFilePaths": [playlist(uploaded_video)], "durationInMs": 250_041}
    details_by_status: dict[str, dict[str, Any]] = {
        "COMPLETE": {"outputGroupDetails": [{"outputDetails": [output], "type": "HLS_GROUP"}]},
        "ERROR": {"errorCode": 1010, "errorMessage": "canary s3://episodes/videos"},
    }
    detail = {
        "jobId": "1-a",
        "status": status,
        "userMetadata": metadata,
        **details_by_status.get(status, {}),
        **changes,
    }
    return envelope("aws.mediaconvert", "MediaConvert Job State Change", detail)


@dataclass
class FakeTrackTable:
    """Table with the video track of one episode."""

    track: Track = field(
        default_factory=lambda: request_upload(
            Track(state=TrackState.NONE, since=timestamp(NOW)), expected_upload(UPLOAD), timestamp(NOW)
        )
    )
    details: dict[str, object] = field(default_factory=dict)
    """Details of the last update that changed the track."""
    update_count: int = 0
    """Number of updates that changed the track."""
    exists: bool = True
    """False if the episode is deleted."""

    def advance_track(self, owner: str, episode_id: str, kind: TrackKind, update: TrackUpdate) -> bool:
        if not self.exists:
            return False
        assert (owner, episode_id, kind) == (OWNER, EPISODE, TrackKind.VIDEO)
        updated_track = apply_update(self.track, update)
        if updated_track != self.track:
            self.track, self.details, self.update_count = updated_track, dict(update.details), self.update_count + 1
        return is_applied(self.track, update)


def expected_upload(upload: str) -> ExpectedUpload:
    return ExpectedUpload(upload_id=upload, content_type=ContentType.MP4, size=1000)


@dataclass
class FakeVideoServices:
    """MediaConvert, event bus and bucket, which record their calls."""

    jobs: list[dict[str, Any]] = field(default_factory=list)
    published: list[tuple[str, Mapping[str, object]]] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    """Exceptions that the next calls raise."""
    chunk_count: int | None = 3
    """Number of chunks in the playlist; None if there is no playlist."""

    def create_job(self, **request: Any) -> None:
        self._fail()
        self.jobs.append(request)

    def publish(self, detail_type: str, detail: Mapping[str, object]) -> None:
        self._fail()
        self.published.append((detail_type, detail))

    def read(self, _playlist_key: str) -> bytes | None:
        return None if self.chunk_count is None else b"#EXTM3U\n" + b"#EXTINF:120.0,\na.ts\n" * self.chunk_count

    def _fail(self) -> None:
        if self.failures:
            raise self.failures.pop(0)


@dataclass
class VideoHarness:
    """Video processing with a fake table and fake services. Tests deliver events and inspect track, jobs and events."""

    table: FakeTrackTable = field(default_factory=FakeTrackTable)
    services: FakeVideoServices = field(default_factory=FakeVideoServices)

    @property
    def processing(self) -> VideoProcessing:
        table: Any = self.table
        services: Any = self.services
        return VideoProcessing(
            table,
            services,
            services.create_job,
            services.publish,
            bucket=BUCKET,
            role_arn=ROLE,
            chunk_seconds=CHUNK_SECONDS,
            clock=lambda: NOW,
            log=EventLog("DEBUG"),
        )

    def handle(self, *bodies: str) -> list[int]:
        """Process one batch; return the indexes of the failed messages."""
        messages = [{"messageId": str(index), "body": body} for index, body in enumerate(bodies)]
        failures = self.processing.handle(messages)["batchItemFailures"]
        return [int(failure["itemIdentifier"]) for failure in failures]

    def state(self) -> tuple[TrackState, TrackReason | None]:
        """Return state and failure reason of the track."""
        return self.table.track.state, self.table.track.reason

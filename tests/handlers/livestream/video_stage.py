"""What tests of videos act on: events as their sources write them, and a table of tracks that keeps to its contract."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from handlers.common.logging import EventLog
from handlers.common.ulid import ulid
from handlers.livestream import chunking
from handlers.livestream.tracks import DONE_AGAIN, TrackState
from handlers.livestream.video_events import CompletedDetail, Video, VideoKey, video_key
from handlers.livestream.video_processing import VideoProcessing
from handlers.livestream.video_tracks import VideoMoved

BUCKET, ROLE = "episodes", "arn:aws:iam::123456789012:role/media"
SECONDS, HOURS = 120, 11
NOW = datetime(2026, 1, 3, 12, tzinfo=UTC)
OWNER, EPISODE = "A" * 32, ulid(NOW, 1)
OLDER, UPLOAD, NEWER = (ulid(NOW.replace(hour=hour), 2) for hour in (11, 12, 13))
REASONS = ("PutObject", "POST Object", "CompleteMultipartUpload", "CopyObject")
ORDER = (TrackState.UPLOADED, TrackState.CHUNKING, TrackState.FAILED, TrackState.CHUNKED)
"""The states of one upload as they follow each other; `requested` and `none`, which come before it, are no part of it."""
STATUSES = ("PROGRESSING", "STATUS_UPDATE", "COMPLETE", "ERROR", "CANCELED")


def key(upload: str = UPLOAD, suffix: str = ".mp4", owner: str = OWNER) -> str:
    """Where an upload goes."""
    return f"videos/{owner}/{EPISODE}/{upload}{suffix}"


def video(upload: str = UPLOAD, suffix: str = ".mp4", version: str = "v1") -> Video:
    """One version of an upload."""
    named = video_key(key(upload, suffix))
    assert isinstance(named, VideoKey)
    return Video(key(upload, suffix), version, named, 1000)


def envelope(source: str, detail_type: str, detail: Any, **more: Any) -> str:
    """An event, as a queue has it from the bus."""
    about = {"version": "0", "id": "1", "account": "123456789012", "region": "us-east-1", "resources": []}
    return json.dumps({**about, "source": source, "detail-type": detail_type, "detail": detail, **more})


def created(one: Video | str, reason: str = "PutObject", **changed: Any) -> str:
    """S3's event of a new object."""
    version = {} if isinstance(one, str) else {"version-id": one.version_id}
    name = one if isinstance(one, str) else one.key
    about = {"key": name, "size": 1000, "etag": "e", "sequencer": "1", **version}
    detail = {"version": "0", "bucket": {"name": BUCKET}, "object": about, "reason": reason}
    return envelope("aws.s3", "Object Created", {**detail, **changed})


def completed(one: Video, **changed: Any) -> str:
    """Our own event."""
    detail = CompletedDetail.of(one).model_dump(by_alias=True)
    return envelope("polyphony-test.livestream", "Video Upload Completed", {**detail, **changed})


def replayed(event: str) -> str:
    """An event as it comes out of an archive."""
    return json.dumps({**json.loads(event), "replay-name": "again-1"})


def playlist(one: Video) -> str:
    """Where the playlist of a video's chunks is."""
    prefix = chunking.prefix(one, chunking.token(BUCKET, one, SECONDS, HOURS))
    return f"s3://{BUCKET}/{prefix}{one.named.upload_id}{chunking.MODIFIER}.m3u8"


def job(one: Video, status: str, **changed: Any) -> str:
    """MediaConvert's event of a job of ours."""
    metadata = chunking.request(BUCKET, one, seconds=SECONDS, role_arn=ROLE, max_hours=HOURS)["UserMetadata"]
    output = {"outputFilePaths": [playlist(one)], "durationInMs": 250_041}
    told: dict[str, dict[str, Any]] = {
        "COMPLETE": {"outputGroupDetails": [{"outputDetails": [output], "type": "HLS_GROUP"}]},
        "ERROR": {"errorCode": 1010, "errorMessage": "canary s3://episodes/videos"},
    }
    detail = {"jobId": "1-a", "status": status, "userMetadata": metadata, **told.get(status, {}), **changed}
    return envelope("aws.mediaconvert", "MediaConvert Job State Change", detail)


@dataclass
class FakeTracks:
    """Tracks as their contract has them."""

    episodes: set[tuple[str, str]] = field(default_factory=lambda: {(OWNER, EPISODE)})
    at: VideoMoved | None = None
    moves: int = 0

    def move(self, owner: str, episode_id: str, event: VideoMoved) -> bool:
        """Moves up, never down."""
        if (owner, episode_id) not in self.episodes:
            return False
        if self.at is None or _place(event) > _place(self.at) or _done_again(self.at, event):
            self.at = event
            self.moves += 1
        return _place(self.at) == _place(event)


def _done_again(at: VideoMoved, event: VideoMoved) -> bool:
    return event.again and at.reason is DONE_AGAIN and at.upload_id == event.upload_id


def _place(one: VideoMoved) -> tuple[str, int]:
    return one.upload_id, ORDER.index(one.state)


@dataclass
class Cloud:
    """The gateways: what they were asked, and what they say."""

    jobs: list[dict[str, Any]] = field(default_factory=list)
    announced: list[Video] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    """What the next calls raise."""
    count: int | None = 3

    def create(self, request: dict[str, Any]) -> None:
        self._fail()
        self.jobs.append(request)

    def upload_completed(self, one: Video) -> None:
        self._fail()
        self.announced.append(one)

    def entries(self, _key: str) -> int | None:
        self._fail()
        return self.count

    def _fail(self) -> None:
        if self.failures:
            raise self.failures.pop(0)


@dataclass
class Stage:
    """Processing, with everything around it."""

    tracks: FakeTracks = field(default_factory=FakeTracks)
    cloud: Cloud = field(default_factory=Cloud)

    @property
    def processing(self) -> VideoProcessing:
        gateways: Any = self.cloud
        log = EventLog("DEBUG")
        about: dict[str, Any] = {"bucket": BUCKET, "role_arn": ROLE, "chunk_seconds": SECONDS, "max_hours": HOURS}
        return VideoProcessing(self.tracks, gateways, gateways, gateways, **about, log=log)

    def handle(self, *bodies: str) -> list[int]:
        """One batch; which of them go back."""
        messages = [{"messageId": str(place), "body": body} for place, body in enumerate(bodies)]
        failures = self.processing.handle(messages)["batchItemFailures"]
        return [int(one["itemIdentifier"]) for one in failures]

    @property
    def tokens(self) -> set[str]:
        """Of the jobs that were asked for."""
        return {one["ClientRequestToken"] for one in self.cloud.jobs}

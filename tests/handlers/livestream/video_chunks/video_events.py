"""Events about an uploaded video, in the form of their senders.

S3 reports a new object, and livestream publishes its own event about the complete upload. This event starts a
MediaConvert job, which cuts the video into chunks and reports its state. Texts with "canary" must not be logged.
"""

import json
from typing import Any

from handlers.common.ids import ulid
from handlers.livestream.keys import VIDEOS, UploadedObject, parse_upload
from handlers.livestream.video_chunks.job import job_request
from tests.handlers.livestream.harness import ANN, BUCKET, ROLE, SOURCE, START

EPISODE, UPLOAD, NEWER = ulid(START, 1), ulid(START, 2), ulid(START, 3)
"""Ids of an episode and of two uploads, in the order of their times."""


def key(upload: str = UPLOAD, suffix: str = ".mp4") -> str:
    """Return the S3 key of an upload."""
    return f"videos/{ANN}/{EPISODE}/{upload}{suffix}"


def video(upload: str = UPLOAD, suffix: str = ".mp4", version: str = "v1") -> UploadedObject:
    """Return one version of an uploaded video."""
    parsed = parse_upload(VIDEOS, key(upload, suffix), version)
    assert parsed is not None
    return parsed


def envelope(source: str, detail_type: str, detail: Any) -> str:
    """Return an EventBridge event as a queue message body."""
    return json.dumps({"source": source, "detail-type": detail_type, "detail": detail})


def object_created(object_key: str = key(), **changes: Any) -> str:
    """Return S3's event of a new object."""
    object_fields = {"key": object_key, "size": 1000, "version-id": "v1"}
    return envelope("aws.s3", "Object Created", {"bucket": {"name": BUCKET}, "object": object_fields, **changes})


def upload_completed(upload: str = UPLOAD, **changes: Any) -> str:
    """Return livestream's own event of a complete upload."""
    return envelope(SOURCE, "Video Upload Completed", {"key": key(upload), "versionId": "v1", **changes})


def replay(event: str) -> str:
    """Return an event as EventBridge replays it from an archive."""
    return json.dumps({**json.loads(event), "replay-name": "again-1"})


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
        "ERROR": {"errorCode": 1010, "errorMessage": "canary s3://videos"},
    }
    detail = {"jobId": "1-a", "status": status, "userMetadata": requested_job(upload)["UserMetadata"]}
    return envelope(
        "aws.mediaconvert",
        "MediaConvert Job State Change",
        {**detail, **details_by_status.get(status, {}), **changes},
    )

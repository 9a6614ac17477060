"""Events about an uploaded video, in the form of their senders.

S3 reports a new object, and livestream publishes its own event about the complete upload. This event starts a
MediaConvert job, which cuts the video into chunks and reports its state. Texts with "canary" must not be logged.
"""

import json
from typing import Any

from handlers.common.ids import ulid
from handlers.livestream.keys import UploadedObject
from handlers.livestream.video_chunks.job import job_request
from tests.handlers.livestream.harness import ANN, BUCKET, ROLE, SOURCE, START

EPISODE, UPLOAD = ulid(START, 1), ulid(START, 2)


def key(suffix: str = ".mp4") -> str:
    """Return the S3 key of the upload."""
    return f"videos/{ANN}/{EPISODE}/{UPLOAD}{suffix}"


def requested_job(chunk_seconds: int = 120) -> dict[str, Any]:
    """Return the request for the job that cuts the video."""
    video = UploadedObject(key(), "v1", ANN, EPISODE, UPLOAD)
    return job_request(BUCKET, video, chunk_seconds=chunk_seconds, role_arn=ROLE)


def envelope(source: str, detail_type: str, detail: Any) -> str:
    """Return an EventBridge event as a queue message body."""
    return json.dumps({"source": source, "detail-type": detail_type, "detail": detail})


def object_created(object_key: str = key(), **changes: Any) -> str:
    """Return S3's event of a new object."""
    object_fields = {"key": object_key, "size": 1000, "version-id": "v1"}
    return envelope("aws.s3", "Object Created", {"bucket": {"name": BUCKET}, "object": object_fields, **changes})


def upload_completed(**changes: Any) -> str:
    """Return livestream's own event of a complete upload."""
    return envelope(SOURCE, "Video Upload Completed", {"key": key(), "versionId": "v1", **changes})


def replay(event: str) -> str:
    """Return an event as EventBridge replays it from an archive."""
    return json.dumps({**json.loads(event), "replay-name": "again-1"})


def job_event(status: str, **changes: Any) -> str:
    """Return MediaConvert's event of a job for a video."""
    failure = {"errorCode": 1010, "errorMessage": "canary s3://videos"} if status == "ERROR" else {}
    detail = {"jobId": "1-a", "status": status, "userMetadata": requested_job()["UserMetadata"]}
    return envelope("aws.mediaconvert", "MediaConvert Job State Change", {**detail, **failure, **changes})

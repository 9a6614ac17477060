"""Local AWS Elemental MediaConvert. Its only operation is `CreateJob`, and a job cuts a video into HLS segments.

Livestream calls it over HTTP. Jobs are executed in the background, one after the other. A job reads and writes S3 with
the permissions of its role, and sends events about its state, as on AWS.
"""

import contextlib
import json
import logging
import secrets
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from local.emulation.aws_service_server import AwsError, ServiceAccount, SignedRequest, require_permission, serve_signed
from local.emulation.mediaconvert.video_cutting import VideoCut, VideoSegments, cut_video, parse_job
from local.emulation.request_validation import validate_request
from local.ffmpeg import UnreadableMedia
from local.http_server import HttpResponse

JOBS_PATH = "/2017-08-29/jobs"
SERVICE = "mediaconvert.amazonaws.com"
EVENT_SOURCE, DETAIL_TYPE = "aws.mediaconvert", "MediaConvert Job State Change"
CANNOT_OPEN, NO_ACCESS, UNKNOWN = 1010, 1401, 1999
"""Error codes of jobs: https://docs.aws.amazon.com/mediaconvert/latest/ug/mediaconvert_error_codes.html"""
_logger = logging.getLogger("mediaconvert")


@dataclass(frozen=True)
class _MediaConvertJob:
    id: str
    arn: str
    queue_arn: str
    request: Mapping[str, Any]
    cut: VideoCut
    submitted_at: float
    """Unix time."""


@contextlib.contextmanager
def serve(account: ServiceAccount) -> Iterator[int]:
    """Serve while the `with` block runs, and yield the port. At its end, wait for the submitted jobs."""
    with (
        ThreadPoolExecutor(max_workers=1, thread_name_prefix="mediaconvert") as worker,
        serve_signed(_MediaConvertService(account, worker).respond) as port,
    ):
        yield port


class _MediaConvertService:
    def __init__(self, account: ServiceAccount, worker: ThreadPoolExecutor) -> None:
        self._account = account
        self._worker = worker
        self._arn = f"arn:aws:mediaconvert:{account.region}:{account.account}"
        self._jobs: dict[str, _MediaConvertJob] = {}
        """Jobs by `ClientRequestToken`, or by job id if the request has no token."""

    def respond(self, signed: SignedRequest) -> HttpResponse:
        if (signed.http.method, signed.http.path) != ("POST", JOBS_PATH):
            raise AwsError("NotFoundException", "The local MediaConvert supports only CreateJob.", HTTPStatus.NOT_FOUND)
        try:
            request = validate_request("mediaconvert", "CreateJob", json.loads(signed.http.body))
            cut = parse_job(request)
        except (ValueError, LookupError) as error:
            message = f"The local MediaConvert does not support this job: {error}"
            raise AwsError("BadRequestException", message) from None
        queue_arn, role = request.get("Queue", f"{self._arn}:queues/Default"), request["Role"]
        require_permission(self._account, signed.access_key, "mediaconvert:CreateJob", queue_arn)
        require_permission(self._account, signed.access_key, "iam:PassRole", role, {"iam:PassedToService": SERVICE})
        if not self._account.can_assume(role):
            message = f"The role {role} does not exist, or its trust policy does not allow MediaConvert."
            raise AwsError("BadRequestException", message)
        job = self._submit(request, cut, queue_arn)
        content = {"id": job.id, "arn": job.arn, "queue": queue_arn, "role": role, "status": "SUBMITTED"}
        return HttpResponse({"job": {**content, "createdAt": int(job.submitted_at)}}, HTTPStatus.CREATED)

    def _submit(self, request: Mapping[str, Any], cut: VideoCut, queue_arn: str) -> _MediaConvertJob:
        """Submit a job. A request with the token of an earlier request gets the earlier job."""
        job_id = f"{int(time.time() * 1000)}-{secrets.token_hex(3)}"
        arn = f"{self._arn}:jobs/{job_id}"
        new_job = _MediaConvertJob(job_id, arn, queue_arn, request, cut, submitted_at=time.time())
        job = self._jobs.setdefault(request.get("ClientRequestToken", job_id), new_job)
        if job is new_job:
            self._worker.submit(self._execute_with_events, job)
        return job

    def _execute_with_events(self, job: _MediaConvertJob) -> None:
        """Execute a job in the worker thread. Send an event at its start and at its end or failure."""
        try:
            self._put_event(job, "PROGRESSING")
            self._put_event(job, "COMPLETE", outputGroupDetails=[self._execute(job)])
        except UnreadableMedia:
            self._fail(job, CANNOT_OPEN, f"Unable to open input file [{job.cut.input_uri}]")
        except ClientError as error:
            self._fail(job, NO_ACCESS, f"S3 returned {error.response['Error']['Code']} for {error.operation_name}")
        except Exception as error:  # A job fails for any unexpected error.
            _logger.exception("job %s failed", job.id)
            self._fail(job, UNKNOWN, f"Unexpected error: {type(error).__name__}")

    def _execute(self, job: _MediaConvertJob) -> dict[str, Any]:
        s3, cut = self._account.s3(job.request["Role"], job.id), job.cut
        with tempfile.TemporaryDirectory(prefix="mediaconvert-") as scratch:
            source, folder = Path(scratch, "input"), Path(scratch, "outputs")
            folder.mkdir()
            source.write_bytes(s3.get_object(Bucket=cut.input_bucket, Key=cut.input_key)["Body"].read())
            return _upload(s3, cut, cut_video(source, folder, cut))

    def _fail(self, job: _MediaConvertJob, code: int, message: str) -> None:
        self._put_event(job, "ERROR", errorCode=code, errorMessage=message)

    def _put_event(self, job: _MediaConvertJob, status: str, **more: Any) -> None:
        """Put the event that the job has got a status. `more` are the fields of this status."""
        detail = {
            "timestamp": int(time.time() * 1000),
            "accountId": self._account.account,
            "queue": job.queue_arn,
            "jobId": job.id,
            "status": status,
            "userMetadata": dict(job.request.get("UserMetadata", {})),
            **more,
        }
        self._account.put_event(EVENT_SOURCE, DETAIL_TYPE, detail, job.arn)


def _upload(s3: Any, cut: VideoCut, segments: VideoSegments) -> dict[str, Any]:
    """Upload each file before the playlist that names it. Return an item for `outputGroupDetails`."""
    playlist, main_playlist = f"{cut.segment_name}.m3u8", f"{cut.name}.m3u8"

    def put(name: str, data: bytes, content_type: str) -> None:
        s3.put_object(Bucket=cut.output_bucket, Key=cut.output_prefix + name, Body=data, ContentType=content_type)

    for segment, path in segments.files.items():
        put(segment, path.read_bytes(), "video/MP2T")
    put(playlist, segments.playlist.encode(), "application/vnd.apple.mpegurl")
    variants = f"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-STREAM-INF:BANDWIDTH={cut.max_bitrate}\n{playlist}\n"
    put(main_playlist, variants.encode(), "application/vnd.apple.mpegurl")
    output = {"outputFilePaths": [cut.output_uri(playlist)], "durationInMs": segments.duration_ms}
    return {"outputDetails": [output], "playlistFilePaths": [cut.output_uri(main_playlist)], "type": "HLS_GROUP"}

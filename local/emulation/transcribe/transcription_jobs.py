"""Amazon Transcribe's batch jobs for this machine: `StartTranscriptionJob` and `GetTranscriptionJob`.

A job reads and writes S3 with the caller's credentials, so a missing grant of the caller fails here too. A job ends at
the second `GetTranscriptionJob`, so no test has to wait. The words of a recording are tones, and some words make the
job fail.
"""

import json
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from pathlib import Path
from typing import Any, Protocol

from botocore.exceptions import ClientError

from local.emulation.aws_http_server import AwsError, Permissions, SignedRequest, require_permission, serve_signed
from local.emulation.request_validation import validate_request
from local.emulation.speech.audio_files import DEMUXERS, recognise_file
from local.emulation.speech.tone_words import Pause, SpokenWord
from local.emulation.transcribe.transcript_document import make_document, make_segments
from local.ffmpeg import UnreadableMedia
from local.http_server import HttpResponse

TARGET = "Transcribe."
CHECK_FILE = ".write_access_check_file.temp"
"""Transcribe writes this object beside the output to check the caller's write permission, and does not delete it."""
NOT_FOUND = "The requested job couldn't be found. Check the job name and try your request again."
TAKEN = "The requested job name already exists. Use a different job name."
UNSUPPORTED = "Unsupported media format. Check the media format of your media file and try your request again."
BROKEN = "Internal failure. Your request can't be completed. Try your request again."


class JobFault(StrEnum):
    """Words of a recording that make its job fail."""

    THROTTLED = "throttled"
    """LimitExceededException, once per job name."""
    BROKEN = "broken"
    """The job fails."""
    MALFORMED = "malformed"
    """The transcript is truncated in the middle."""


class TranscribeAccount(Permissions, Protocol):
    """The account that the service runs in."""

    account: str
    region: str

    def s3_of_caller(self, access_key: str) -> Any:
        """Return an S3 client with the caller's permissions."""
        ...


@dataclass
class _TranscriptionJob:
    request: Mapping[str, Any]
    output_key: str
    s3: Any
    heard: list[SpokenWord | Pause] | None
    """Recognised words and pauses, or None if the recording cannot be read."""
    created_at: float
    status: str = "IN_PROGRESS"
    completed_at: float | None = None
    failure: str | None = None
    was_asked_for: bool = False


def serve(cloud: TranscribeAccount, *, now: Callable[[], float] = time.time) -> AbstractContextManager[int]:
    """Serve while the block runs, and yield the port."""
    return serve_signed(_TranscribeService(cloud, now).respond)


class _TranscribeService:
    def __init__(self, cloud: TranscribeAccount, now: Callable[[], float]) -> None:
        self._cloud = cloud
        self._now = now
        self._jobs: dict[str, _TranscriptionJob] = {}
        self._throttled: set[str] = set()
        """Names of the jobs that were already refused once."""
        self._lock = threading.Lock()

    def respond(self, signed: SignedRequest) -> HttpResponse:
        operation = signed.http.headers.get("x-amz-target", "").removeprefix(TARGET)
        operations = {"StartTranscriptionJob": self._start, "GetTranscriptionJob": self._get}
        if operation not in operations:
            raise AwsError("UnknownOperationException", f"The local Transcribe does not support {operation}.")
        try:
            request = validate_request("transcribe", operation, json.loads(signed.http.body))
        except ValueError as error:
            raise AwsError("BadRequestException", str(error)) from None
        with self._lock:
            job = operations[operation](request, signed.access_key)
        return HttpResponse({"TranscriptionJob": self._describe(job)})

    def _start(self, request: Mapping[str, Any], access_key: str) -> _TranscriptionJob:
        name, uri = request["TranscriptionJobName"], request["Media"].get("MediaFileUri", "")
        bucket, key = request.get("OutputBucketName"), request.get("OutputKey")
        if bucket is None or key is None or not uri.startswith("s3://"):
            needed = "OutputBucketName, OutputKey and a MediaFileUri that begins with s3://"
            raise AwsError("BadRequestException", f"The local Transcribe needs {needed}.")
        context = {"transcribe:OutputBucketName": bucket, "transcribe:OutputKey": key}
        require_permission(self._cloud, access_key, "transcribe:StartTranscriptionJob", "*", context)
        if name in self._jobs:
            raise AwsError("ConflictException", TAKEN, HTTPStatus.CONFLICT)
        s3 = self._cloud.s3_of_caller(access_key)
        try:
            recognised = _recognise(s3, uri, request.get("MediaFormat"))
            folder, slash, _ = key.rpartition("/")
            s3.put_object(Bucket=bucket, Key=f"{folder}{slash}{CHECK_FILE}", Body=b"")
        except ClientError as error:
            access = "read" if error.operation_name == "GetObject" else "write"
            message = f"The S3 URI that you provided can't be accessed. Make sure that you have {access} permission."
            raise AwsError("BadRequestException", message) from None
        if JobFault.THROTTLED in _words(recognised) and name not in self._throttled:
            self._throttled.add(name)
            raise AwsError("LimitExceededException", "Rate exceeded", HTTPStatus.TOO_MANY_REQUESTS)
        job = self._jobs[name] = _TranscriptionJob(request, key, s3, recognised, self._now())
        return job

    def _get(self, request: Mapping[str, Any], access_key: str) -> _TranscriptionJob:
        name = request["TranscriptionJobName"]
        arn = f"arn:aws:transcribe:{self._cloud.region}:{self._cloud.account}:transcription-job/{name}"
        require_permission(self._cloud, access_key, "transcribe:GetTranscriptionJob", arn)
        job = self._jobs.get(name)
        if job is None:
            raise AwsError("BadRequestException", NOT_FOUND)
        if job.was_asked_for and job.status == "IN_PROGRESS":
            self._finish(job)
        job.was_asked_for = True
        return job

    def _finish(self, job: _TranscriptionJob) -> None:
        words = _words(job.heard)
        if job.heard is None:
            job.failure = UNSUPPORTED
        elif JobFault.BROKEN in words:
            job.failure = BROKEN
        else:
            speakers = job.request.get("Settings", {}).get("MaxSpeakerLabels", 0)
            parts = make_segments(job.heard, speakers)
            name = job.request["TranscriptionJobName"]
            text = json.dumps(make_document(name, self._cloud.account, parts, labelled=speakers > 0))
            body = text[: len(text) // 2] if JobFault.MALFORMED in words else text
            bucket = job.request["OutputBucketName"]
            job.s3.put_object(Bucket=bucket, Key=job.output_key, Body=body.encode(), ContentType="application/json")
        job.status = "COMPLETED" if job.failure is None else "FAILED"
        job.completed_at = self._now()

    def _describe(self, job: _TranscriptionJob) -> dict[str, Any]:
        output = f"https://s3.{self._cloud.region}.amazonaws.com/{job.request['OutputBucketName']}/{job.output_key}"
        names = ("TranscriptionJobName", "LanguageCode", "MediaFormat", "Media", "Settings")
        shown = {
            **{name: job.request.get(name) for name in names},
            "TranscriptionJobStatus": job.status,
            "Transcript": {"TranscriptFileUri": output} if job.status == "COMPLETED" else None,
            "CreationTime": job.created_at,
            "StartTime": job.created_at,
            "CompletionTime": job.completed_at,
            "FailureReason": job.failure,
        }
        return {name: value for name, value in shown.items() if value is not None}


def _recognise(s3: Any, uri: str, media_format: str | None) -> list[SpokenWord | Pause] | None:
    """Return the words and pauses of a recording, or None if it does not have the given format."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    with tempfile.TemporaryDirectory(prefix="transcribe-") as folder:
        path = Path(folder, "media")
        path.write_bytes(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        try:
            return recognise_file(path, DEMUXERS if media_format is None else [media_format])
        except UnreadableMedia:
            return None


def _words(heard: list[SpokenWord | Pause] | None) -> set[str]:
    return {item.text for item in heard or [] if isinstance(item, SpokenWord)}

"""Local Amazon Transcribe for batch jobs, with the operations `StartTranscriptionJob` and `GetTranscriptionJob`.

It recognises tones in place of spoken words (see `tone_words.py`). As on AWS, a job reads and writes S3 with its
caller's credentials. A job ends at the second `GetTranscriptionJob`, so no test has to wait. For tests, some words
cause a fault of the job.
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

from local.emulation.aws_service_server_base import (
    AwsError,
    Permissions,
    SignedRequest,
    require_permission,
    serve_signed,
)
from local.emulation.request_validation import validate_request
from local.emulation.speech.audio_encoding_and_recognition import DEMUXERS, recognise_file
from local.emulation.speech.tone_words import Pause, SpokenWord
from local.emulation.transcribe.transcript_document import make_document, make_segments
from local.ffmpeg import UnreadableMedia
from local.http_server import HttpResponse

TARGET_PREFIX = "Transcribe."
CHECK_FILE = ".write_access_check_file.temp"
"""Name of an object that Transcribe writes next to the output to check the caller's permission, and never deletes."""
NOT_FOUND_MESSAGE = "The requested job couldn't be found. Check the job name and try your request again."
NAME_TAKEN_MESSAGE = "The requested job name already exists. Use a different job name."
UNSUPPORTED_MESSAGE = "Unsupported media format. Check the media format of your media file and try your request again."
FAILURE_MESSAGE = "Internal failure. Your request can't be completed. Try your request again."


class JobFault(StrEnum):
    """Words of a recording that cause a fault of its job."""

    THROTTLED = "throttled"
    """LimitExceededException at the first start of a job with this name."""
    BROKEN = "broken"
    """The job fails."""
    MALFORMED = "malformed"
    """The second half of the JSON document with the transcript is missing."""


class TranscribeAccount(Permissions, Protocol):
    """AWS account in which the service acts."""

    account: str
    """Account id."""
    region: str

    def s3_of_caller(self, access_key: str) -> Any:
        """Return an S3 client with the permissions of the access key's owner."""
        ...


@dataclass
class _TranscriptionJob:
    request: Mapping[str, Any]
    output_key: str
    s3: Any
    """S3 client with the permissions of the caller that started the job."""
    recognised: list[SpokenWord | Pause] | None
    """Recognised words and pauses, or None if the recording cannot be read."""
    created_at: float
    """Unix time."""
    status: str = "IN_PROGRESS"
    completed_at: float | None = None
    """Unix time, or None before the job has ended."""
    failure: str | None = None
    """Reason if the job has failed, otherwise None."""
    was_described: bool = False
    """True after the first `GetTranscriptionJob`. The second one ends the job."""


def serve(account: TranscribeAccount, *, now: Callable[[], float] = time.time) -> AbstractContextManager[int]:
    """Serve while the block runs, and yield the port."""
    return serve_signed(_TranscribeService(account, now).respond)


class _TranscribeService:
    def __init__(self, account: TranscribeAccount, now: Callable[[], float]) -> None:
        self._account = account
        self._now = now
        self._jobs: dict[str, _TranscriptionJob] = {}
        self._throttled: set[str] = set()
        """Names of the jobs whose start was refused once."""
        self._lock = threading.Lock()

    def respond(self, signed: SignedRequest) -> HttpResponse:
        operation = signed.http.headers.get("x-amz-target", "").removeprefix(TARGET_PREFIX)
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
            required = "OutputBucketName, OutputKey and a MediaFileUri that begins with s3://"
            raise AwsError("BadRequestException", f"The local Transcribe needs {required}.")
        context = {"transcribe:OutputBucketName": bucket, "transcribe:OutputKey": key}
        require_permission(self._account, access_key, "transcribe:StartTranscriptionJob", "*", context)
        if name in self._jobs:
            raise AwsError("ConflictException", NAME_TAKEN_MESSAGE, HTTPStatus.CONFLICT)
        s3 = self._account.s3_of_caller(access_key)
        try:
            recognised = _recognise(s3, uri, request.get("MediaFormat"))
            folder, slash, _ = key.rpartition("/")
            s3.put_object(Bucket=bucket, Key=f"{folder}{slash}{CHECK_FILE}", Body=b"")
        except ClientError as error:
            access = "read" if error.operation_name == "GetObject" else "write"
            message = f"The S3 URI that you provided can't be accessed. Make sure that you have {access} permission."
            raise AwsError("BadRequestException", message) from None
        if JobFault.THROTTLED in _spoken_words(recognised) and name not in self._throttled:
            self._throttled.add(name)
            raise AwsError("LimitExceededException", "Rate exceeded", HTTPStatus.TOO_MANY_REQUESTS)
        job = self._jobs[name] = _TranscriptionJob(request, key, s3, recognised, self._now())
        return job

    def _get(self, request: Mapping[str, Any], access_key: str) -> _TranscriptionJob:
        name = request["TranscriptionJobName"]
        arn = f"arn:aws:transcribe:{self._account.region}:{self._account.account}:transcription-job/{name}"
        require_permission(self._account, access_key, "transcribe:GetTranscriptionJob", arn)
        job = self._jobs.get(name)
        if job is None:
            raise AwsError("BadRequestException", NOT_FOUND_MESSAGE)
        if job.was_described and job.status == "IN_PROGRESS":
            self._finish(job)
        job.was_described = True
        return job

    def _finish(self, job: _TranscriptionJob) -> None:
        words = _spoken_words(job.recognised)
        if job.recognised is None:
            job.failure = UNSUPPORTED_MESSAGE
        elif JobFault.BROKEN in words:
            job.failure = FAILURE_MESSAGE
        else:
            speakers = job.request.get("Settings", {}).get("MaxSpeakerLabels", 0)
            segments = make_segments(job.recognised, speakers)
            name = job.request["TranscriptionJobName"]
            text = json.dumps(make_document(name, self._account.account, segments, labelled=speakers > 0))
            body = text[: len(text) // 2] if JobFault.MALFORMED in words else text
            bucket = job.request["OutputBucketName"]
            job.s3.put_object(Bucket=bucket, Key=job.output_key, Body=body.encode(), ContentType="application/json")
        job.status = "COMPLETED" if job.failure is None else "FAILED"
        job.completed_at = self._now()

    def _describe(self, job: _TranscriptionJob) -> dict[str, Any]:
        output = f"https://s3.{self._account.region}.amazonaws.com/{job.request['OutputBucketName']}/{job.output_key}"
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
    """Return the words and pauses of a recording, or None if it is unreadable or does not have the given format."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    with tempfile.TemporaryDirectory(prefix="transcribe-") as folder:
        path = Path(folder, "media")
        path.write_bytes(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        try:
            return recognise_file(path, DEMUXERS if media_format is None else [media_format])
        except UnreadableMedia:
            return None


def _spoken_words(recognised: list[SpokenWord | Pause] | None) -> set[str]:
    return {item.text for item in recognised or [] if isinstance(item, SpokenWord)}

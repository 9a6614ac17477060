"""Local Amazon Transcribe for batch jobs, with the operations `StartTranscriptionJob` and `GetTranscriptionJob`.

It recognises English speech. As on AWS, a job reads and writes S3 with its caller's credentials. Jobs are recognised in
the background, one after the other.
"""

import json
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Protocol

from botocore.exceptions import ClientError

from local.audio_formats import DEMUXERS, RATE, SAMPLE_BYTES, decode_file
from local.emulation.aws_service_server_base import (
    AwsError,
    Permissions,
    SignedRequest,
    require_permission,
    serve_signed,
)
from local.emulation.faults import Fault, Faults
from local.emulation.request_validation import validate_request
from local.emulation.speech.languages import find_language_note
from local.emulation.speech.recognition import SpokenLine, recognise
from local.emulation.speech.speakers import label_speakers
from local.emulation.transcribe.transcript_document import make_document
from local.ffmpeg import UnreadableMedia
from local.http_server import HttpResponse

TARGET_PREFIX = "Transcribe."
CHECK_FILE = ".write_access_check_file.temp"
"""Name of an object that Transcribe writes next to the output to check the caller's permission, and never deletes."""
NOT_FOUND_MESSAGE = "The requested job couldn't be found. Check the job name and try your request again."
NAME_TAKEN_MESSAGE = "The requested job name already exists. Use a different job name."
UNSUPPORTED_MESSAGE = "Unsupported media format. Check the media format of your media file and try your request again."
FAILURE_MESSAGE = "Internal failure. Your request can't be completed. Try your request again."


class TranscribeAccount(Permissions, Protocol):
    """AWS account in which the service acts."""

    account: str
    """Account id."""
    region: str

    def s3_of_caller(self, access_key: str) -> Any:
        """Return an S3 client with the permissions of the access key's owner."""
        ...


@dataclass(frozen=True)
class _RecognisedSpeech:
    lines: list[SpokenLine]
    speakers: list[int] | None
    """Number of each line's speaker, if the job requested speaker labels."""


@dataclass
class _TranscriptionJob:
    request: Mapping[str, Any]
    output_key: str
    s3: Any
    """S3 client with the permissions of the caller that started the job."""
    recognition: Future[_RecognisedSpeech | None]
    """Recognition in the background. Its result is None if the recording cannot be read."""
    created_at: float
    """Unix time."""
    status: str = "IN_PROGRESS"
    completed_at: float | None = None
    """Unix time, or None before the job has ended."""
    failure: str | None = None
    """Reason if the job has failed, otherwise None."""


@contextmanager
def serve(
    account: TranscribeAccount, faults: Faults | None = None, *, now: Callable[[], float] = time.time
) -> Iterator[int]:
    """Serve while the block runs, and yield the port."""
    with (
        ThreadPoolExecutor(1, "transcription-jobs") as workers,
        serve_signed(_TranscribeService(account, faults or Faults(), workers, now).respond) as port,
    ):
        yield port


class _TranscribeService:
    def __init__(
        self,
        account: TranscribeAccount,
        faults: Faults,
        workers: ThreadPoolExecutor,
        now: Callable[[], float],
    ) -> None:
        self._account = account
        self._faults = faults
        self._workers = workers
        self._now = now
        self._jobs: dict[str, _TranscriptionJob] = {}
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
        if self._faults.take(Fault.JOB_THROTTLED):
            raise AwsError("LimitExceededException", "Rate exceeded", HTTPStatus.TOO_MANY_REQUESTS)
        s3 = self._account.s3_of_caller(access_key)
        try:
            media_bucket, _, media_key = uri.removeprefix("s3://").partition("/")
            media = s3.get_object(Bucket=media_bucket, Key=media_key)["Body"].read()
            folder, slash, _ = key.rpartition("/")
            s3.put_object(Bucket=bucket, Key=f"{folder}{slash}{CHECK_FILE}", Body=b"")
        except ClientError as error:
            access = "read" if error.operation_name == "GetObject" else "write"
            message = f"The S3 URI that you provided can't be accessed. Make sure that you have {access} permission."
            raise AwsError("BadRequestException", message) from None
        recognition = self._workers.submit(_recognise, media, request)
        job = self._jobs[name] = _TranscriptionJob(request, key, s3, recognition, self._now())
        return job

    def _get(self, request: Mapping[str, Any], access_key: str) -> _TranscriptionJob:
        name = request["TranscriptionJobName"]
        arn = f"arn:aws:transcribe:{self._account.region}:{self._account.account}:transcription-job/{name}"
        require_permission(self._account, access_key, "transcribe:GetTranscriptionJob", arn)
        job = self._jobs.get(name)
        if job is None:
            raise AwsError("BadRequestException", NOT_FOUND_MESSAGE)
        if job.status == "IN_PROGRESS" and job.recognition.done():
            self._finish(job, job.recognition.result())
        return job

    def _finish(self, job: _TranscriptionJob, speech: _RecognisedSpeech | None) -> None:
        if speech is None:
            job.failure = UNSUPPORTED_MESSAGE
        elif self._faults.take(Fault.JOB_BROKEN):
            job.failure = FAILURE_MESSAGE
        else:
            name = job.request["TranscriptionJobName"]
            text = json.dumps(make_document(name, self._account.account, speech.lines, speech.speakers))
            body = text[: len(text) // 2] if self._faults.take(Fault.JOB_MALFORMED) else text
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


def _recognise(media: bytes, request: Mapping[str, Any]) -> _RecognisedSpeech | None:
    """Return the speech in a recording, or None if it is unreadable or does not have the requested format."""
    max_speakers = request.get("Settings", {}).get("MaxSpeakerLabels", 0)
    with tempfile.TemporaryDirectory(prefix="transcribe-") as folder:
        path = Path(folder, "media")
        path.write_bytes(media)
        try:
            samples = decode_file(path, [request["MediaFormat"]] if "MediaFormat" in request else DEMUXERS)
        except UnreadableMedia:
            return None
    note = find_language_note(request.get("LanguageCode", "en-US"))
    seconds = len(samples) / SAMPLE_BYTES / RATE
    lines = recognise(samples) if note is None else [SpokenLine(0, note, 0.0, seconds)]
    return _RecognisedSpeech(lines, label_speakers(lines, samples, max_speakers) if max_speakers else None)

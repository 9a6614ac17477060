"""Local Amazon Transcribe for batch jobs, with the operations `StartTranscriptionJob` and `GetTranscriptionJob`.

Meetings' workflow calls it over HTTP. It recognises English speech. As on AWS, a job reads and writes S3 with its
caller's credentials. Jobs run in the background, one after the other. Each recognised line becomes a segment of the
transcript, which has one speaker.
https://docs.aws.amazon.com/transcribe/latest/dg/diarization-output-batch.html
"""

import json
import logging
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from local.audio_formats import DEMUXERS, RATE, SAMPLE_BYTES, decode_file
from local.emulation.aws_service_server import AwsError, ServiceAccount, SignedRequest, require_permission, serve_signed
from local.emulation.faults import Fault, Faults
from local.emulation.request_validation import validate_request
from local.emulation.speech.languages import find_language_note
from local.emulation.speech.recognition import SpokenLine, recognise
from local.emulation.speech.speakers import label_speakers
from local.emulation.speech.transcript_items import TranscriptItem, join_items, split_items, time_items
from local.ffmpeg import UnreadableMedia
from local.http_server import HttpResponse

TARGET_PREFIX = "Transcribe."
CHECK_FILE = ".write_access_check_file.temp"
"""Name of an object that Transcribe writes next to the output to check the caller's permission, and never deletes."""
NOT_FOUND_MESSAGE = "The requested job couldn't be found. Check the job name and try your request again."
NAME_TAKEN_MESSAGE = "The requested job name already exists. Use a different job name."
UNSUPPORTED_MESSAGE = "Unsupported media format. Check the media format of your media file and try your request again."
FAILURE_MESSAGE = "Internal failure. Your request can't be completed. Try your request again."
CONFIDENCE = "0.998"
"""Confidence that every word gets, because the speech model states none."""
_logger = logging.getLogger("transcribe")


@dataclass
class _TranscriptionJob:
    request: Mapping[str, Any]
    s3: Any
    """S3 client with the permissions of the caller that started the job."""
    created_at: float
    """Unix time."""
    completed_at: float | None = None
    """Unix time, or None before the job has ended."""
    failure: str | None = None
    """Reason if the job has failed, otherwise None."""

    @property
    def status(self) -> str:
        if self.completed_at is None:
            return "IN_PROGRESS"
        return "COMPLETED" if self.failure is None else "FAILED"


@contextmanager
def serve(account: ServiceAccount, faults: Faults) -> Iterator[int]:
    """Serve while the `with` block runs, and yield the port. At its end, wait for the submitted jobs."""
    with (
        ThreadPoolExecutor(max_workers=1, thread_name_prefix="transcription-jobs") as worker,
        serve_signed(_TranscribeService(account, faults, worker).respond) as port,
    ):
        yield port


class _TranscribeService:
    def __init__(self, account: ServiceAccount, faults: Faults, worker: ThreadPoolExecutor) -> None:
        self._account = account
        self._faults = faults
        self._worker = worker
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
        job = self._jobs[name] = _TranscriptionJob(request, s3, time.time())
        self._worker.submit(self._run, job, media)
        return job

    def _get(self, request: Mapping[str, Any], access_key: str) -> _TranscriptionJob:
        name = request["TranscriptionJobName"]
        arn = f"arn:aws:transcribe:{self._account.region}:{self._account.account}:transcription-job/{name}"
        require_permission(self._account, access_key, "transcribe:GetTranscriptionJob", arn)
        job = self._jobs.get(name)
        if job is None:
            raise AwsError("BadRequestException", NOT_FOUND_MESSAGE)
        return job

    def _run(self, job: _TranscriptionJob, media: bytes) -> None:
        try:
            job.failure = self._transcribe(job, media)
        except Exception:  # A job fails for any unexpected error.
            _logger.exception("a transcription job failed")
            job.failure = FAILURE_MESSAGE
        job.completed_at = time.time()

    def _transcribe(self, job: _TranscriptionJob, media: bytes) -> str | None:
        """Write the transcript of a recording. Return the reason if this fails."""
        try:
            document = _make_document(job.request, self._account.account, media)
        except UnreadableMedia:
            return UNSUPPORTED_MESSAGE
        bucket, key = job.request["OutputBucketName"], job.request["OutputKey"]
        job.s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(document).encode(), ContentType="application/json")
        return None

    def _describe(self, job: _TranscriptionJob) -> dict[str, Any]:
        bucket, key = job.request["OutputBucketName"], job.request["OutputKey"]
        output = f"https://s3.{self._account.region}.amazonaws.com/{bucket}/{key}"
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


def _make_document(request: Mapping[str, Any], account: str, media: bytes) -> dict[str, Any]:
    """Return a recording's transcript in Transcribe's form. Raise UnreadableMedia if it is not in the requested format."""
    with tempfile.TemporaryDirectory(prefix="transcribe-") as folder:
        path = Path(folder, "media")
        path.write_bytes(media)
        samples = decode_file(path, [request["MediaFormat"]] if "MediaFormat" in request else DEMUXERS)
    note = find_language_note(request.get("LanguageCode", "en-US"))
    lines = (
        recognise(samples)
        if note is None
        else [SpokenLine(id=0, text=note, start=0.0, end=len(samples) / SAMPLE_BYTES / RATE)]
    )
    max_speakers = request.get("Settings", {}).get("MaxSpeakerLabels", 0)
    speakers = label_speakers(lines, samples, max_speakers) if max_speakers else None
    results = _make_results(lines, speakers)
    return {"jobName": request["TranscriptionJobName"], "accountId": account, "status": "COMPLETED", "results": results}


def _make_results(lines: Sequence[SpokenLine], speakers: Sequence[int] | None) -> dict[str, Any]:
    """Return the texts of the lines. `speakers` has a number for each line. It is None if no labels were requested."""
    labels = [{} if speakers is None else {"speaker_label": f"spk_{speakers[at]}"} for at in range(len(lines))]
    segments = [time_items(split_items(line.text), line) for line in lines]
    labelled_items = [(item, label) for segment, label in zip(segments, labels, strict=True) for item in segment]
    results: dict[str, Any] = {
        "transcripts": [{"transcript": " ".join(join_items([item.content for item in items]) for items in segments)}],
        "items": [{"id": at, **_to_item(item), **label} for at, (item, label) in enumerate(labelled_items)],
    }
    if speakers is not None:
        results["speaker_labels"] = {
            "segments": [
                {**_format_times(line), **label, "items": [{**label, **_format_times(item)} for item in _words(items)]}
                for line, items, label in zip(lines, segments, labels, strict=True)
            ],
            "channel_label": "ch_0",
            "speakers": len(set(speakers)),
        }
    return results


def _to_item(item: TranscriptItem) -> dict[str, Any]:
    if item.is_punctuation:
        return {"type": "punctuation", "alternatives": [{"confidence": "0.0", "content": item.content}]}
    alternatives = [{"confidence": CONFIDENCE, "content": item.content}]
    return {"type": "pronunciation", "alternatives": alternatives, **_format_times(item)}


def _words(items: Sequence[TranscriptItem]) -> list[TranscriptItem]:
    return [item for item in items if not item.is_punctuation]


def _format_times(part: SpokenLine | TranscriptItem) -> dict[str, str]:
    return {"start_time": str(round(part.start, 3)), "end_time": str(round(part.end, 3))}

"""Amazon Transcribe's batch API for this machine: its JSON protocol, and jobs that hear words that are tones.

It decides who may start a job and ask for one, and what is answered. `StartTranscriptionJob`, `GetTranscriptionJob` and
`ListTranscriptionJobs` are all it has.
"""

import contextlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from local.services.transcribe_jobs import Cloud, Job, Status, Throttled, Work
from local.services.transcribe_jobs_rules import BadRequest, read, wanted

SERVICE = "transcribe.amazonaws.com"
TARGET = "Transcribe."
CONTENT = "application/x-amz-json-1.1"
MAX_BODY = 1024 * 1024
MOST_LISTED = 100
IDLE_SECONDS = 10
NOT_FOUND = "The requested job couldn't be found. Check the job name and try your request again."
TAKEN = "The requested job name already exists. Use a different job name."
_CALLER = re.compile(r"Credential=([A-Za-z0-9]+)/")


class Refused(Exception):
    """An answer that is an error."""

    def __init__(self, status: HTTPStatus, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


@contextlib.contextmanager
def serve(
    cloud: Cloud, host: str = "127.0.0.1", port: int = 0, *, now: Callable[[], float] = time.time
) -> Iterator[int]:
    """Serves while the block lasts, and gives the port: a free one, unless one is asked for."""
    service = Service(cloud, Work(cloud, now))

    class Handler(_Handler):
        answer = staticmethod(service.answer)

    with ThreadingHTTPServer((host, port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@dataclass
class Service:
    """The operations."""

    cloud: Cloud
    work: Work
    jobs: dict[str, Job] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, target: str, caller: str, body: bytes) -> dict[str, Any]:
        """What a request comes to."""
        operation = target.removeprefix(TARGET)
        operations = {
            "StartTranscriptionJob": self._start,
            "GetTranscriptionJob": self._get,
            "ListTranscriptionJobs": self._list,
        }
        if operation not in operations:
            raise Refused(HTTPStatus.BAD_REQUEST, "UnknownOperationException", f"{operation} is not played here")
        try:
            with self.lock:
                return operations[operation](read(operation, json.loads(body)), caller)
        except (BadRequest, ValueError, RecursionError) as bad:
            raise Refused(HTTPStatus.BAD_REQUEST, "BadRequestException", str(bad)) from None
        except Throttled as throttled:
            raise Refused(HTTPStatus.TOO_MANY_REQUESTS, "LimitExceededException", str(throttled)) from None
        finally:
            # Not before others may ask again: whoever hears of it may want to.
            self.work.tell()

    def _start(self, request: Mapping[str, Any], caller: str) -> dict[str, Any]:
        asked = wanted(request)
        context = {"transcribe:OutputBucketName": asked.output.bucket, "transcribe:OutputKey": asked.output.key}
        self._check(caller, "transcribe:StartTranscriptionJob", "*", context)
        if asked.role is not None:
            self._check(caller, "iam:PassRole", asked.role, {"iam:PassedToService": SERVICE})
            if not self.cloud.assumable(asked.role):
                raise BadRequest(f"{asked.role} can't be assumed: it is not there, or does not trust Transcribe.")
        if asked.name in self.jobs:
            raise Refused(HTTPStatus.CONFLICT, "ConflictException", TAKEN)
        job = self.jobs[asked.name] = self.work.started(asked, caller)
        return {"TranscriptionJob": self._shown(job)}

    def _get(self, request: Mapping[str, Any], caller: str) -> dict[str, Any]:
        name = request["TranscriptionJobName"]
        arn = f"arn:aws:transcribe:{self.cloud.region}:{self.cloud.account}:transcription-job/{name}"
        self._check(caller, "transcribe:GetTranscriptionJob", arn)
        job = self.jobs.get(name)
        if job is None:
            raise BadRequest(NOT_FOUND)
        self.work.asked_for(job)
        return {"TranscriptionJob": self._shown(job)}

    def _list(self, request: Mapping[str, Any], caller: str) -> dict[str, Any]:
        self._check(caller, "transcribe:ListTranscriptionJobs", "*")
        part, status = request.get("JobNameContains", ""), request.get("Status")
        found = [
            job
            for name, job in self.jobs.items()
            if part.lower() in name.lower() and status in (None, job.status.value)
        ]
        most = min(int(request.get("MaxResults", 5)), MOST_LISTED)
        start = int(request.get("NextToken", "0"))
        left = found[start : start + most]
        more = {"NextToken": str(start + most)} if start + most < len(found) else {}
        summaries = ("TranscriptionJobName", "TranscriptionJobStatus", "LanguageCode", "CreationTime", "StartTime")
        rest = ("CompletionTime", "FailureReason")
        return {
            "TranscriptionJobSummaries": [
                {
                    **{name: one for name, one in self._shown(job).items() if name in (*summaries, *rest)},
                    "OutputLocationType": "CUSTOMER_BUCKET",
                }
                for job in left
            ],
            **more,
        }

    def _check(self, caller: str, action: str, resource: str, context: Mapping[str, str] | None = None) -> None:
        if self.cloud.denied(caller, action, resource, context or {}):
            told = f"User is not authorized to perform: {action} on resource: {resource}"
            raise Refused(HTTPStatus.BAD_REQUEST, "AccessDeniedException", told)

    def _shown(self, job: Job) -> dict[str, Any]:
        asked = job.wanted
        uri = f"https://s3.{self.cloud.region}.amazonaws.com/{asked.output.bucket}/{asked.output.key}"
        found = {
            "TranscriptionJobName": asked.name,
            "TranscriptionJobStatus": job.status.value,
            "LanguageCode": asked.language,
            "MediaSampleRateHertz": asked.sample_rate,
            "MediaFormat": asked.format,
            "Media": {"MediaFileUri": asked.media_uri},
            "Transcript": {"TranscriptFileUri": uri} if job.status is Status.COMPLETED else None,
            "StartTime": job.started,
            "CreationTime": job.created,
            "CompletionTime": job.completed,
            "FailureReason": job.failure,
            "Settings": dict(asked.settings) or None,
        }
        return {name: value for name, value in found.items() if value is not None}


def _caller(authorization: str) -> str:
    """Whose key it is. Whether the signature fits it is not looked at: nobody is on this machine but its owner."""
    found = _CALLER.search(authorization)
    if found is None:
        told = "Missing Authentication Token"
        raise Refused(HTTPStatus.BAD_REQUEST, "MissingAuthenticationTokenException", told)
    return found[1]


class _Handler(BaseHTTPRequestHandler):
    """One request a connection, as short as HTTP may be."""

    timeout = IDLE_SECONDS
    answer: Callable[[str, str, bytes], dict[str, Any]]

    def do_POST(self) -> None:
        """Answers."""
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()) or int(length) > MAX_BODY:
            self.close_connection = True
            self._send(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {"__type": "BadRequestException", "Message": "too large"})
            return
        body = self.rfile.read(int(length))
        try:
            caller = _caller(self.headers.get("Authorization", ""))
            self._send(HTTPStatus.OK, self.answer(self.headers.get("X-Amz-Target", ""), caller, body))
        except Refused as refused:
            self._send(refused.status, {"__type": refused.code, "Message": refused.message})

    def _send(self, status: HTTPStatus, body: Mapping[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", CONTENT)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class' name
        """Says nothing."""

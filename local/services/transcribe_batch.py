"""Amazon Transcribe's batch API for this machine: its JSON protocol, and jobs that hear words that are tones.

It decides who may start a job and ask for one, and what is answered. `StartTranscriptionJob`, `GetTranscriptionJob` and
`ListTranscriptionJobs` are all it has.
"""

import json
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from local.services.aws_http import Asked, Refused, serving
from local.services.transcribe_jobs import Cloud, Job, Status, Throttled, Work
from local.services.transcribe_jobs_rules import BadRequest, read, wanted

SERVICE = "transcribe.amazonaws.com"
TARGET = "Transcribe."
MOST_LISTED = 100
NOT_FOUND = "The requested job couldn't be found. Check the job name and try your request again."
TAKEN = "The requested job name already exists. Use a different job name."


def serve(cloud: Cloud, *, now: Callable[[], float] = time.time) -> AbstractContextManager[int]:
    """Serves while the block lasts, and gives the port."""
    return serving(Service(cloud, Work(cloud, now)).answer)


@dataclass
class Service:
    """The operations."""

    cloud: Cloud
    work: Work
    jobs: dict[str, Job] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, asked: Asked) -> tuple[HTTPStatus, dict[str, Any]]:
        """What a request comes to."""
        operation = asked.target.removeprefix(TARGET)
        operations = {
            "StartTranscriptionJob": self._start,
            "GetTranscriptionJob": self._get,
            "ListTranscriptionJobs": self._list,
        }
        if operation not in operations:
            raise Refused(HTTPStatus.BAD_REQUEST, "UnknownOperationException", f"{operation} is not played here")
        try:
            with self.lock:
                return HTTPStatus.OK, operations[operation](read(operation, json.loads(asked.body)), asked.caller)
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

"""AWS Elemental MediaConvert for this machine: its REST protocol, and jobs that are really done, by ffmpeg.

It decides who may create a job, which requests are one job, and what is answered. `CreateJob`, `GetJob` and `ListJobs`
are all it has. It blocks nobody: requests have threads, jobs have one of their own.
"""

import contextlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from local.services.aws_http import Asked, Refused, serving
from local.services.mediaconvert_jobs import Cloud, Job, Jobs
from local.services.mediaconvert_model import BadRequest, read, written
from local.services.mediaconvert_rules import cut

JOBS = "/2017-08-29/jobs"
TOKEN_SECONDS = 60.0
"""How long a token names the job that it made; after that, it makes another one."""
MOST_WAITING = 100
MOST_KEPT = 1000
SERVICE = "mediaconvert.amazonaws.com"


@contextlib.contextmanager
def serve(
    cloud: Cloud,
    *,
    most_waiting: int = MOST_WAITING,
    now: Callable[[], float] = time.time,
) -> Iterator[int]:
    """Serves while the block lasts, and gives the port."""
    jobs = Jobs(cloud, now)
    service = _Service(cloud, jobs, most_waiting, now)
    jobs.start()
    try:
        with serving(service.answer) as port:
            yield port
    finally:
        jobs.stop()


@dataclass
class _Service:
    cloud: Cloud
    jobs: Jobs
    most_waiting: int
    now: Callable[[], float]
    kept: dict[str, Job] = field(default_factory=dict)
    """By id, the oldest first."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, asked: Asked) -> tuple[HTTPStatus, dict[str, Any]]:
        """Status and body for a request."""
        match asked.method, asked.path.removeprefix(JOBS).split("/"):
            case _ if not asked.path.startswith(JOBS):
                raise Refused(HTTPStatus.NOT_FOUND, "NotFoundException", "The local MediaConvert has jobs only.")
            case "POST", [""]:
                return HTTPStatus.CREATED, {"job": self._create(asked.caller, asked.body)}
            case "GET", [""]:
                return HTTPStatus.OK, self._list(asked.caller, asked.query)
            case "GET", ["", job_id]:
                return HTTPStatus.OK, {"job": _shown(self._get(asked.caller, job_id))}
            case _:
                raise Refused(HTTPStatus.NOT_FOUND, "NotFoundException", "There is no such operation.")

    def _create(self, caller: str, body: bytes) -> dict[str, Any]:
        try:
            request = read("CreateJobRequest", json.loads(body))
            wanted = cut(request)
        except (BadRequest, ValueError, RecursionError) as error:
            raise _bad(str(error)) from None
        queue = self._queue(request.get("Queue"))
        role = request["Role"]
        self._check(caller, "mediaconvert:CreateJob", queue)
        self._check(caller, "iam:PassRole", role, {"iam:PassedToService": SERVICE})
        if not self.cloud.assumable(role):
            raise _bad("/role: Unable to assume role: it is not there, or does not trust MediaConvert")
        with self.lock:
            token = request.get("ClientRequestToken")
            for known in reversed(self.kept.values()):
                if token and known.request.get("ClientRequestToken") == token and self._is_fresh(known):
                    return _shown(known)
            if self.jobs.waiting >= self.most_waiting:
                raise Refused(HTTPStatus.TOO_MANY_REQUESTS, "TooManyRequestsException", "Too Many Requests")
            job_id = f"{int(self.now() * 1000)}-{secrets.token_hex(3)}"
            arn = f"arn:aws:mediaconvert:{self.cloud.region}:{self.cloud.account}:jobs/{job_id}"
            job = self.kept[job_id] = Job(job_id, arn, queue, request, wanted, self.now())
            while len(self.kept) > MOST_KEPT:
                del self.kept[next(iter(self.kept))]
        submitted = _shown(job)  # before anybody works on it
        self.jobs.submit(job)
        return submitted

    def _is_fresh(self, job: Job) -> bool:
        return self.now() - job.submitted < TOKEN_SECONDS

    def _get(self, caller: str, job_id: str) -> Job:
        arn = f"arn:aws:mediaconvert:{self.cloud.region}:{self.cloud.account}:jobs/{job_id}"
        self._check(caller, "mediaconvert:GetJob", arn)
        job = self.kept.get(job_id)
        if job is None:
            raise Refused(HTTPStatus.NOT_FOUND, "NotFoundException", "The resource you requested does not exist.")
        return job

    def _list(self, caller: str, query: Mapping[str, list[str]]) -> dict[str, Any]:
        self._check(caller, "mediaconvert:ListJobs", self._queue(None))
        with self.lock:
            found = list(self.kept.values())
        status, most = query.get("status", [None])[0], query.get("maxResults", ["20"])[0]
        if not (most.isascii() and most.isdigit() and 1 <= int(most) <= 20):
            raise _bad("/maxResults: must be from 1 to 20")
        if query.get("order", [""])[0] != "ASCENDING":
            found.reverse()
        start = query.get("nextToken", ["0"])[0]
        if not (start.isascii() and start.isdigit()):
            raise _bad("/nextToken: is none of ours")
        wanted = [job for job in found if status in (None, job.status)][int(start) :]
        more = {"nextToken": str(int(start) + int(most))} if len(wanted) > int(most) else {}
        return {"jobs": [_shown(job) for job in wanted[: int(most)]], **more}

    def _queue(self, named: str | None) -> str:
        base = f"arn:aws:mediaconvert:{self.cloud.region}:{self.cloud.account}:queues/"
        if named in (None, "Default", f"{base}Default"):
            return f"{base}Default"
        raise Refused(HTTPStatus.NOT_FOUND, "NotFoundException", "The local MediaConvert has the default queue only.")

    def _check(self, caller: str, action: str, resource: str, context: Mapping[str, str] | None = None) -> None:
        if self.cloud.denied(caller, action, resource, context or {}):
            told = f"User is not authorized to perform: {action} on resource: {resource}"
            raise Refused(HTTPStatus.FORBIDDEN, "AccessDeniedException", told)


def _shown(job: Job) -> dict[str, Any]:
    """A job as the wire has it."""
    outputs = [
        {"OutputDetails": [{"DurationInMs": one["durationInMs"]} for one in group["outputDetails"]]}
        for group in job.outputs
    ]
    found = {
        "Id": job.id,
        "Arn": job.arn,
        "Queue": job.queue_arn,
        "CreatedAt": int(job.submitted),
        "Status": job.status,
        "CurrentPhase": job.phase,
        "ErrorCode": job.error and job.error.code,
        "ErrorMessage": job.error and job.error.message,
        "OutputGroupDetails": outputs or None,
        "Timing": {
            "SubmitTime": int(job.submitted),
            "StartTime": job.started and int(job.started),
            "FinishTime": job.finished and int(job.finished),
        },
    }
    asked = ("Role", "Settings", "UserMetadata", "ClientRequestToken", "StatusUpdateInterval")
    return written("Job", {**{name: job.request.get(name) for name in asked}, **found})


def _bad(message: str) -> Refused:
    return Refused(HTTPStatus.BAD_REQUEST, "BadRequestException", message)

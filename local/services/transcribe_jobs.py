"""Amazon Transcribe's batch jobs: what they may read and write, and how they get on each time that somebody asks.

Nothing waits: a job that runs is done when it is asked for the second time. It reads and writes S3 in its caller's
name, or in a role's, so that what those may not do fails here too. Some words fail a job, as they fail a stream.
"""

import contextlib
import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from local.services.tones import Pause, Word
from local.services.transcribe_document import document, segments
from local.services.transcribe_hearing import Unheard, heard, recording
from local.services.transcribe_jobs_rules import MAX_BYTES, BadRequest, Place, Wanted

SOURCE, DETAIL_TYPE = "aws.transcribe", "Transcribe Job State Change"
UNREADABLE = "The S3 URI that you provided can't be accessed. Make sure that you have read permission and try your request again."
BROKEN = "Internal failure. Your request can't be completed. Try your request again."
UNWRITABLE = (
    "The S3 bucket that you provided can't be accessed. Make sure that you have write permission and try your request "
    "again."
)


class Fault(StrEnum):
    """What goes wrong with a job; the value is the word in its recording."""

    THROTTLED = "throttled"
    """LimitExceededException, once for each job: the next attempt starts it."""
    BROKEN = "broken"
    """The job fails."""
    ENDLESS = "endless"
    """It stays in progress for ever."""
    MALFORMED = "malformed"
    """What it writes breaks off in its middle."""


class Status(StrEnum):
    """How far a job is."""

    QUEUED = "QUEUED"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


class Cloud(Protocol):
    """The AWS around it."""

    account: str
    region: str

    def denied(self, access_key: str, action: str, resource: str, context: Mapping[str, str]) -> bool:
        """Whether a caller may not do something."""
        ...

    def assumable(self, role_arn: str) -> bool:
        """Whether there is such a role, and it trusts Transcribe."""
        ...

    def s3_of_caller(self, access_key: str) -> Any:
        """A client in the name of a caller."""
        ...

    def s3_of_role(self, role_arn: str, name: str) -> Any:
        """A client in the name of a role."""
        ...

    def emit(self, source: str, detail_type: str, detail: Mapping[str, Any], resource: str) -> None:
        """Puts an event on the default bus."""
        ...


class Throttled(Exception):
    """What Transcribe answers with LimitExceededException."""


@dataclass
class Job:
    """One job."""

    wanted: Wanted
    s3: Any
    status: Status
    created: float
    started: float | None = None
    completed: float | None = None
    failure: str | None = None
    asked: int = 0
    """How often somebody has asked for it while it ran."""


class Work:
    """Does jobs."""

    def __init__(self, cloud: Cloud, now: Callable[[], float]) -> None:
        self._cloud = cloud
        self._now = now
        self._throttled: set[str] = set()
        self._untold: list[dict[str, str]] = []

    def started(self, wanted: Wanted, access_key: str) -> Job:
        """A job that begins; raises BadRequest and Throttled."""
        role = wanted.role
        s3 = self._cloud.s3_of_caller(access_key) if role is None else self._cloud.s3_of_role(role, wanted.name)
        _check_media(s3, wanted.media)
        _check_output(s3, wanted.check_file)
        if wanted.name not in self._throttled and Fault.THROTTLED in self._words(s3, wanted):
            self._throttled.add(wanted.name)
            raise Throttled("Rate exceeded")
        now = self._now()
        if wanted.deferred:
            return Job(wanted, s3, Status.QUEUED, now)
        return Job(wanted, s3, Status.IN_PROGRESS, now, started=now)

    def asked_for(self, job: Job) -> None:
        """Has a job get on."""
        if job.status is Status.QUEUED:
            job.asked += 1
            if job.asked > 1:
                job.status, job.started, job.asked = Status.IN_PROGRESS, self._now(), 0
        elif job.status is Status.IN_PROGRESS:
            job.asked += 1
            if job.asked > 1:
                self._finish(job)

    def _finish(self, job: Job) -> None:
        try:
            said = self._heard(job.s3, job.wanted)
            words = {one.text for one in said if isinstance(one, Word)}
            if Fault.ENDLESS in words:
                return
            if Fault.BROKEN in words:
                job.failure = BROKEN
            else:
                text = self._written(job.wanted, said)
                _write(job.s3, job.wanted.output, text[: len(text) // 2] if Fault.MALFORMED in words else text)
        except Unheard as unheard:
            job.failure = str(unheard)
        job.status = Status.COMPLETED if job.failure is None else Status.FAILED
        job.completed = self._now()
        self._untold.append({"TranscriptionJobName": job.wanted.name, "TranscriptionJobStatus": job.status.value})

    def tell(self) -> None:
        """Has the bus hear of what has ended since."""
        while self._untold:
            self._cloud.emit(SOURCE, DETAIL_TYPE, self._untold.pop(0), "")

    def _written(self, wanted: Wanted, said: list[Word | Pause]) -> str:
        parts = segments(said, wanted.speakers)
        return json.dumps(document(wanted.name, self._cloud.account, parts, labelled=wanted.speakers > 0))

    def _words(self, s3: Any, wanted: Wanted) -> set[str]:
        with contextlib.suppress(Unheard):
            return {one.text for one in self._heard(s3, wanted) if isinstance(one, Word)}
        return set()

    @staticmethod
    def _heard(s3: Any, wanted: Wanted) -> list[Word | Pause]:
        with tempfile.TemporaryDirectory(prefix="transcribe-") as folder:
            path = Path(folder, "media")
            try:
                s3.download_file(wanted.media.bucket, wanted.media.key, str(path))
            except (ClientError, BotoCoreError):
                raise Unheard(UNREADABLE) from None
            return list(heard(recording(path, wanted.format, wanted.sample_rate)))


def _check_media(s3: Any, media: Place) -> None:
    try:
        size = s3.head_object(Bucket=media.bucket, Key=media.key)["ContentLength"]
    except (ClientError, BotoCoreError):
        raise BadRequest(UNREADABLE) from None
    if size > MAX_BYTES:
        most = f"{MAX_BYTES / 1024**2:.2f}"
        raise BadRequest(
            f"The input file that you specified exceeds the maximum size of {most} Mb. Try again with a smaller file."
        )


def _check_output(s3: Any, place: Place) -> None:
    try:
        s3.put_object(Bucket=place.bucket, Key=place.key, Body=b"")
    except (ClientError, BotoCoreError):
        raise BadRequest(UNWRITABLE) from None


def _write(s3: Any, place: Place, text: str) -> None:
    try:
        s3.put_object(Bucket=place.bucket, Key=place.key, Body=text.encode(), ContentType="application/json")
    except (ClientError, BotoCoreError):
        raise Unheard(UNWRITABLE) from None

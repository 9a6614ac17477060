"""Jobs of the local MediaConvert: kept, done one after the other in a thread of their own, and told about as they go.

A job reads and writes S3 in the name of its role, so that what the role may not do fails here too. Its numbers for what
goes wrong are the service's: https://docs.aws.amazon.com/mediaconvert/latest/ug/mediaconvert_error_codes.html
"""

import queue
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from local.services.mediaconvert_cutting import Cutter, Made, NoPictures, Stopped, Unreadable
from local.services.mediaconvert_rules import Cut

DETAIL_TYPE = "MediaConvert Job State Change"
SOURCE = "aws.mediaconvert"
MAX_BYTES = 2 * 1024**3
PIECE = 1024 * 1024
DENIED = frozenset({"AccessDenied", "403", "AllAccessDisabled"})
ABSENT = frozenset({"NoSuchKey", "NoSuchBucket", "404"})
CANNOT_OPEN, NO_ACCESS, NOT_FOUND, UNKNOWN = 1010, 1401, 1404, 1999


class Cloud(Protocol):
    """The AWS around it."""

    account: str
    region: str

    def denied(self, access_key: str, action: str, resource: str, context: Mapping[str, str]) -> bool:
        """Whether a caller may not do something."""
        ...

    def assumable(self, role_arn: str) -> bool:
        """Whether there is such a role, and it trusts MediaConvert."""
        ...

    def s3(self, role_arn: str, job_id: str) -> Any:
        """A client in the name of a role."""
        ...

    def emit(self, source: str, detail_type: str, detail: Mapping[str, Any], resource: str) -> None:
        """Puts an event on the default bus."""
        ...


class JobFailed(Exception):
    """A job ends in ERROR."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass
class Job:
    """One job. Its status is written by the thread that does it, and read by others."""

    id: str
    arn: str
    queue_arn: str
    request: Mapping[str, Any]
    cut: Cut
    submitted: float
    status: str = "SUBMITTED"
    phase: str | None = None
    started: float | None = None
    finished: float | None = None
    error: JobFailed | None = None
    outputs: list[dict[str, Any]] = field(default_factory=list)
    """As events have them."""


class Jobs:
    """Does jobs in the order that they came."""

    def __init__(self, cloud: Cloud, now: Callable[[], float]) -> None:
        self._cloud = cloud
        self._now = now
        self._waiting: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._cutter = Cutter()
        self._thread = threading.Thread(target=self._work, name="mediaconvert", daemon=True)

    def start(self) -> None:
        """Begins to work."""
        self._thread.start()

    def stop(self) -> None:
        """Ends at once, in the middle of a job too."""
        self._stopped.set()
        self._cutter.stop()
        self._waiting.put(None)
        self._thread.join()

    def submit(self, job: Job) -> None:
        """Puts a job behind the others."""
        self._waiting.put(job)

    @property
    def waiting(self) -> int:
        """How many have not begun."""
        return self._waiting.qsize()

    def _work(self) -> None:
        while (job := self._waiting.get()) is not None and not self._stopped.is_set():
            try:
                self._do(job)
            except Stopped:
                return
            except JobFailed as failed:
                self._end(job, "ERROR", failed)
            except Exception as error:  # noqa: BLE001 - one job's failure must not end the service
                self._end(job, "ERROR", JobFailed(UNKNOWN, f"Unexpected error: {type(error).__name__}"))

    def _do(self, job: Job) -> None:
        job.started, job.status, job.phase = self._now(), "PROGRESSING", "PROBING"
        self._tell(job, "PROGRESSING")
        with tempfile.TemporaryDirectory(prefix="mediaconvert-") as scratch:
            s3 = self._cloud.s3(job.request["Role"], job.id)
            source, folder = Path(scratch, "input"), Path(scratch, "outputs")
            folder.mkdir()
            _fetch(s3, job.cut, source)
            job.phase = "TRANSCODING"
            made = self._cut(source, folder, job.cut)
            job.phase = "UPLOADING"
            progress = {"currentPhase": job.phase, "jobPercentComplete": 99, "retryCount": 0}
            self._tell(job, "STATUS_UPDATE", jobProgress=progress)
            job.outputs = _upload(s3, job.cut, made)
        self._end(job, "COMPLETE", None)

    def _cut(self, source: Path, folder: Path, wanted: Cut) -> Made:
        try:
            return self._cutter.cut(source, folder, wanted)
        except Unreadable:
            told = f"Unable to open input file [{wanted.input_uri}]: [Failed probe/open: [No decodable media found]]"
            raise JobFailed(CANNOT_OPEN, told) from None
        except NoPictures:
            told = f"Unable to open input file [{wanted.input_uri}]: [Failed probe/open: [No video track found]]"
            raise JobFailed(CANNOT_OPEN, told) from None

    def _end(self, job: Job, status: str, error: JobFailed | None) -> None:
        job.error, job.finished, job.status, job.phase = error, self._now(), status, None
        if error is not None:
            self._tell(job, status, errorCode=error.code, errorMessage=error.message)
        else:
            self._tell(job, status, outputGroupDetails=job.outputs, paddingInserted=0, blackVideoDetected=0)

    def _tell(self, job: Job, status: str, **more: Any) -> None:
        detail = {
            "timestamp": int(self._now() * 1000),
            "accountId": self._cloud.account,
            "queue": job.queue_arn,
            "jobId": job.id,
            "status": status,
            "userMetadata": dict(job.request.get("UserMetadata", {})),
            **more,
        }
        self._cloud.emit(SOURCE, DETAIL_TYPE, detail, job.arn)


def _fetch(s3: Any, wanted: Cut, target: Path) -> None:
    try:
        answer = s3.get_object(Bucket=wanted.input_bucket, Key=wanted.input_key)
        with answer["Body"] as body, target.open("wb") as file:
            size = 0
            while piece := body.read(PIECE):
                size += len(piece)
                if size > MAX_BYTES:
                    raise JobFailed(CANNOT_OPEN, f"The local MediaConvert reads up to {MAX_BYTES} bytes")
                file.write(piece)
    except (ClientError, BotoCoreError) as error:
        raise _of_s3(error, wanted.input_uri) from None


def _upload(s3: Any, wanted: Cut, made: Made) -> list[dict[str, Any]]:
    """Writes everything, what is named first, before what names it; what became of it, as events have it."""
    name, top = f"{wanted.base}{wanted.modifier}.m3u8", f"{wanted.base}.m3u8"
    try:
        for segment, path in made.segments.items():
            _put(s3, wanted, segment, path.read_bytes(), "video/MP2T")
        _put(s3, wanted, name, made.playlist.encode(), "application/vnd.apple.mpegurl")
        if top != name:
            bandwidth = wanted.video.max_bitrate if wanted.video and wanted.video.max_bitrate else 1_000_000
            text = f"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-STREAM-INF:BANDWIDTH={bandwidth}\n{name}\n"
            _put(s3, wanted, top, text.encode(), "application/vnd.apple.mpegurl")
    except (ClientError, BotoCoreError) as error:
        raise _of_s3(error, wanted.output_uri("")) from None
    output: dict[str, Any] = {"outputFilePaths": [wanted.output_uri(name)], "durationInMs": made.duration_ms}
    if made.size is not None:
        output["videoDetails"] = {"widthInPx": made.size[0], "heightInPx": made.size[1]}
    return [{"outputDetails": [output], "playlistFilePaths": [wanted.output_uri(top)], "type": "HLS_GROUP"}]


def _put(s3: Any, wanted: Cut, name: str, data: bytes, content_type: str) -> None:
    key = wanted.output_prefix + name
    s3.put_object(Bucket=wanted.output_bucket, Key=key, Body=data, ContentType=content_type)


def _of_s3(error: Exception, uri: str) -> JobFailed:
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
    if code in DENIED:
        return JobFailed(NO_ACCESS, f"Access denied: [{uri}]")
    if code in ABSENT:
        return JobFailed(NOT_FOUND, f"Not found: [{uri}]")
    return JobFailed(UNKNOWN, f"S3 error {code}: [{uri}]")

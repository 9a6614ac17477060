"""User who records meetings in end-to-end tests: uploads the recordings and waits for their results.

A recording consists of one or more files, its chunks. Its content is a hash of the chunks.
"""

import base64
import hashlib
import json
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import imageio_ffmpeg

from clients.meetings import MeetingsClient, MeetingUnknown, NewMeeting
from clients.meetings.recording_upload import chunk_name
from clients.meetings.user_credentials import UserAccess
from handlers.meetings.meeting_record import MeetingRecord, MeetingStatus, Stage
from handlers.meetings.s3_keys import COMPLETE_FILE_NAME, MeetingId
from handlers.meetings.upload_completion_file import Chunk, ChunkProblem
from local.flows import eventually
from local.flows.meetings_client import MeetingsBackend, write_recording

SPOT, ON_DEMAND = "polyphony-local-meetings-media-spot", "polyphony-local-meetings-media-on-demand"
"""Job queues of the media job."""
MAX_WAIT_SECONDS = 90
"""Maximum time until a meeting is processed. Several meetings are processed at once by real processes."""
FINAL_STATUSES = (MeetingStatus.READY, MeetingStatus.FAILED)


@dataclass(frozen=True)
class Recorder:
    """User who records and uploads meetings with the real client of the backend."""

    meetings: MeetingsBackend
    subject: str
    """Name of the user in the identity provider's tokens."""
    folder: Path

    @cached_property
    def client(self) -> MeetingsClient:
        return self.meetings.client_of_user(self.subject)

    @cached_property
    def credentials(self) -> UserAccess:
        """AWS clients with the user's credentials."""
        return self.meetings.open_access(self.subject)

    def record_speech(self, *clips: str) -> list[Path]:
        """Record a chunk for each clip of speech."""
        return [write_recording(self._new_path(), clip) for clip in clips]

    def record_audio(self, clip: str) -> Path:
        """Record a chunk without video. Next to other chunks, it forces the video to be encoded."""
        return write_recording(self._new_path(), clip, pictures=False)

    def record_video_only(self) -> list[Path]:
        return [self._run_ffmpeg("-f", "lavfi", "-i", "testsrc2=size=320x240:rate=5", "-t", "1", "-pix_fmt", "yuv420p")]

    def record_silence(self) -> list[Path]:
        """Record a chunk with audio but without speech."""
        return [self._run_ffmpeg("-f", "lavfi", "-i", "anullsrc=r=16000:cl=mono", "-t", "2", "-c:a", "aac")]

    def write_invalid_chunk(self) -> list[Path]:
        """Write a chunk that is no media file."""
        path = self._new_path()
        path.write_bytes(b"no media at all" * 100)
        return [path]

    def upload(self, chunks: Sequence[Path], meeting: NewMeeting | None = None) -> str:
        return self.client.upload(meeting or new_meeting(), chunks).meeting_id

    def upload_partially(
        self, meeting: NewMeeting, chunks: Sequence[Path], uploaded_contents: Iterable[bytes | None]
    ) -> None:
        """Upload `complete.json` and some of the chunks that it lists. A chunk whose content is None is not uploaded."""
        uploaded = MeetingId(self.credentials.user, meeting.meeting_id)
        names = [chunk_name(number, path) for number, path in enumerate(chunks)]
        for name, content in zip(names, uploaded_contents, strict=True):
            if content is not None:
                self.put(uploaded.upload_key(name), content)
        listed_chunks = [
            Chunk(name=name, bytes=path.stat().st_size, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
            for name, path in zip(names, chunks, strict=True)
        ]
        self.put(
            uploaded.upload_key(COMPLETE_FILE_NAME),
            meeting.to_complete_file(listed_chunks).model_dump_json(by_alias=True).encode(),
        )

    def put(self, key: str, content: bytes) -> None:
        checksum = base64.b64encode(hashlib.sha256(content).digest()).decode()
        self.credentials.s3.put_object(Bucket=self.credentials.bucket, Key=key, Body=content, ChecksumSHA256=checksum)

    def wait_for_status(self, meeting_id: str, *statuses: MeetingStatus) -> MeetingRecord:
        """Wait until the meeting has one of these statuses, by default ready or failed."""
        return eventually(
            lambda: self._read_with_status(meeting_id, statuses or FINAL_STATUSES),
            "the final status of the meeting",
            MAX_WAIT_SECONDS,
        )

    def wait_for_wrong_chunks(self, meeting_id: str, problem: ChunkProblem) -> list[str]:
        """Wait until the meeting lists chunks with this problem; return their names."""

        def find_chunks() -> list[str]:
            record = self._read_with_status(meeting_id, (MeetingStatus.INCOMPLETE,))
            return [] if record is None else [chunk.name for chunk in record.wrong if chunk.problem is problem]

        return eventually(lambda: find_chunks() or None, f"a chunk with the problem {problem}", MAX_WAIT_SECONDS)

    def wait_for_media_job(self, meeting_id: str) -> MeetingRecord:
        """Wait until the meeting's media job has ended."""

        def find_processed() -> MeetingRecord | None:
            record = self._read_with_status(meeting_id, tuple(MeetingStatus))
            is_waiting = record is None or record.status is MeetingStatus.INCOMPLETE or record.stage is Stage.MEDIA
            return None if is_waiting else record

        return eventually(find_processed, "the end of the media job", MAX_WAIT_SECONDS)

    def _read_with_status(self, meeting_id: str, statuses: tuple[MeetingStatus, ...]) -> MeetingRecord | None:
        try:
            record = self.client.get(meeting_id)
        except MeetingUnknown:
            return None
        return record if record.status in statuses else None

    def _run_ffmpeg(self, *arguments: str) -> Path:
        path = self._new_path()
        ffmpeg = (imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-loglevel", "error", "-y")
        subprocess.run([*ffmpeg, *arguments, str(path)], capture_output=True, check=True)  # noqa: S603 - the arguments are constants
        return path

    def _new_path(self) -> Path:
        return self.folder / f"{new_meeting().meeting_id}.mp4"


def new_meeting(title: str = "A meeting", **details: Any) -> NewMeeting:
    return NewMeeting(title=title, started_at=datetime.now(UTC), **details)


@dataclass(frozen=True)
class JobHistory:
    """History of a meeting's media jobs."""

    queues: tuple[str, ...]
    """Queues to which the jobs were submitted, in order."""
    lines: tuple[str, ...]
    """Log messages of all attempts."""
    attempts: tuple[int, ...]
    """Number of attempts of each job."""
    reasons: tuple[str, ...]
    """Status reason of each job."""


def read_job_history(meetings: MeetingsBackend, record: MeetingRecord) -> JobHistory:
    """Return the history from AWS Batch and CloudWatch Logs."""
    batch, logs = meetings.client("batch"), meetings.client("logs")
    meeting_variable = {"name": "MEETING_ID", "value": record.meeting_id}
    summaries = [
        summary
        for queue in batch.describe_job_queues()["jobQueues"]
        for status in ("SUCCEEDED", "FAILED")
        for summary in batch.list_jobs(jobQueue=queue["jobQueueName"], jobStatus=status)["jobSummaryList"]
    ]
    described = batch.describe_jobs(jobs=[summary["jobId"] for summary in summaries])["jobs"]
    jobs = [job for job in described if meeting_variable in job["container"]["environment"]]
    jobs.sort(key=lambda job: job["createdAt"])
    lines: list[str] = []
    for job in jobs:
        for attempt in job["attempts"]:
            log_page = logs.get_log_events(
                logGroupName=job["container"]["logConfiguration"]["options"]["awslogs-group"],
                logStreamName=attempt["container"]["logStreamName"],
            )
            lines += [str(json.loads(event["message"]).get("message")) for event in log_page["events"]]
    return JobHistory(
        queues=tuple(job["jobQueue"].rpartition("/")[2] for job in jobs),
        lines=tuple(lines),
        attempts=tuple(len(job["attempts"]) for job in jobs),
        reasons=tuple(job["statusReason"] for job in jobs),
    )

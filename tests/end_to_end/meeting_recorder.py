"""User who records meetings in end-to-end tests: uploads the recordings and waits for their results.

A recording consists of one or more files, its chunks. Its content is a hash of the chunks.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from handlers.common.ids import new_id
from handlers.meetings.record import MeetingRecord, MeetingStatus
from handlers.meetings.recording_files import ChunkProblem, MeetingReason
from local.ffmpeg import run_ffmpeg
from local.flows import eventually
from local.flows.meetings_client import write_recording
from local.flows.meetings_user import MeetingsUser, NewMeeting, chunk_names
from tests.end_to_end.backends import DeployedMeetings

SPOT, ON_DEMAND = "polyphony-local-meetings-media-spot", "polyphony-local-meetings-media-on-demand"
"""Job queues of the media job."""
MAX_WAIT_SECONDS = 90
"""Maximum time until a meeting is processed. Several meetings are processed at once by real processes."""


@dataclass(frozen=True)
class Recorder:
    """User who records and uploads meetings."""

    meetings: DeployedMeetings
    subject: str
    """Name of the user in the identity provider's tokens."""
    folder: Path

    @cached_property
    def client(self) -> MeetingsUser:
        """AWS clients with the user's credentials."""
        return self.meetings.open_access(self.subject)

    def record_speech(self, *clips: str) -> list[Path]:
        """Record a chunk for each clip of speech."""
        return [write_recording(self._new_path(), clip) for clip in clips]

    def record_audio(self, clip: str) -> Path:
        """Record a chunk without video. Next to other chunks, it forces the video to be encoded."""
        return write_recording(self._new_path(), clip, pictures=False)

    def record_video_only(self) -> list[Path]:
        path = self._new_path()
        run_ffmpeg(*("-f", "lavfi", "-i", "testsrc2=size=320x240:rate=5", "-t", "1", "-pix_fmt", "yuv420p"), str(path))
        return [path]

    def upload(self, chunks: Sequence[Path]) -> str:
        """Upload the chunks and `complete.json` of a new meeting. Return its id."""
        meeting = NewMeeting()
        self.client.upload(meeting, chunks)
        return meeting.meeting_id

    def upload_partially(
        self, meeting: NewMeeting, chunks: Sequence[Path], uploaded_contents: Iterable[bytes | None]
    ) -> None:
        """Upload `complete.json` and some of the chunks that it lists. A chunk whose content is None is not uploaded."""
        for name, content in zip(chunk_names(chunks), uploaded_contents, strict=True):
            if content is not None:
                self.client.put(meeting.meeting_id, name, content)
        self.client.complete(meeting, chunks)

    def wait_for_status(self, meeting_id: str, *statuses: MeetingStatus, content: str | None = None) -> MeetingRecord:
        """Wait until the meeting has one of these statuses, by default ready or failed."""
        return self.client.wait_for_status(meeting_id, *statuses, content=content, seconds=MAX_WAIT_SECONDS)

    def wait_for_wrong_chunks(self, meeting_id: str, problem: ChunkProblem) -> list[str]:
        """Wait until the meeting lists chunks with this problem; return their names."""

        def find_chunks() -> list[str] | None:
            record = self.client.find(meeting_id)
            if record is None or record.reason is not MeetingReason.INCOMPLETE:
                return None
            return [chunk.name for chunk in record.wrong if chunk.problem is problem] or None

        return eventually(find_chunks, f"a chunk with the problem {problem}", MAX_WAIT_SECONDS)

    def _new_path(self) -> Path:
        return self.folder / f"{new_id()}.mp4"


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


def read_job_history(meetings: DeployedMeetings, record: MeetingRecord) -> JobHistory:
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

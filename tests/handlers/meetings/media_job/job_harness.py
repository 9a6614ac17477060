"""Harness for tests of the media job, which joins the chunks of a recording to a video and extracts the audio.

moto emulates the bucket. The job runs a real ffmpeg through a wrapper that logs its arguments. Texts of clients contain
the word "canary", so that tests can search for them in logs and output.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from handlers.common.logging import EventLog
from handlers.meetings.environment import RECORDING_VARIABLES, MediaEnvironment
from handlers.meetings.media_job.ffmpeg import Ffmpeg
from handlers.meetings.media_job.job import MediaJob
from handlers.meetings.meeting_bucket import MeetingBucket
from handlers.meetings.recording_files import MediaResult, MeetingReason
from handlers.meetings.s3_keys import Recording
from tests.handlers.meetings.media_job import sample_videos
from tests.handlers.meetings.meeting_harness import BUCKET, MEETING, MeetingHarness


@dataclass
class JobHarness:
    """A bucket with one recording, and the jobs that process it."""

    meetings: MeetingHarness
    folder: Path
    recording: Recording = field(init=False)
    """The recording that was uploaded last."""

    def __post_init__(self) -> None:
        self.scratch.mkdir()
        self.program.write_text(f'#!/bin/sh\necho "$@" >> {self.folder}/runs\nexec {sample_videos.FFMPEG} "$@"\n')
        self.program.chmod(0o755)

    @property
    def s3(self) -> Any:
        return self.meetings.s3

    @property
    def scratch(self) -> Path:
        """Working folder of the jobs."""
        return self.folder / "scratch"

    @property
    def program(self) -> Path:
        """Script that logs its arguments and runs ffmpeg. A test may replace its text."""
        return self.folder / "ffmpeg"

    @property
    def ffmpeg_runs(self) -> list[str]:
        """Arguments of each ffmpeg run."""
        log = self.folder / "runs"
        return log.read_text().splitlines() if log.exists() else []

    @property
    def has_copied_video(self) -> bool:
        """True if there is a video, and no job has encoded the chunks' videos."""
        return bool(self.keys("video/")) and not any("libx264" in run for run in self.ffmpeg_runs)

    @property
    def variables(self) -> dict[str, str]:
        """Environment variables of a job."""
        return {
            "BUCKET_NAME": BUCKET,
            "SCRATCH_FOLDER": os.fspath(self.scratch),
            "FFMPEG": os.fspath(self.program),
            "SCRATCH_MB": "16000",
            "MAX_HOURS": "12",
            **dict(zip(RECORDING_VARIABLES, (MEETING.user, MEETING.meeting_id, self.recording.content), strict=True)),
        }

    def upload(self, *chunks: bytes, **changed: Any) -> None:
        """Upload chunks and the file `complete.json`, which lists them."""
        self.meetings.upload_chunks(*chunks)
        self.recording = self.meetings.upload_complete_json(*chunks, has_event=False, **changed)

    def put_upload(self, name: str, body: bytes) -> None:
        self.meetings.put_object(MEETING.upload_key(name), body)

    def delete(self, key: str) -> None:
        self.s3.delete_object(Bucket=BUCKET, Key=key)

    def create_job(self, **settings: object) -> MediaJob:
        """Return a job. `settings` are variables that replace the usual variables, and may have any value."""
        environment = MediaEnvironment.model_validate(self.variables).model_copy(update=settings)
        ffmpeg = Ffmpeg(environment.ffmpeg, self.scratch)
        return MediaJob(environment, MeetingBucket(self.s3, BUCKET), ffmpeg, EventLog("DEBUG"))

    def run(self, **settings: object) -> MediaResult:
        """Run a job; check that it stored its result, and return the result."""
        result = self.create_job(**settings).run()
        assert MediaResult.model_validate_json(self.read_object(self.recording.media_result_key)) == result
        return result

    def find_wrong(self, result: MediaResult) -> tuple[MeetingReason | None, dict[str, str]]:
        """Return the reason, and the problem of each wrong file by its name. Check that nothing else was written."""
        assert self.keys("video/") + self.keys("audio/") == []
        assert (result.has_video, result.audio, result.duration_ms, result.ffmpeg_ms) == (False, (), 0, 0)
        return result.reason, {file.name: file.problem for file in result.wrong}

    def read_object(self, key: str) -> bytes:
        return self.meetings.read_object(key) or b""

    def keys(self, prefix: str) -> list[str]:
        return [item["Key"] for item in self.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])]

    def download(self, key: str) -> Path:
        """Download an object; return the path of the file, which the next download replaces."""
        path = self.folder / "downloaded"
        path.write_bytes(self.read_object(key))
        return path

    def download_video(self) -> Path:
        return self.download(self.recording.video_key)

    def video_beeps(self) -> list[float]:
        """Start of each beep in the video's soundtrack, in seconds."""
        return sample_videos.beep_times(sample_videos.decode_samples(self.download_video()))

    def audio_beeps(self) -> list[float]:
        """Start of each beep in the first part of the audio, in seconds."""
        return sample_videos.beep_times(sample_videos.decode_samples(self.download(self.recording.audio_key(0))))

    def flash_times(self) -> list[float]:
        """Times in seconds at which the video changes between black and white."""
        return sample_videos.flash_times(self.download_video())

    def describe_video(self) -> str:
        """Return ffmpeg's description of the video."""
        return sample_videos.describe_file(self.download_video())

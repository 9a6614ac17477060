"""Harness for tests of the media job, which joins the chunks of a recording to a video and extracts the audio.

moto emulates the bucket. The job runs a real ffmpeg through a wrapper that logs its arguments. Audio is stored in
parts, one for each job of Amazon Transcribe. Video that must be encoded is stored in pieces until all are joined.

Texts of clients contain the word "canary", so that tests can search for them in logs and output.
"""

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from handlers.common.aws import ParallelCalls
from handlers.common.logging import EventLog
from handlers.meetings.media_job.chunk_facts import SECOND
from handlers.meetings.media_job.ffmpeg import Ffmpeg
from handlers.meetings.media_job.job import MediaJob, MediaJobSettings
from handlers.meetings.media_job.job_bucket import JobBucket
from handlers.meetings.media_job.job_termination import JobTermination
from handlers.meetings.media_job.media_output_plan import PlanLimits
from handlers.meetings.media_result import MediaResult
from handlers.meetings.s3_keys import MeetingId, Recording
from handlers.meetings.upload_completion_file import Chunk, CompleteFile
from tests.handlers.meetings.media_job import sample_videos

BUCKET = "recordings"
MEETING = MeetingId("A" * 32, "01ARZ3NDEKTSV4RRFFQ69G5FAV")
LIMITS = PlanLimits(max_part=600 * SECOND, max_piece=300 * SECOND, max_recording=3600 * SECOND)


@dataclass
class JobHarness:
    """A bucket with one recording, and the jobs that process it. A test may set the limits of the jobs."""

    s3: Any
    folder: Path
    limits: PlanLimits = LIMITS
    scratch_bytes: int = 100_000_000
    termination: JobTermination = field(default_factory=JobTermination)
    complete_file: CompleteFile | None = None

    @property
    def recording(self) -> Recording:
        assert self.complete_file is not None
        return Recording(MEETING, self.complete_file.content)

    @property
    def logging_ffmpeg(self) -> Path:
        """Path of a wrapper that runs ffmpeg and logs its arguments. A test may replace its text."""
        path, log = self.folder / "ffmpeg", self.folder / "ffmpeg.log"
        if not path.exists():
            path.write_text(f'#!/bin/sh\necho "$@" >> {log}\nexec {sample_videos.FFMPEG} "$@"\n')
            path.chmod(0o755)
        return path

    @property
    def ffmpeg_runs(self) -> list[str]:
        """Arguments of each ffmpeg run.

        A run with `libx264` encodes a piece of video. A run with `-c:a flac` creates a part of the audio. A run with
        `framecrc` probes a file.
        """
        log = self.folder / "ffmpeg.log"
        return log.read_text().splitlines() if log.exists() else []

    def upload(self, *chunks: bytes) -> Recording:
        """Upload chunks and the file `complete.json`, which lists them."""
        listed = []
        for number, chunk in enumerate(chunks):
            name = f"canary-{number:03d}.bin"
            self.put_upload(name, chunk)
            listed.append(Chunk(name=name, bytes=len(chunk), sha256=hashlib.sha256(chunk).hexdigest()))
        return self.upload_complete_json(*listed)

    def upload_complete_json(self, *chunks: Chunk) -> Recording:
        """Upload a `complete.json` that lists these chunks."""
        self.complete_file = CompleteFile(
            schema_version=1, title="canary title", started_at="2026-01-02T03:04:05.678Z", chunks=chunks
        )
        self.put_upload("complete.json", self.complete_file.model_dump_json(by_alias=True).encode())
        return self.recording

    def put_upload(self, name: str, body: bytes) -> None:
        self.s3.put_object(Bucket=BUCKET, Key=MEETING.upload_prefix + name, Body=body)

    def delete_upload(self, name: str) -> None:
        self.s3.delete_object(Bucket=BUCKET, Key=MEETING.upload_prefix + name)

    def create_job(self) -> MediaJob:
        scratch = self.folder / "scratch"
        scratch.mkdir(exist_ok=True)
        return MediaJob(
            self.recording,
            JobBucket(self.s3, BUCKET, self.termination),
            Ffmpeg(os.fspath(self.logging_ffmpeg), scratch, self.termination),
            MediaJobSettings(self.limits, self.scratch_bytes, threads=1),
            parallel=ParallelCalls(1),
            log=EventLog("DEBUG"),
        )

    def run(self) -> MediaResult:
        """Run a job; check that it stored its result, and return the result."""
        result = self.create_job().run()
        assert MediaResult.model_validate_json(self.read_object(self.recording.media_result_key)) == result
        return result

    def read_object(self, key: str) -> bytes:
        body: bytes = self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return body

    def download(self, key: str) -> Path:
        """Download an object; return the path of the file, which the next download replaces."""
        path = self.folder / "downloaded"
        path.write_bytes(self.read_object(key))
        return path

    def keys(self, prefix: str) -> list[str]:
        return [item["Key"] for item in self.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])]

    def runs_that_probe_chunks(self, skipped_runs: int) -> list[str]:
        """Return the ffmpeg runs that probe a chunk, without the given number of runs at the beginning."""
        return [run for run in self.ffmpeg_runs[skipped_runs:] if "framecrc" in run and "chunk-" in run]

    def piece_keys(self) -> list[str]:
        """Keys of the encoded pieces of the video."""
        return self.keys(f"{self.recording.media_work_prefix}pieces/")

    def video_beeps(self) -> list[float]:
        """Start of each beep in the video's soundtrack, in seconds."""
        return self._beep_times(self.recording.video_key)

    def audio_beeps(self) -> list[float]:
        """Start of each beep in the first part of the audio, in seconds."""
        return self._beep_times(self.recording.audio_key(0))

    def _beep_times(self, key: str) -> list[float]:
        return sample_videos.beep_times(sample_videos.decode_samples(self.download(key)))

    def flash_times(self) -> list[float]:
        """Times in seconds at which the video changes between black and white."""
        return sample_videos.flash_times(self.download(self.recording.video_key))

    def describe_video(self) -> str:
        """Return ffmpeg's description of the video."""
        return sample_videos.describe_file(self.download(self.recording.video_key))

    def multipart_uploads(self) -> list[Any]:
        """Multipart uploads that were neither completed nor aborted."""
        return list(self.s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []))

    def wrong_files(self, result: MediaResult) -> dict[str, str]:
        """Return the problem of each wrong file by its name. A file is a chunk or `complete.json`."""
        return {file.name: file.problem.value for file in result.wrong}

"""Benchmark of the time, memory and disk space of the meetings' media job, which joins the files of a recording into one
video and extracts the audio.

The job runs in a separate process and encodes with one thread. S3 is the local emulator. The benchmark encodes 20 seconds
of video, and repeats them without encoding for a long recording. So the recording is created quickly.
"""

import argparse
import hashlib
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import imageio_ffmpeg

from benchmarks.benchmark_report import WrongResult, print_heading, print_table
from benchmarks.process_use import MB, run_process
from benchmarks.started_emulators import start_emulator
from handlers.common.ids import ulid
from handlers.meetings.environment import RECORDING_VARIABLES, MediaDeployment
from handlers.meetings.recording_files import Chunk, CompleteFile, MediaResult
from handlers.meetings.s3_keys import MeetingId, Recording
from local.platform import emulator
from local.platform.emulator_clients import EmulatorClients

BUCKET = "recordings"
STARTED_AT = datetime(2026, 1, 2, tzinfo=UTC)
FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
SAMPLE_SECONDS = 20
"""Length of the video that the benchmark encodes. Each file of a recording repeats this video."""
SOURCE = ("-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=30", "-f", "lavfi", "-i", "anoisesrc=c=pink:r=48000:a=0.1")
"""Inputs of ffmpeg: a generated picture and generated noise."""
MP4 = ("-c:v", "libx264", "-preset", "veryfast", "-g", "60", "-b:v", "1M", "-c:a", "aac", "-b:a", "64k", "-ac", "1")
"""Options of ffmpeg for the codecs of MP4. The job copies such a video."""
WEBM = ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "1M", "-c:a", "libopus", "-ac", "1")
"""Options of ffmpeg for the codecs of WebM. The job encodes such a video again."""


@dataclass(frozen=True)
class MediaCase:
    """A recording of one or more equal files."""

    name: str
    suffix: str
    """Suffix of the files, which is also their format."""
    ffmpeg_options: tuple[str, ...]
    file_seconds: int
    file_count: int

    @property
    def seconds(self) -> int:
        """Length of the recording."""
        return self.file_seconds * self.file_count


def create_file(case: MediaCase, folder: Path) -> Path:
    """Create one file of a recording."""
    sample, file = folder / f"sample.{case.suffix}", folder / f"file.{case.suffix}"
    if not sample.exists():
        _run_ffmpeg(*SOURCE, *case.ffmpeg_options, "-t", str(SAMPLE_SECONDS), str(sample))
    repetitions = case.file_seconds // SAMPLE_SECONDS - 1  # after the sample itself
    _run_ffmpeg("-stream_loop", str(repetitions), "-i", str(sample), "-c", "copy", str(file))
    return file


def _run_ffmpeg(*arguments: str) -> None:
    subprocess.run([FFMPEG, "-v", "error", "-nostdin", "-y", *arguments], check=True)


def upload(s3: Any, case: MediaCase, file: Path) -> Recording:
    """Upload the same file as each file of a recording, and `complete.json`, which lists them."""
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    meeting = MeetingId("A" * 32, ulid(STARTED_AT, int(digest[:20], 16)))
    chunks = tuple(
        Chunk(name=f"{number:04d}.{case.suffix}", bytes=file.stat().st_size, sha256=digest)
        for number in range(case.file_count)
    )
    for chunk in chunks:
        s3.upload_file(str(file), BUCKET, meeting.upload_key(chunk.name))
    complete = CompleteFile(schema_version=1, title="x", started_at="2026-01-02T03:04:05.678Z", chunks=chunks)
    s3.put_object(
        Bucket=BUCKET, Key=f"{meeting.upload_prefix}complete.json", Body=complete.model_dump_json(by_alias=True)
    )
    return Recording(meeting, complete.content)


def measure(clients: EmulatorClients, case: MediaCase) -> dict[str, float | str]:
    """Run the job on a new recording, and return the measured values by heading. Raise WrongResult if the job fails."""
    s3 = clients("s3")
    with tempfile.TemporaryDirectory() as folder:
        file = create_file(case, Path(folder))
        recording = upload(s3, case, file)
        scratch = Path(folder, "scratch")
        scratch.mkdir()
        deployment = MediaDeployment(
            bucket_name=BUCKET, scratch_mb=16_000, max_hours=12, scratch_folder=str(scratch), ffmpeg=FFMPEG
        )
        values = (recording.meeting.user, recording.meeting.meeting_id, recording.content)
        environment = {
            **deployment.variables(),
            **dict(zip(RECORDING_VARIABLES, values, strict=True)),
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": s3.meta.endpoint_url,
            "AWS_ACCESS_KEY_ID": emulator.ROOT_ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": emulator.ROOT_ACCESS_KEY,
        }
        use = run_process([sys.executable, "-m", "handlers.meetings.media_job"], environment, scratch)
        uploaded_mb = file.stat().st_size * case.file_count / MB
    result = MediaResult.model_validate_json(
        s3.get_object(Bucket=BUCKET, Key=recording.media_result_key)["Body"].read()
    )
    if result.reason is not None:
        raise WrongResult(f"{case.name}: {result.reason}")
    return {
        "length, s": case.seconds,
        "uploaded, MB": round(uploaded_mb),
        "elapsed, s": round(use.elapsed_seconds),
        "processor, s": round(use.processor_seconds),
        "processor / length": use.processor_seconds / case.seconds,
        "peak memory, MB": round(use.memory_mb),
        "peak disk, MB": round(use.folder_mb),
    }


def main() -> None:
    """Print one row per kind of recording."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--minutes", type=int, default=60, help="length of the recordings that the job copies without encoding them"
    )
    minutes = parser.parse_args().minutes
    cases = (
        MediaCase("copied, one file per minute", "mp4", MP4, 60, minutes),
        MediaCase("copied, one file", "mp4", MP4, 60 * minutes, 1),
        MediaCase("encoded, one file per 20 s", "webm", WEBM, 20, 6),
    )
    print_heading("Media job: 1280 x 720, 30 frames/s, about 1 Mbit/s")
    with start_emulator() as clients:
        clients("s3").create_bucket(Bucket=BUCKET)
        print_table({case.name: measure(clients, case) for case in cases})


if __name__ == "__main__":
    main()

"""What the meetings' media job takes of time, memory and disk, and what that costs: the program itself, on recordings of hours.

The job is a process on one processor, as on Fargate; S3 is the local emulator on the other. What others do on this
machine slows both down: so the cost is reckoned from processor time, which that hardly changes. Recordings of hours are
the same minute again and again, put together without encoding: their bytes are real, and making them takes seconds.
"""

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(1, str(Path(__file__).resolve().parents[1] / "policies"))

import imageio_ffmpeg

from benchmarks.figures import verdict
from guardrails.pricing.book import prices
from handlers.common.ulid import ulid
from handlers.meetings.media import MediaOutcome, MediaResult
from handlers.meetings.media_environment import ABOUT, MediaDeployment
from handlers.meetings.places import MeetingId, Recording
from handlers.meetings.recordings import Chunk, Complete
from local import ROOT, emulator
from local.aws import EmulatorClients
from tests.processes import tree

MB = 1_000_000
BUCKET = "recordings"
EPOCH = datetime(2026, 1, 2, tzinfo=UTC)
FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
MEMORY_AIM_MB = 512
SAMPLE_SECONDS = 0.05
FILMED = ("-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=30", "-f", "lavfi", "-i", "anoisesrc=c=pink:r=48000:a=0.1")
H264 = ("-c:v", "libx264", "-preset", "veryfast", "-g", "60", "-b:v", "1M", "-c:a", "aac", "-b:a", "64k", "-ac", "1")
WEBM = ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "1M", "-c:a", "libopus", "-ac", "1")
FILM_SECONDS = 20
SLOWER = 2
"""Assumed, not measured: a vCPU does half of what a core does here."""
START_SECONDS = 60
"""Assumed: fetching the image and starting, which is billed."""
ENGINES = (
    ("fargate: 2 vCPU, 4 GB, arm64", "fargate_{}_hour_arm64", 2, 4),
    ("on demand: 1 vCPU, 2 GB, arm64", "fargate_{}_hour_arm64", 1, 2),
    ("batch-spot: 1 vCPU, 2 GB, arm64", "fargate_spot_{}_hour_arm64", 1, 2),
)


@dataclass(frozen=True)
class Case:
    """A recording: files of so many seconds, so often."""

    name: str
    suffix: str
    options: tuple[str, ...]
    seconds: int
    count: int


@dataclass(frozen=True)
class Taken:
    """What its job took."""

    case: Case
    uploaded_mb: float
    wall: float
    processor: float
    ffmpeg: float
    memory_mb: float
    scratch_mb: float
    copied: bool

    @property
    def length(self) -> int:
        """Seconds of recording."""
        return self.case.seconds * self.case.count


def cases(hours: float) -> tuple[Case, ...]:
    """Copied as many files and as one, and encoded: the last is short, since it is the same for every minute."""
    seconds = round(hours * 3600)
    return (
        Case("copied, a file a minute", "mp4", H264, 60, seconds // 60),
        Case("copied, one file", "mp4", H264, seconds, 1),
        Case("encoded, a file each 20 s", "webm", WEBM, FILM_SECONDS, 6),
    )


def filmed(case: Case, folder: Path) -> Path:
    """One file of a case."""
    short, whole = folder / f"short.{case.suffix}", folder / f"whole.{case.suffix}"
    if not short.exists():
        _ffmpeg(*FILMED, *case.options, "-t", str(FILM_SECONDS), str(short))
    if case.seconds == FILM_SECONDS:
        return short
    _ffmpeg("-stream_loop", str(case.seconds // FILM_SECONDS - 1), "-i", str(short), "-c", "copy", str(whole))
    return whole


def uploaded(s3: Any, case: Case, file: Path) -> Recording:
    """A recording in the bucket."""
    meeting = MeetingId("A" * 32, ulid_of(case))
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    chunks = tuple(
        Chunk(name=f"{number:04d}.{case.suffix}", bytes=file.stat().st_size, sha256=digest)
        for number in range(case.count)
    )
    for one in chunks:
        s3.upload_file(str(file), BUCKET, meeting.chunk(one.name))
    complete = Complete(schema_version=1, title="x", started_at="2026-01-02T03:04:05.678Z", chunks=chunks)
    s3.put_object(Bucket=BUCKET, Key=f"{meeting.raw}complete.json", Body=complete.model_dump_json(by_alias=True))
    return Recording(meeting, complete.content)


def ulid_of(case: Case) -> str:
    """A meeting of its own for each."""
    digest = hashlib.sha256(case.name.encode()).digest()
    return ulid(EPOCH, int.from_bytes(digest[:10]))


def worked(endpoint: str, s3: Any, case: Case, folder: Path) -> Taken:
    """Runs the job and watches it."""
    file = filmed(case, folder)
    recording = uploaded(s3, case, file)
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    deployment = MediaDeployment(bucket_name=BUCKET, scratch_folder=str(scratch), ffmpeg=FFMPEG, encode_threads=1)
    about = (recording.meeting.user, recording.meeting.meeting_id, recording.content)
    variables = {
        **deployment.variables(),
        **dict(zip(ABOUT, about, strict=True)),
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": emulator.KEY,
        "AWS_SECRET_ACCESS_KEY": emulator.KEY,
    }
    begun = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "handlers.meetings.media_job"],
        cwd=ROOT,
        env=variables,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    os.sched_setaffinity(process.pid, {0})
    with Watch(process.pid, scratch) as watch:
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{case.name}: the job ended with {process.returncode}")
    wall = time.monotonic() - begun
    body = s3.get_object(Bucket=BUCKET, Key=recording.media_result)["Body"].read()
    result = MediaResult.model_validate_json(body)
    if result.outcome is not MediaOutcome.READY:
        sys.exit(f"{case.name}: {result.outcome}")
    for one in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        for found in one.get("Contents", []):
            s3.delete_object(Bucket=BUCKET, Key=found["Key"])
    size, processor = file.stat().st_size * case.count / MB, used.ru_utime + used.ru_stime
    return Taken(
        case, size, wall, processor, result.ffmpeg_ms / 1000, watch.memory / MB, watch.scratch / MB, result.copied
    )


class Watch:
    """The most memory that a process and all it starts have at once, and the most bytes in a folder."""

    def __init__(self, pid: int, folder: Path) -> None:
        self.memory = self.scratch = 0
        self._pid = pid
        self._folder = folder
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(SAMPLE_SECONDS):
            self.memory = max(self.memory, sum(_proportional(one) for one in tree(self._pid)))
            self.scratch = max(self.scratch, sum(_size(one) for one in self._folder.rglob("*")))


def _proportional(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:
        return 0  # it has been removed meanwhile


def _ffmpeg(*arguments: str) -> None:
    subprocess.run([FFMPEG, "-v", "error", "-nostdin", "-y", *arguments], check=True)


def hourly(form: str, vcpu: int, memory: int) -> float:
    """What a machine costs an hour."""
    return prices()[form.format("vcpu")].usd * vcpu + prices()[form.format("gb")].usd * memory


def cost(one: Taken, form: str, vcpu: int, memory: int) -> float:
    """Of an hour of recording, in dollars: an encode uses all processors, all else one."""
    ratio = one.processor / one.length
    hours = SLOWER * ratio / (1 if one.copied else vcpu)
    return hourly(form, vcpu, memory) * hours


def main() -> None:
    """Prints two tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=2)
    hours = parser.parse_args().hours
    print(f"load of the last minute: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
    with tempfile.TemporaryDirectory() as base, emulator.start(Path(base, "emulator")) as started:
        os.sched_setaffinity(started.emulator.pid, {1})
        s3 = EmulatorClients(started.emulator.endpoint)("s3")
        s3.create_bucket(Bucket=BUCKET)
        folder = Path(base, "films")
        folder.mkdir()
        taken = [worked(started.emulator.endpoint, s3, case, folder) for case in cases(hours)]
    columns = ("length s", "in MB", "wall s", "processor s", "ffmpeg s", "ffmpeg/length", "memory MB", "scratch MB")
    print(f"{'':28}" + "".join(one.rjust(14) for one in columns))
    for one in taken:
        figures = (one.length, one.uploaded_mb, one.wall, one.processor, one.ffmpeg)
        rest = f"{one.ffmpeg / one.length:14.4f}{one.memory_mb:14.0f}{one.scratch_mb:14.0f}"
        print(f"{one.case.name:28}" + "".join(f"{figure:14.1f}" for figure in figures) + rest)
    print(f"\naim: memory < {MEMORY_AIM_MB} MB: " + ", ".join(verdict(one.memory_mb, MEMORY_AIM_MB) for one in taken))
    print(f"\nUS cents an hour of recording, a vCPU being {SLOWER} times slower than a core here (assumed)")
    print(f"{'':36}{'$ an hour':>12}{'start':>8}" + "".join(one.case.name.rjust(28) for one in taken))
    for name, form, vcpu, memory in ENGINES:
        rate = hourly(form, vcpu, memory)
        each = "".join(f"{cost(one, form, vcpu, memory) * 100:28.3f}" for one in taken)
        print(f"{name:36}{rate:12.5f}{rate * START_SECONDS / 36:8.3f}{each}")


if __name__ == "__main__":
    main()

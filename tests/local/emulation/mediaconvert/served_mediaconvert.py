"""Harness for tests of the local MediaConvert, with a fake account, real videos and a boto3 client."""

import contextlib
import queue
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import imageio_ffmpeg

from handlers.livestream.keys import VIDEOS, UploadedObject, parse_upload
from handlers.livestream.video_chunks import job
from local.emulation.mediaconvert import mediaconvert_service
from local.ffmpeg import run_ffmpeg
from tests.local.emulation.fake_account import Account, create_client
from tests.local.emulation.server_threads import TIMEOUT_SECONDS

BUCKET, ROLE = "videos-bucket", "arn:aws:iam::123456789012:role/media"
EPISODE, UPLOAD = "0" * 26, "01ARZ3NDEKTSV4RRFFQ69G5FAV"
"""Ids of the episode and of the upload. The key of a video contains both, and the names of the output the second."""
VIDEO_SOURCE, AUDIO_SOURCE = "testsrc=size=160x120:rate=5", "sine=frequency=440:sample_rate=48000"
"""ffmpeg sources of five pictures per second, and of a tone."""
_TIMES = re.compile(r"pts_time:(\S+)")
_STREAM = re.compile(r"Stream #0:\d+.*: (Video|Audio): ")
_SIZE = re.compile(r"Video: .*?, (\d{2,5})x(\d{2,5})")


@cache
def record_video(suffix: str, seconds: float, *sources: str) -> bytes:
    """Return a video file with one stream from each ffmpeg source."""
    inputs = (argument for source in sources for argument in ("-f", "lavfi", "-t", str(seconds), "-i", source))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"video.{suffix}")
        run_ffmpeg(*inputs, str(path))
        return path.read_bytes()


def stream_kinds(data: bytes) -> list[str]:
    """Return the kind of each stream of a segment, sorted."""
    return sorted(_STREAM.findall(_ffmpeg_log(data, "-c", "copy", "-t", "0").partition("Output #0")[0]))


def picture_size(data: bytes) -> tuple[int, int]:
    """Return the width and height of a segment's pictures."""
    match = _SIZE.search(_ffmpeg_log(data, "-frames:v", "1"))
    assert match is not None
    return int(match[1]), int(match[2])


def picture_times(data: bytes) -> list[float]:
    """Return the presentation time of each picture of a segment, in seconds."""
    return [float(time) for time in _TIMES.findall(_ffmpeg_log(data, "-map", "0:v", "-vf", "showinfo"))]


def starts_with_key_frame(data: bytes) -> bool:
    """Return True if the first picture is a key frame."""
    return "iskey:1" in _ffmpeg_log(data, "-map", "0:v", "-vf", "showinfo", "-frames:v", "1")


def _ffmpeg_log(data: bytes, *arguments: str) -> str:
    """Return ffmpeg's log about a segment."""
    with tempfile.NamedTemporaryFile(suffix=".ts") as file:
        file.write(data)
        file.flush()
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-copyts", "-i", file.name, *arguments]
        command += ["-fps_mode", "passthrough", "-f", "null", "-"]
        process = subprocess.run(command, env={"GCONV_PATH": "/dev/null"}, check=True, capture_output=True)  # noqa: S603
    return process.stderr.decode(errors="replace")


@dataclass
class MediaAccount(Account):
    """Fake account whose event bus keeps the details of all events."""

    events: "queue.SimpleQueue[dict[str, Any]]" = field(default_factory=queue.SimpleQueue)

    def put_event(self, _source: str, _detail_type: str, detail: Mapping[str, Any], _resource: str) -> None:
        self.events.put(dict(detail))

    def wait_for_end_of_job(self) -> list[dict[str, Any]]:
        """Return the details of one job's events, of which the last one reports its end."""
        details = [self.events.get(timeout=TIMEOUT_SECONDS)]
        while details[-1]["status"] not in {"COMPLETE", "ERROR"}:
            details.append(self.events.get(timeout=TIMEOUT_SECONDS))
        return details

    def output_files(self) -> dict[str, bytes]:
        """Return the output of all jobs by file name, sorted."""
        return {key.rpartition("/")[2]: data for (_, key), data in sorted(self.objects.items()) if "chunks/" in key}


@dataclass
class ServedMediaConvert:
    """The running service with its account and a client."""

    account: MediaAccount
    client: Any
    now: list[float]
    """Current time of the service, which a test can change. The list has one item."""

    def upload(self, data: bytes, suffix: str = ".mp4") -> UploadedObject:
        """Upload a video to the bucket."""
        key = f"videos/everybody/{EPISODE}/{UPLOAD}{suffix}"
        self.account.objects[BUCKET, key] = data
        video = parse_upload(VIDEOS, key, "v1")
        assert video is not None
        return video

    def run(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Run a job to its end, and return the details of its last event."""
        self.client.create_job(**request)
        return self.account.wait_for_end_of_job()[-1]

    def cut(self, data: bytes, seconds: int = 2, suffix: str = ".mp4") -> dict[str, Any]:
        """Upload a video and cut it into segments of this length. Return the details of the job's last event."""
        return self.run(job_request(self.upload(data, suffix), seconds))

    def segments(self) -> list[bytes]:
        """Return the segments in order."""
        return [data for name, data in self.account.output_files().items() if name.endswith(".ts")]


def job_request(video: UploadedObject, seconds: int = 2) -> dict[str, Any]:
    """Return the request of the handlers' code for a job that cuts a video into segments of this length."""
    return job.job_request(BUCKET, video, chunk_seconds=seconds, role_arn=ROLE)


@contextlib.contextmanager
def serve_mediaconvert() -> Iterator[ServedMediaConvert]:
    """Run the service while the block runs."""
    account, now = MediaAccount(), [1_800_000_000.0]
    with mediaconvert_service.serve(account, now=lambda: now[0]) as port:
        yield ServedMediaConvert(account, create_client("mediaconvert", port), now)

"""The local MediaConvert with an account in memory, real videos and a real client."""

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

from handlers.livestream.s3_prefixes import VIDEOS
from handlers.livestream.upload_object_keys import parse_upload_key
from handlers.livestream.video_chunks import video_cutting_job
from handlers.livestream.video_chunks.video_and_job_events import UploadedVideo
from local.emulation.mediaconvert import mediaconvert_service
from local.ffmpeg import run_ffmpeg
from tests.local.emulation.fake_account import Account, create_client
from tests.local.emulation.server_threads import TIMEOUT_SECONDS

BUCKET, ROLE = "videos-bucket", "arn:aws:iam::123456789012:role/media"
EPISODE, UPLOAD = "0" * 26, "01ARZ3NDEKTSV4RRFFQ69G5FAV"
PICTURES, SOUND = "testsrc=size=160x120:rate=5", "sine=frequency=440:sample_rate=48000"
_TIMES = re.compile(r"pts_time:(\S+)")
_STREAM = re.compile(r"Stream #0:\d+.*: (Video|Audio): ")
_SIZE = re.compile(r"Video: .*?, (\d{2,5})x(\d{2,5})")


@cache
def recorded(suffix: str, seconds: float, *sources: str) -> bytes:
    """Return a video with pictures and sound from these ffmpeg sources."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, f"made.{suffix}")
        run_ffmpeg(*(part for item in sources for part in ("-f", "lavfi", "-t", str(seconds), "-i", item)), str(made))
        return made.read_bytes()


def streams(data: bytes) -> list[str]:
    """Return the kinds of a file's streams."""
    return sorted(_STREAM.findall(_told(data, "-c", "copy", "-t", "0").partition("Output #0")[0]))


def size_of(data: bytes) -> tuple[int, int]:
    """Return the width and height of the video."""
    match = _SIZE.search(_told(data, "-frames:v", "1"))
    assert match is not None
    return int(match[1]), int(match[2])


def times(data: bytes) -> list[float]:
    """Return the presentation time of each picture."""
    return [float(item) for item in _TIMES.findall(_told(data, "-map", "0:v", "-vf", "showinfo"))]


def is_key_frame_first(data: bytes) -> bool:
    """Return True if the first picture is a key frame."""
    return "iskey:1" in _told(data, "-map", "0:v", "-vf", "showinfo", "-frames:v", "1")


def _told(data: bytes, *arguments: str) -> str:
    """Return what ffmpeg logs about a segment."""
    with tempfile.NamedTemporaryFile(suffix=".ts") as file:
        file.write(data)
        file.flush()
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-copyts", "-i", file.name, *arguments]
        command += ["-fps_mode", "passthrough", "-f", "null", "-"]
        done = subprocess.run(command, env={"GCONV_PATH": "/dev/null"}, check=True, capture_output=True)  # noqa: S603
    return done.stderr.decode(errors="replace")


@dataclass
class MediaAccount(Account):
    """An account whose event bus stores the details of the events."""

    events: "queue.SimpleQueue[dict[str, Any]]" = field(default_factory=queue.SimpleQueue)

    def put_event(self, _source: str, _detail_type: str, detail: Mapping[str, Any], _resource: str) -> None:
        self.events.put(dict(detail))

    def until_done(self) -> list[dict[str, Any]]:
        """Return the details of one job's events."""
        details = [self.events.get(timeout=TIMEOUT_SECONDS)]
        while details[-1]["status"] not in {"COMPLETE", "ERROR"}:
            details.append(self.events.get(timeout=TIMEOUT_SECONDS))
        return details

    def files(self) -> dict[str, bytes]:
        """Return the output of jobs by file name, sorted."""
        return {key.rpartition("/")[2]: data for (_, key), data in sorted(self.objects.items()) if "chunks/" in key}


@dataclass
class ServedMediaConvert:
    """The service and its client."""

    account: MediaAccount
    client: Any
    now: list[float]

    def upload(self, data: bytes, suffix: str = ".mp4") -> UploadedVideo:
        """Upload a video to the bucket."""
        key = f"videos/everybody/{EPISODE}/{UPLOAD}{suffix}"
        self.account.objects[BUCKET, key] = data
        named = parse_upload_key(VIDEOS, key)
        assert named is not None
        return UploadedVideo(key, "v1", named, len(data))

    def cut(self, data: bytes, seconds: int = 2, suffix: str = ".mp4", **how: Any) -> list[dict[str, Any]]:
        """Upload a video and cut it. Return the details of the events."""
        self.client.create_job(**job(self.upload(data, suffix), seconds, **how))
        return self.account.until_done()

    def segments(self) -> list[bytes]:
        """Return the segments in order."""
        return [data for name, data in self.account.files().items() if name.endswith(".ts")]


def job(video: UploadedVideo, seconds: int = 2, **how: Any) -> dict[str, Any]:
    """Return the request that the handlers' code creates."""
    return video_cutting_job.job_request(BUCKET, video, chunk_seconds=seconds, role_arn=ROLE, **how)


@contextlib.contextmanager
def serve_mediaconvert() -> Iterator[ServedMediaConvert]:
    """Serve while the block runs."""
    account, now = MediaAccount(), [1_800_000_000.0]
    with mediaconvert_service.serve(account, now=lambda: now[0]) as port:
        yield ServedMediaConvert(account, create_client("mediaconvert", port), now)

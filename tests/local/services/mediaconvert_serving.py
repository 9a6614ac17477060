"""The local MediaConvert with an account around it that is memory, real videos, and a real client."""

import contextlib
import io
import os
import queue
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import imageio_ffmpeg
from botocore.config import Config
from botocore.exceptions import ClientError

from handlers.livestream import chunking
from handlers.livestream.prefixes import VIDEOS
from handlers.livestream.upload_keys import upload_key
from handlers.livestream.video_events import Video
from local.services import mediaconvert
from local.services.mediaconvert_cutting import SAFE
from tests.local.services.threads import PATIENCE

BUCKET, ROLE = "videos-bucket", "arn:aws:iam::123456789012:role/media"
EPISODE, UPLOAD = "0" * 26, "01ARZ3NDEKTSV4RRFFQ69G5FAV"
PICTURES, SOUND = "testsrc=size=160x120:rate=5", "sine=frequency=440:sample_rate=48000"
_STREAM = re.compile(r"Stream #0:\d+.*: (Video|Audio): ")
_TIMES = re.compile(r"pts_time:(\S+)")


@cache
def recorded(suffix: str, seconds: float, *sources: str) -> bytes:
    """A video, made by ffmpeg."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, f"made.{suffix}")
        inputs = [part for one in sources for part in ("-f", "lavfi", "-t", str(seconds), "-i", one)]
        _ffmpeg("-y", *inputs, str(made))
        return made.read_bytes()


def streams(data: bytes) -> list[str]:
    """What is in a file: `Video`, `Audio`."""
    with _file(data) as path:
        told = _ffmpeg("-i", str(path), "-c", "copy", "-t", "0", "-f", "null", "-")
    return _STREAM.findall(told.partition("Output #0")[0])


def times(data: bytes) -> list[float]:
    """When each picture is shown."""
    with _file(data) as path:
        told = _ffmpeg(
            "-copyts", "-i", str(path), "-map", "0:v", "-vf", "showinfo", "-fps_mode", "passthrough", "-f", "null", "-"
        )
    return [float(one) for one in _TIMES.findall(told)]


def key_frame_first(data: bytes) -> bool:
    """Whether the first picture can be shown without any before it."""
    with _file(data) as path:
        told = _ffmpeg("-i", str(path), "-map", "0:v", "-vf", "showinfo", "-frames:v", "1", "-f", "null", "-")
    return "iskey:1" in told


@contextlib.contextmanager
def _file(data: bytes) -> Iterator[Path]:
    with tempfile.NamedTemporaryFile(suffix=".ts") as file:
        file.write(data)
        file.flush()
        yield Path(file.name)


def _ffmpeg(*arguments: str) -> str:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-hide_banner", *arguments]
    done = subprocess.run(command, env={**os.environ, **SAFE}, check=True, capture_output=True)  # noqa: S603
    return done.stderr.decode(errors="replace")


@dataclass
class Account:
    """Objects by bucket and key; events in the order that they came."""

    objects: dict[tuple[str, str], bytes] = field(default_factory=dict)
    events: "queue.SimpleQueue[tuple[str, str, dict[str, Any], str]]" = field(default_factory=queue.SimpleQueue)
    forbidden: set[str] = field(default_factory=set)
    """Actions."""
    trusted: bool = True
    asked: list[tuple[str, str, str, Mapping[str, str]]] = field(default_factory=list)
    account: str = "123456789012"
    region: str = "us-east-1"

    def denied(self, access_key: str, action: str, resource: str, context: Mapping[str, str]) -> bool:
        self.asked.append((access_key, action, resource, context))
        return action in self.forbidden

    def assumable(self, role_arn: str) -> bool:
        return self.trusted and role_arn == ROLE

    def s3(self, role_arn: str, _job_id: str) -> "_S3":
        assert role_arn == ROLE
        return _S3(self)

    def emit(self, source: str, detail_type: str, detail: Mapping[str, Any], resource: str) -> None:
        self.events.put((source, detail_type, dict(detail), resource))

    def until_done(self) -> list[dict[str, Any]]:
        """The details of one job's events."""
        found: list[dict[str, Any]] = []
        while not found or found[-1]["status"] not in {"COMPLETE", "ERROR"}:
            found.append(self.events.get(timeout=PATIENCE)[2])
        return found

    def names(self, prefix: str = "chunks/") -> list[str]:
        """Of what is there, by key, without folders."""
        return sorted(key.rpartition("/")[2] for _, key in self.objects if key.startswith(prefix))

    def named(self, name: str) -> bytes:
        """What an object of this name holds."""
        return next(data for (_, key), data in self.objects.items() if key.endswith(f"/{name}"))


@dataclass
class _S3:
    account: Account

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
        self._check("s3:GetObject", "GetObject")
        if (Bucket, Key) not in self.account.objects:
            raise ClientError({"Error": {"Code": "NoSuchKey", "Message": ""}}, "GetObject")
        return {"Body": io.BytesIO(self.account.objects[Bucket, Key])}

    def put_object(self, Bucket: str, Key: str, Body: bytes, ContentType: str) -> None:  # noqa: N803 - boto3's names
        assert ContentType
        self._check("s3:PutObject", "PutObject")
        self.account.objects[Bucket, Key] = Body

    def _check(self, action: str, operation: str) -> None:
        if action in self.account.forbidden:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": ""}}, operation)


@dataclass
class Served:
    """The service, and its only client."""

    account: Account
    client: Any
    now: list[float]

    def upload(self, data: bytes, suffix: str = ".mp4") -> Video:
        """A video in the bucket."""
        key = f"videos/everybody/{EPISODE}/{UPLOAD}{suffix}"
        self.account.objects[BUCKET, key] = data
        named = upload_key(VIDEOS, key)
        assert named is not None
        return Video(key, "v1", named, len(data))

    def cut(self, data: bytes, seconds: int = 2, suffix: str = ".mp4") -> list[dict[str, Any]]:
        """Uploads and cuts; the details of the events."""
        self.client.create_job(**job(self.upload(data, suffix), seconds))
        return self.account.until_done()

    def segments(self) -> list[bytes]:
        """What was cut, in order."""
        return [self.account.named(name) for name in self.account.names() if name.endswith(".ts")]


def job(video: Video, seconds: int = 2) -> dict[str, Any]:
    """What the project's own code asks for."""
    return chunking.request(BUCKET, video, seconds=seconds, role_arn=ROLE)


@contextlib.contextmanager
def served(**options: Any) -> Iterator[Served]:
    """Serves while the block lasts."""
    account, now = Account(), [1_800_000_000.0]
    with mediaconvert.serve(account, now=lambda: now[0], **options) as port:
        client = boto3.client(
            "mediaconvert",
            "us-east-1",
            endpoint_url=f"http://127.0.0.1:{port}",
            aws_access_key_id="KEY",
            aws_secret_access_key="secret",
            # What breaks a rule must get as far as the service.
            config=Config(retries={"total_max_attempts": 1}, proxies={}, parameter_validation=False),
        )
        try:
            yield Served(account, client, now)
        finally:
            client.close()

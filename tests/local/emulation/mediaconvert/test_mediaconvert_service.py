"""Tests of the local MediaConvert with a real client and real videos."""

import queue
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pytest
from botocore.exceptions import ClientError

from handlers.livestream.s3_prefixes import VIDEOS
from handlers.livestream.upload_object_keys import parse_upload_key
from handlers.livestream.video_chunks import video_cutting_job
from handlers.livestream.video_chunks.video_events import UploadedVideo
from local.emulation.mediaconvert import mediaconvert_service
from local.ffmpeg import run_ffmpeg
from tests.local.emulation.fake_account import Account, client_of
from tests.local.emulation.server_threads import PATIENCE

pytestmark = pytest.mark.media
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
    return sorted(_STREAM.findall(_told(data, "-c", "copy", "-t", "0").partition("Output #0")[0]))


def size_of(data: bytes) -> tuple[int, int]:
    match = _SIZE.search(_told(data, "-frames:v", "1"))
    assert match is not None
    return int(match[1]), int(match[2])


def times(data: bytes) -> list[float]:
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
        details = [self.events.get(timeout=PATIENCE)]
        while details[-1]["status"] not in {"COMPLETE", "ERROR"}:
            details.append(self.events.get(timeout=PATIENCE))
        return details

    def files(self) -> dict[str, bytes]:
        """Return the output of jobs by file name, sorted."""
        return {key.rpartition("/")[2]: data for (_, key), data in sorted(self.objects.items()) if "chunks/" in key}


@dataclass
class ServedMediaConvert:
    account: MediaAccount
    client: Any
    now: list[float]

    def upload(self, data: bytes, suffix: str = ".mp4") -> UploadedVideo:
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
        return [data for name, data in self.account.files().items() if name.endswith(".ts")]


def job(video: UploadedVideo, seconds: int = 2, **how: Any) -> dict[str, Any]:
    """Return the request that the handlers' code creates."""
    return video_cutting_job.job_request(BUCKET, video, chunk_seconds=seconds, role_arn=ROLE, **how)


@pytest.fixture
def service() -> Iterator[ServedMediaConvert]:
    account, now = MediaAccount(), [1_800_000_000.0]
    with mediaconvert_service.serve(account, now=lambda: now[0]) as port:
        yield ServedMediaConvert(account, client_of("mediaconvert", port), now)


def refusal(service: ServedMediaConvert, request: dict[str, Any]) -> tuple[str, int]:
    with pytest.raises(ClientError) as refused:
        service.client.create_job(**request)
    response = refused.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_a_video_is_cut_into_segments_of_the_requested_length(service: ServedMediaConvert) -> None:
    request = job(service.upload(recorded("mp4", 7, PICTURES, SOUND)))
    service.client.create_job(**request)
    began, ended = service.account.until_done()
    assert (began["status"], ended["status"]) == ("PROGRESSING", "COMPLETE")
    assert ended["userMetadata"] == request["UserMetadata"]
    assert ended["queue"] == "arn:aws:mediaconvert:us-east-1:123456789012:queues/Default"
    [group] = ended["outputGroupDetails"]
    destination = request["Settings"]["OutputGroups"][0]["OutputGroupSettings"]["HlsGroupSettings"]["Destination"]
    assert group["playlistFilePaths"] == [f"{destination}{UPLOAD}.m3u8"]
    [output] = group["outputDetails"]
    assert output["outputFilePaths"] == [f"{destination}{UPLOAD}_chunk.m3u8"]
    assert output["durationInMs"] == pytest.approx(7000, abs=50)
    names = [f"{UPLOAD}_chunk_{number:05d}.ts" for number in range(1, 5)]
    files = service.account.files()
    assert list(files) == sorted([f"{UPLOAD}.m3u8", f"{UPLOAD}_chunk.m3u8", *names])
    shown = [times(segment) for segment in service.segments()]
    assert [len(frames) for frames in shown] == [10, 10, 10, 5], "5 pictures a second, for 2, 2, 2 and 1 seconds"
    for index, frames in enumerate(shown):
        assert frames[0] - shown[0][0] == pytest.approx(2 * index, abs=0.01)
    for segment in service.segments():
        assert streams(segment) == ["Audio", "Video"]
        assert is_key_frame_first(segment)
    lines = files[f"{UPLOAD}_chunk.m3u8"].decode().splitlines()
    assert [line for line in lines if not line.startswith("#")] == names
    lengths = [float(line.removeprefix("#EXTINF:").rstrip(",")) for line in lines if line.startswith("#EXTINF:")]
    assert lengths == pytest.approx([2, 2, 2, 1], abs=0.01)
    assert f"{UPLOAD}_chunk.m3u8" in files[f"{UPLOAD}.m3u8"].decode().splitlines()


def test_a_segment_of_two_minutes_has_exactly_that_length(service: ServedMediaConvert) -> None:
    """Use the project's own segment length with a video that is encoded quickly."""
    service.cut(recorded("mp4", 250, "testsrc=size=64x48:rate=1"), seconds=120)
    assert [len(times(segment)) for segment in service.segments()] == [120, 120, 10]


def test_a_clip_ends_with_the_frame_at_its_end(service: ServedMediaConvert) -> None:
    request = job(service.upload(recorded("mp4", 7, PICTURES, SOUND)))
    request["Settings"]["Inputs"][0]["InputClippings"] = [{"EndTimecode": "00:00:03:00"}]
    service.client.create_job(**request)
    assert service.account.until_done()[-1]["status"] == "COMPLETE"
    assert [len(times(segment)) for segment in service.segments()] == [10, 6]


@pytest.mark.parametrize("suffix", ["mov", "mkv"])
def test_every_video_container_is_read_in_any_case_of_its_extension(service: ServedMediaConvert, suffix: str) -> None:
    video = recorded(suffix, 3, PICTURES, "sine=frequency=440:sample_rate=44100")
    assert service.cut(video, suffix=f".{suffix.upper()}")[-1]["status"] == "COMPLETE"
    assert len(service.segments()) == 2


def test_a_large_video_without_sound_is_scaled_down_with_its_aspect_ratio(service: ServedMediaConvert) -> None:
    assert service.cut(recorded("mp4", 3, "testsrc=size=1080x1920:rate=2"))[-1]["status"] == "COMPLETE"
    segments = service.segments()
    assert [streams(segment) for segment in segments] == [["Video"], ["Video"]]
    assert {size_of(segment) for segment in segments} <= {(404, 720), (406, 720)}


@pytest.mark.parametrize(
    "data",
    [
        lambda _: b"no video\n" * 100,
        lambda _: recorded("mp4", 3, SOUND),
        lambda _: recorded("mp4", 3, PICTURES)[:3000],  # its index stands at its end
        lambda other: f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:3,\n{other}\n#EXT-X-ENDLIST\n".encode(),
        lambda other: f"ffconcat version 1.0\nfile {other}\n".encode(),
    ],
    ids=["text", "no pictures", "half a video", "playlist of a file", "list of a file"],
)
def test_a_file_that_is_not_a_video_fails_and_no_other_file_is_read(
    service: ServedMediaConvert, tmp_path: Path, data: Callable[[Path], bytes]
) -> None:
    other = tmp_path / "other.ts"
    other.write_bytes(recorded("ts", 3, PICTURES))  # what the lists name could be cut
    last = service.cut(data(other))[-1]
    assert (last["status"], last["errorCode"]) == ("ERROR", 1010)
    assert last["userMetadata"]["uploadId"] == UPLOAD
    assert service.account.files() == {}


def test_a_job_reads_and_writes_with_the_permissions_of_its_role(service: ServedMediaConvert) -> None:
    for action in ("s3:GetObject", "s3:PutObject"):
        service.account.forbidden = {f"{action} {ROLE}"}
        last = service.cut(recorded("mp4", 3, PICTURES))[-1]
        assert (last["status"], last["errorCode"]) == ("ERROR", 1401)
        service.now[0] += 61
    service.account.forbidden = set()
    video = service.upload(b"")
    service.account.objects.clear()
    service.client.create_job(**job(video))
    assert service.account.until_done()[-1]["errorCode"] == 1404


def test_the_same_token_returns_the_same_job_for_a_minute(service: ServedMediaConvert) -> None:
    request = job(service.upload(recorded("mp4", 3, PICTURES)))
    first = service.client.create_job(**request)["Job"]
    assert (first["Status"], first["Role"]) == ("SUBMITTED", ROLE)
    service.now[0] += 59
    assert service.client.create_job(**request)["Job"]["Id"] == first["Id"]
    service.now[0] += 2
    assert service.client.create_job(**request)["Job"]["Id"] != first["Id"]
    assert service.client.create_job(**{**request, "ClientRequestToken": "x"})["Job"]["Id"] != first["Id"]


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("SegmentControl", "SINGLE_FILE"),
        ("SegmentLengthControl", "GOP_MULTIPLE"),
        ("Destination", "https://example.com/"),
    ],
)
def test_a_job_of_another_kind_is_a_bad_request(service: ServedMediaConvert, setting: str, value: Any) -> None:
    request = job(service.upload(b""))
    request["Settings"]["OutputGroups"][0]["OutputGroupSettings"]["HlsGroupSettings"][setting] = value
    assert refusal(service, request) == ("BadRequestException", 400)
    request = job(service.upload(b""))
    request["Settings"]["Inputs"] *= 2
    assert refusal(service, request) == ("BadRequestException", 400)
    assert service.account.events.empty()


def test_a_caller_needs_create_job_and_pass_role_and_the_role_must_trust_the_service(
    service: ServedMediaConvert,
) -> None:
    request = job(service.upload(b""))
    for action in ("mediaconvert:CreateJob", "iam:PassRole"):
        service.account.forbidden = {action}
        assert refusal(service, request) == ("AccessDeniedException", 403)
        assert service.account.demanded[-1][:2] == ("KEY", action)
    assert service.account.demanded[-1][2:] == (ROLE, {"iam:PassedToService": "mediaconvert.amazonaws.com"})
    service.account.forbidden, service.account.trusted = set(), False
    assert refusal(service, request) == ("BadRequestException", 400)

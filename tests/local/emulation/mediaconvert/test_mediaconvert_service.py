"""Tests of the local MediaConvert with a fake account, real videos and boto3."""

import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pytest
from botocore.exceptions import ClientError

from handlers.livestream.keys import VIDEOS, UploadedObject, parse_upload
from handlers.livestream.video_chunks import job
from local.emulation.mediaconvert import mediaconvert_service
from local.ffmpeg import run_ffmpeg
from tests.local.emulation.fake_account import ACCESS_KEY, TIMEOUT_SECONDS, Account, create_client

pytestmark = pytest.mark.media
BUCKET, ROLE = "videos-bucket", "arn:aws:iam::123456789012:role/media"
EPISODE, UPLOAD = "0" * 26, "01ARZ3NDEKTSV4RRFFQ69G5FAV"
"""Ids of the episode and of the upload. The key of a video contains both, and the names of the output the second."""
VIDEO_SOURCE, AUDIO_SOURCE = "testsrc=size=160x120:rate=5", "sine=frequency=440:sample_rate=48000"
"""ffmpeg sources of five pictures per second, and of a tone."""
_TIMES = re.compile(r"pts_time:(\S+)")
_STREAM = re.compile(r"Stream #0:\d+.*: (Video|Audio): ")


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


def picture_times(data: bytes) -> list[float]:
    """Return the presentation time of each picture of a segment, in seconds."""
    return [float(time) for time in _TIMES.findall(_ffmpeg_log(data, "-map", "0:v", "-vf", "showinfo"))]


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
    """Fake account with the output and the events of jobs."""

    def wait_for_end_of_job(self) -> list[dict[str, Any]]:
        """Return the details of one job's events, of which the last event reports its end."""
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

    def upload(self, data: bytes) -> UploadedObject:
        """Upload a video to the bucket."""
        key = f"videos/everybody/{EPISODE}/{UPLOAD}.mp4"
        self.account.objects[BUCKET, key] = data
        video = parse_upload(VIDEOS, key, "v1")
        assert video is not None
        return video

    def run(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Run a job to its end, and return the details of its last event."""
        self.client.create_job(**request)
        return self.account.wait_for_end_of_job()[-1]

    def cut(self, data: bytes) -> dict[str, Any]:
        """Upload a video and cut it. Return the details of the job's last event."""
        return self.run(job_request(self.upload(data)))

    def segments(self) -> list[bytes]:
        """Return the segments in order."""
        return [data for name, data in self.account.output_files().items() if name.endswith(".ts")]


def job_request(video: UploadedObject) -> dict[str, Any]:
    """Return the request of the handlers' code for a job that cuts a video into segments of two seconds."""
    return job.job_request(BUCKET, video, chunk_seconds=2, role_arn=ROLE)


@pytest.fixture
def service() -> Iterator[ServedMediaConvert]:
    account = MediaAccount()
    with mediaconvert_service.serve(account) as port:
        yield ServedMediaConvert(account, create_client("mediaconvert", port))


def create_job_error(service: ServedMediaConvert, request: dict[str, Any]) -> tuple[str, int]:
    """Return the error code and the HTTP status with which a job is refused."""
    with pytest.raises(ClientError) as error:
        service.client.create_job(**request)
    response = error.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def hls_settings(request: dict[str, Any]) -> dict[str, Any]:
    settings: dict[str, Any] = request["Settings"]["OutputGroups"][0]["OutputGroupSettings"]["HlsGroupSettings"]
    return settings


def test_a_video_is_cut_into_segments_of_the_requested_length(service: ServedMediaConvert) -> None:
    request = job_request(service.upload(record_video("mp4", 7, VIDEO_SOURCE, AUDIO_SOURCE)))
    created = service.client.create_job(**request)["Job"]
    assert (created["Status"], created["Role"]) == ("SUBMITTED", ROLE)

    first_event, last_event = service.account.wait_for_end_of_job()
    assert (first_event["status"], last_event["status"]) == ("PROGRESSING", "COMPLETE")
    assert last_event["userMetadata"] == request["UserMetadata"]
    [group] = last_event["outputGroupDetails"]
    destination = hls_settings(request)["Destination"]
    assert group["playlistFilePaths"] == [f"{destination}{UPLOAD}.m3u8"]
    [output] = group["outputDetails"]
    assert output["outputFilePaths"] == [f"{destination}{UPLOAD}_chunk.m3u8"]
    assert output["durationInMs"] == pytest.approx(7000, abs=50)

    names = [f"{UPLOAD}_chunk_{number:05d}.ts" for number in range(1, 5)]
    files = service.account.output_files()
    assert list(files) == sorted([f"{UPLOAD}.m3u8", f"{UPLOAD}_chunk.m3u8", *names])
    assert [len(picture_times(segment)) for segment in service.segments()] == [10, 10, 10, 5], "5 pictures a second"
    assert all(stream_kinds(segment) == ["Audio", "Video"] for segment in service.segments())
    lines = files[f"{UPLOAD}_chunk.m3u8"].decode().splitlines()
    assert [line for line in lines if not line.startswith("#")] == names
    assert f"{UPLOAD}_chunk.m3u8" in files[f"{UPLOAD}.m3u8"].decode().splitlines()

    assert service.client.create_job(**request)["Job"]["Id"] == created["Id"], "an equal request starts no other job"


@pytest.mark.parametrize(
    "make_file",
    [
        lambda _: record_video("mp4", 3, VIDEO_SOURCE)[:3000],  # the index at the end is missing
        lambda _: record_video("nut", 3, VIDEO_SOURCE),  # not a supported container
        lambda local_video: f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:3,\n{local_video}\n#EXT-X-ENDLIST\n".encode(),
    ],
    ids=["half a video", "another container", "HLS playlist"],
)
def test_a_file_that_is_not_a_video_fails_and_a_local_file_that_it_names_is_not_read(
    service: ServedMediaConvert, tmp_path: Path, make_file: Callable[[Path], bytes]
) -> None:
    local_video = tmp_path / "video.ts"
    local_video.write_bytes(record_video("ts", 3, VIDEO_SOURCE))
    event = service.cut(make_file(local_video))
    assert (event["status"], event["errorCode"]) == ("ERROR", 1010), "MediaConvert cannot open the file"
    assert UPLOAD in event["userMetadata"]["key"]
    assert service.account.output_files() == {}


def test_a_job_reads_and_writes_with_the_permissions_of_its_role(service: ServedMediaConvert) -> None:
    for action in ("s3:GetObject", "s3:PutObject"):
        service.account.denied_actions = {f"{action} {ROLE}"}
        request = job_request(service.upload(record_video("mp4", 3, VIDEO_SOURCE)))
        event = service.run({**request, "ClientRequestToken": action})
        assert (event["status"], event["errorCode"]) == ("ERROR", 1401), "MediaConvert has no access"


def test_a_job_with_unsupported_settings_is_refused(service: ServedMediaConvert) -> None:
    request = job_request(service.upload(b""))
    hls_settings(request).update(SegmentControl="SINGLE_FILE")
    assert create_job_error(service, request) == ("BadRequestException", 400)
    assert service.account.events.empty()


def test_a_caller_needs_create_job_and_pass_role_and_the_role_must_trust_the_service(
    service: ServedMediaConvert,
) -> None:
    request = job_request(service.upload(b""))
    for action in ("mediaconvert:CreateJob", "iam:PassRole"):
        service.account.denied_actions = {action}
        assert create_job_error(service, request) == ("AccessDeniedException", 403)
        assert service.account.permission_checks[-1][:2] == (ACCESS_KEY, action)
    assert service.account.permission_checks[-1][2:] == (ROLE, {"iam:PassedToService": "mediaconvert.amazonaws.com"})
    service.account.denied_actions, service.account.roles_trust_service = set(), False
    assert create_job_error(service, request) == ("BadRequestException", 400)

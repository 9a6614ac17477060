"""Tests of the local MediaConvert with boto3 and real videos."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.emulation.mediaconvert.video_cutting import parse_job
from tests.local.emulation.fake_account import ACCESS_KEY
from tests.local.emulation.mediaconvert.served_mediaconvert import (
    AUDIO_SOURCE,
    BUCKET,
    ROLE,
    UPLOAD,
    VIDEO_SOURCE,
    ServedMediaConvert,
    job_request,
    picture_size,
    picture_times,
    record_video,
    serve_mediaconvert,
    starts_with_key_frame,
    stream_kinds,
)
from tests.local.emulation.server_threads import TIMEOUT_SECONDS

pytestmark = pytest.mark.media


@pytest.fixture
def service() -> Iterator[ServedMediaConvert]:
    with serve_mediaconvert() as mediaconvert:
        yield mediaconvert


def create_job_error(service: ServedMediaConvert, request: dict[str, Any]) -> tuple[str, int]:
    """Return the error code and the HTTP status with which a job is refused."""
    with pytest.raises(ClientError) as error:
        service.client.create_job(**request)
    response = error.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_a_video_is_cut_into_segments_of_the_requested_length(service: ServedMediaConvert) -> None:
    request = job_request(service.upload(record_video("mp4", 7, VIDEO_SOURCE, AUDIO_SOURCE)))
    service.client.create_job(**request)

    first_event, last_event = service.account.wait_for_end_of_job()
    assert (first_event["status"], last_event["status"]) == ("PROGRESSING", "COMPLETE")
    assert last_event["userMetadata"] == request["UserMetadata"]
    assert last_event["queue"] == "arn:aws:mediaconvert:us-east-1:123456789012:queues/Default"
    [group] = last_event["outputGroupDetails"]
    destination = hls_settings(request)["Destination"]
    assert group["playlistFilePaths"] == [f"{destination}{UPLOAD}.m3u8"]
    [output] = group["outputDetails"]
    assert output["outputFilePaths"] == [f"{destination}{UPLOAD}_chunk.m3u8"]
    assert output["durationInMs"] == pytest.approx(7000, abs=50)

    names = [f"{UPLOAD}_chunk_{number:05d}.ts" for number in range(1, 5)]
    files = service.account.output_files()
    assert list(files) == sorted([f"{UPLOAD}.m3u8", f"{UPLOAD}_chunk.m3u8", *names])
    times = [picture_times(segment) for segment in service.segments()]
    assert [len(segment) for segment in times] == [10, 10, 10, 5], "5 pictures a second, for 2, 2, 2 and 1 seconds"
    assert [segment[0] - times[0][0] for segment in times] == pytest.approx([0, 2, 4, 6], abs=0.01)
    for segment in service.segments():
        assert stream_kinds(segment) == ["Audio", "Video"]
        assert starts_with_key_frame(segment)

    lines = files[f"{UPLOAD}_chunk.m3u8"].decode().splitlines()
    assert [line for line in lines if not line.startswith("#")] == names
    lengths = [float(line.removeprefix("#EXTINF:").rstrip(",")) for line in lines if line.startswith("#EXTINF:")]
    assert lengths == pytest.approx([2, 2, 2, 1], abs=0.01)
    assert f"{UPLOAD}_chunk.m3u8" in files[f"{UPLOAD}.m3u8"].decode().splitlines()


def test_a_job_whose_event_cannot_be_sent_does_not_stop_later_jobs(
    service: ServedMediaConvert, monkeypatch: pytest.MonkeyPatch
) -> None:
    event_was_refused = threading.Event()

    def refuse_event(*_arguments: object) -> None:
        event_was_refused.set()
        raise RuntimeError("the bus refuses the event")

    request = job_request(service.upload(record_video("mp4", 1, VIDEO_SOURCE, AUDIO_SOURCE)))
    with monkeypatch.context() as patch:
        patch.setattr(service.account, "put_event", refuse_event)
        service.client.create_job(**{**request, "ClientRequestToken": "first"})
        assert event_was_refused.wait(TIMEOUT_SECONDS)
    assert service.run({**request, "ClientRequestToken": "second"})["status"] == "COMPLETE"


def test_the_key_of_a_video_may_contain_a_line_break(service: ServedMediaConvert) -> None:
    request = job_request(service.upload(b""))
    key = "videos/line\nbreak.mp4"
    request["Settings"]["Inputs"][0]["FileInput"] = f"s3://{BUCKET}/{key}"
    assert parse_job(request).input_key == key


def test_a_segment_of_two_minutes_has_exactly_that_length(service: ServedMediaConvert) -> None:
    """This is the default length of video chunks. The small video is encoded quickly."""
    service.cut(record_video("mp4", 250, "testsrc=size=64x48:rate=1"), seconds=120)
    assert [len(picture_times(segment)) for segment in service.segments()] == [120, 120, 10]


@pytest.mark.parametrize("suffix", ["mov", "mkv", "webm", "ts", "flv"])
def test_every_video_container_is_read_and_the_case_of_its_extension_is_ignored(
    service: ServedMediaConvert, suffix: str
) -> None:
    video = record_video(suffix, 3, VIDEO_SOURCE, "sine=frequency=440:sample_rate=44100")
    assert service.cut(video, suffix=f".{suffix.upper()}")["status"] == "COMPLETE"
    assert len(service.segments()) == 2


def test_a_large_video_without_sound_is_scaled_down_with_its_aspect_ratio(service: ServedMediaConvert) -> None:
    assert service.cut(record_video("mp4", 3, "testsrc=size=1080x1920:rate=2"))["status"] == "COMPLETE"
    segments = service.segments()
    assert [stream_kinds(segment) for segment in segments] == [["Video"], ["Video"]]
    assert {picture_size(segment) for segment in segments} <= {(404, 720), (406, 720)}, (
        "405 pixels keep the ratio, but must be even"
    )


@pytest.mark.parametrize(
    "make_file",
    [
        lambda _: b"no video\n" * 100,
        lambda _: record_video("mp4", 3, AUDIO_SOURCE),
        lambda _: record_video("mp4", 3, VIDEO_SOURCE)[:3000],  # the index at the end is missing
        lambda _: record_video("nut", 3, VIDEO_SOURCE),  # not a supported container
        lambda local_video: f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:3,\n{local_video}\n#EXT-X-ENDLIST\n".encode(),
        lambda local_video: f"ffconcat version 1.0\nfile {local_video}\n".encode(),
    ],
    ids=["text", "audio only", "half a video", "another container", "HLS playlist", "ffmpeg list"],
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
        event = service.cut(record_video("mp4", 3, VIDEO_SOURCE))
        assert (event["status"], event["errorCode"]) == ("ERROR", 1401), "MediaConvert has no access"
        service.now[0] += 61  # after a minute, the same request creates another job


def test_a_job_without_its_video_fails(service: ServedMediaConvert) -> None:
    request = job_request(service.upload(b""))
    service.account.objects.clear()
    assert service.run(request)["errorCode"] == 1404, "MediaConvert does not find the file"


def test_requests_with_the_same_token_return_the_same_job_for_a_minute(service: ServedMediaConvert) -> None:
    request = job_request(service.upload(record_video("mp4", 3, VIDEO_SOURCE)))
    first = service.client.create_job(**request)["Job"]
    assert (first["Status"], first["Role"]) == ("SUBMITTED", ROLE)
    service.now[0] += 59
    assert service.client.create_job(**request)["Job"]["Id"] == first["Id"]
    service.now[0] += 2
    assert service.client.create_job(**request)["Job"]["Id"] != first["Id"]
    assert service.client.create_job(**{**request, "ClientRequestToken": "x"})["Job"]["Id"] != first["Id"]


def hls_settings(request: dict[str, Any]) -> dict[str, Any]:
    settings: dict[str, Any] = request["Settings"]["OutputGroups"][0]["OutputGroupSettings"]["HlsGroupSettings"]
    return settings


@pytest.mark.parametrize(
    "change",
    [
        lambda request: hls_settings(request).update(SegmentControl="SINGLE_FILE"),
        lambda request: hls_settings(request).update(SegmentLengthControl="GOP_MULTIPLE"),
        lambda request: hls_settings(request).update(SegmentLength=0),
        lambda request: hls_settings(request).update(Destination="https://example.com/"),
        lambda request: request["Settings"].update(Inputs=2 * request["Settings"]["Inputs"]),
    ],
    ids=["single file", "length in groups of pictures", "no length", "destination outside S3", "two inputs"],
)
def test_a_job_with_unsupported_settings_is_refused(
    service: ServedMediaConvert, change: Callable[[dict[str, Any]], object]
) -> None:
    request = job_request(service.upload(b""))
    change(request)
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

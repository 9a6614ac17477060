"""Tests of the local MediaConvert with a real client and real videos."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.emulation.mediaconvert.video_cutting import parse_job
from tests.local.emulation.mediaconvert.served_mediaconvert import (
    BUCKET,
    PICTURES,
    ROLE,
    SOUND,
    UPLOAD,
    ServedMediaConvert,
    is_key_frame_first,
    job,
    recorded,
    serve_mediaconvert,
    size_of,
    streams,
    times,
)
from tests.local.emulation.server_threads import TIMEOUT_SECONDS

pytestmark = pytest.mark.media


@pytest.fixture
def service() -> Iterator[ServedMediaConvert]:
    with serve_mediaconvert() as mediaconvert:
        yield mediaconvert


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


def test_a_job_whose_event_cannot_be_sent_does_not_stop_later_jobs(
    service: ServedMediaConvert, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = threading.Event()

    def refuse_event(*_arguments: object) -> None:
        refused.set()
        raise RuntimeError("the bus refuses the event")

    request = job(service.upload(recorded("mp4", 1, PICTURES, SOUND)))
    with monkeypatch.context() as patch:
        patch.setattr(service.account, "put_event", refuse_event)
        service.client.create_job(**{**request, "ClientRequestToken": "first"})
        assert refused.wait(TIMEOUT_SECONDS)
    service.client.create_job(**{**request, "ClientRequestToken": "second"})
    assert service.account.until_done()[-1]["status"] == "COMPLETE"


def test_the_key_of_a_video_may_contain_a_line_break(service: ServedMediaConvert) -> None:
    request = job(service.upload(b""))
    key = "videos/line\nbreak.mp4"
    request["Settings"]["Inputs"][0]["FileInput"] = f"s3://{BUCKET}/{key}"
    assert parse_job(request).input_key == key


def test_a_segment_of_two_minutes_has_exactly_that_length(service: ServedMediaConvert) -> None:
    """Use the project's own segment length with a video that is encoded quickly."""
    service.cut(recorded("mp4", 250, "testsrc=size=64x48:rate=1"), seconds=120)
    assert [len(times(segment)) for segment in service.segments()] == [120, 120, 10]


@pytest.mark.parametrize(("end", "pictures"), [("00:00:03:00", [10, 6]), ("11:30:00:00", [10, 10, 10, 5])])
def test_a_clip_ends_with_the_frame_at_its_end_or_with_the_input(
    service: ServedMediaConvert, end: str, pictures: list[int]
) -> None:
    request = job(service.upload(recorded("mp4", 7, PICTURES, SOUND)))
    request["Settings"]["Inputs"][0]["InputClippings"] = [{"EndTimecode": end}]
    service.client.create_job(**request)
    assert service.account.until_done()[-1]["status"] == "COMPLETE"
    assert [len(times(segment)) for segment in service.segments()] == pictures


@pytest.mark.parametrize("suffix", ["mov", "mkv", "webm", "ts", "flv"])
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
        lambda _: recorded("nut", 3, PICTURES),  # a container that is not on the list
        lambda other: f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:3,\n{other}\n#EXT-X-ENDLIST\n".encode(),
        lambda other: f"ffconcat version 1.0\nfile {other}\n".encode(),
    ],
    ids=["text", "no pictures", "half a video", "another container", "playlist of a file", "list of a file"],
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
        ("SegmentLength", 0),
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

"""The local MediaConvert, by a real client and with real videos."""

import json
import os
import subprocess
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.services.mediaconvert_jobs import Job, Jobs
from tests import processes
from tests.local.services.mediaconvert_serving import (
    BUCKET,
    PICTURES,
    ROLE,
    SOUND,
    UPLOAD,
    Served,
    job,
    key_frame_first,
    recorded,
    served,
    streams,
    times,
)
from tests.local.services.threads import PATIENCE

pytestmark = pytest.mark.media
CLIPS = "Settings/Inputs/0/InputClippings"


@pytest.fixture
def service() -> Iterator[Served]:
    with served() as one:
        yield one


def changed(request: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A request with one thing changed, or taken away."""
    copy: dict[str, Any] = json.loads(json.dumps(request))
    at: Any = copy
    *steps, last = [int(one) if one.isdigit() else one for one in path.split("/")]
    for step in steps:
        at = at[step]
    if value is None:
        del at[last]
    else:
        at[last] = value
    return copy


def refusal(service: Served, request: dict[str, Any]) -> tuple[str, int, str]:
    with pytest.raises(ClientError) as refused:
        service.client.create_job(**request)
    response = refused.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Message"]


def test_a_job_is_answered_as_it_was_submitted_however_soon_it_begins(
    service: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def begun(jobs: Jobs, one: Job) -> None:
        one.status = "PROGRESSING"
        submit(jobs, one)

    submit = Jobs.submit
    monkeypatch.setattr(Jobs, "submit", begun)
    answer = service.client.create_job(**job(service.upload(b"no video")))
    assert answer["Job"]["Status"] == "SUBMITTED"


def test_a_video_is_cut_into_chunks_of_the_length_asked_for(service: Served) -> None:
    events = service.cut(recorded("mp4", 7, PICTURES, SOUND))
    assert [one["status"] for one in events] == ["PROGRESSING", "STATUS_UPDATE", "COMPLETE"]
    names = [f"{UPLOAD}_chunk_{number:05d}.ts" for number in range(1, 5)]
    assert service.account.names() == sorted([f"{UPLOAD}.m3u8", f"{UPLOAD}_chunk.m3u8", *names])
    shown = [times(one) for one in service.segments()]
    assert [len(one) for one in shown] == [10, 10, 10, 5], "5 pictures a second, for 2, 2, 2 and 1 seconds"
    for place, one in enumerate(shown):
        assert one[0] - shown[0][0] == pytest.approx(2 * place, abs=0.01)
    for segment in service.segments():
        assert sorted(streams(segment)) == ["Audio", "Video"]
        assert key_frame_first(segment)


def test_a_clip_ends_with_the_frame_at_its_end(service: Served) -> None:
    request = job(service.upload(recorded("mp4", 7, PICTURES, SOUND)))
    service.client.create_job(**changed(request, CLIPS, [{"EndTimecode": "00:00:03:00"}]))
    last = service.account.until_done()[-1]
    assert last["outputGroupDetails"][0]["outputDetails"][0]["durationInMs"] == pytest.approx(3200, abs=50)
    assert [len(times(one)) for one in service.segments()] == [10, 6], "5 pictures a second, and the one at 3 seconds"


def test_a_clip_that_ends_behind_its_input_is_all_of_it(service: Served) -> None:
    request = job(service.upload(recorded("mp4", 3, PICTURES, SOUND)))
    service.client.create_job(**changed(request, CLIPS, [{"EndTimecode": "11:30:00:00"}]))
    assert service.account.until_done()[-1]["status"] == "COMPLETE"
    assert [len(times(one)) for one in service.segments()] == [10, 5]


def test_two_minutes_are_two_minutes(service: Served) -> None:
    """What the project asks for in earnest, of a video that is quickly made."""
    service.cut(recorded("mp4", 250, "testsrc=size=64x48:rate=1"), seconds=120)
    assert [len(times(one)) for one in service.segments()] == [120, 120, 10]


def test_the_playlist_names_the_chunks_with_their_lengths(service: Served) -> None:
    service.cut(recorded("mp4", 7, PICTURES, SOUND))
    lines = service.account.named(f"{UPLOAD}_chunk.m3u8").decode().splitlines()
    named = [line for line in lines if not line.startswith("#")]
    assert named == [name for name in service.account.names() if name.endswith(".ts")]
    lengths = [float(line.removeprefix("#EXTINF:").rstrip(",")) for line in lines if line.startswith("#EXTINF:")]
    assert lengths == pytest.approx([2, 2, 2, 1], abs=0.01)
    assert f"{UPLOAD}_chunk.m3u8" in service.account.named(f"{UPLOAD}.m3u8").decode().splitlines()


def test_the_last_event_says_where_everything_is_and_whose(service: Served) -> None:
    last = service.cut(recorded("mp4", 7, PICTURES, SOUND))[-1]
    prefix = job(service.upload(b""))["Settings"]["OutputGroups"][0]["OutputGroupSettings"]["HlsGroupSettings"]
    [group] = last["outputGroupDetails"]
    assert group["playlistFilePaths"] == [f"{prefix['Destination']}{UPLOAD}.m3u8"]
    [output] = group["outputDetails"]
    assert output["outputFilePaths"] == [f"{prefix['Destination']}{UPLOAD}_chunk.m3u8"]
    assert output["durationInMs"] == pytest.approx(7000, abs=50)
    assert output["videoDetails"] == {"widthInPx": 160, "heightInPx": 120}
    assert last["userMetadata"] == job(service.upload(b""))["UserMetadata"]
    assert last["queue"] == "arn:aws:mediaconvert:us-east-1:123456789012:queues/Default"


def test_what_is_made_differs_with_what_is_given(service: Served) -> None:
    service.cut(recorded("mp4", 3, PICTURES, SOUND))
    one = service.segments()
    service.now[0] += 61
    service.cut(recorded("mp4", 3, "testsrc2=size=160x120:rate=5", SOUND))
    assert len(service.segments()) == len(one)
    assert service.segments() != one


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "webm", "ts", "flv"])
def test_every_kind_of_video_is_read_whatever_the_case_of_its_name(service: Served, suffix: str) -> None:
    video = recorded(suffix, 3, PICTURES, "sine=frequency=440:sample_rate=44100")
    assert service.cut(video, suffix=f".{suffix.upper()}")[-1]["status"] == "COMPLETE"
    assert len(service.segments()) == 2


def test_large_pictures_are_made_smaller_and_keep_their_form(service: Served) -> None:
    large = service.cut(recorded("mp4", 1, "testsrc=size=1080x1920:rate=2"))[-1]
    details = large["outputGroupDetails"][0]["outputDetails"][0]["videoDetails"]
    assert (details["widthInPx"], details["heightInPx"]) in {(404, 720), (406, 720)}


def test_a_video_without_sound_is_cut_without(service: Served) -> None:
    assert service.cut(recorded("mp4", 3, PICTURES))[-1]["status"] == "COMPLETE"
    assert [streams(one) for one in service.segments()] == [["Video"], ["Video"]]


def test_sound_without_pictures_is_an_error(service: Served) -> None:
    last = service.cut(recorded("mp4", 3, SOUND))[-1]
    assert (last["status"], last["errorCode"]) == ("ERROR", 1010)
    assert "No video track" in last["errorMessage"]
    assert service.account.names() == []


PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n"
BROKEN = {
    "nothing": b"",
    "text": b"no video\n" * 100,
    "a playlist of this machine's files": PLAYLIST,
    "a list of this machine's files": b"ffconcat version 1.0\nfile /etc/hostname\n",
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN.keys())
def test_what_is_no_video_is_an_error_event(service: Served, data: bytes) -> None:
    last = service.cut(data)[-1]
    assert (last["status"], last["errorCode"]) == ("ERROR", 1010)
    assert last["userMetadata"]["uploadId"] == UPLOAD
    assert service.account.names() == []


def test_half_a_video_is_an_error_event(service: Served) -> None:
    """An MP4's index stands at its end."""
    assert service.cut(recorded("mp4", 3, PICTURES)[:3000])[-1]["errorCode"] == 1010


def test_a_container_that_is_not_on_the_list_is_not_opened(service: Served) -> None:
    """ffmpeg reads far more than videos are in, and some of it names files of this machine."""
    assert service.cut(recorded("nut", 3, PICTURES))[-1]["errorCode"] == 1010


def test_a_playlist_of_other_peoples_videos_is_not_followed(service: Served, tmp_path: Path) -> None:
    """It would work, if it were: what it names can be cut."""
    other = tmp_path / "other.ts"
    other.write_bytes(recorded("ts", 3, PICTURES))
    lists = f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:3,\n{other}\n#EXT-X-ENDLIST\n"
    assert service.cut(lists.encode(), suffix=".ts")[-1]["status"] == "ERROR"


def test_a_job_reads_and_writes_as_its_role_may(service: Served) -> None:
    video = recorded("mp4", 3, PICTURES)
    for action in ("s3:GetObject", "s3:PutObject"):
        service.account.forbidden = {action}
        last = service.cut(video)[-1]
        assert (last["status"], last["errorCode"]) == ("ERROR", 1401)
        service.now[0] += 61


def test_an_input_that_is_not_there_is_an_error_event(service: Served) -> None:
    video = service.upload(b"")
    service.account.objects.clear()
    service.client.create_job(**job(video))
    assert service.account.until_done()[-1]["errorCode"] == 1404


def test_the_same_token_is_the_same_job_for_a_minute(service: Served) -> None:
    request = job(service.upload(recorded("mp4", 3, PICTURES)))
    first = service.client.create_job(**request)["Job"]["Id"]
    service.now[0] += 59
    assert service.client.create_job(**request)["Job"]["Id"] == first
    service.now[0] += 2
    assert service.client.create_job(**request)["Job"]["Id"] != first
    assert service.client.create_job(**changed(request, "ClientRequestToken", "another"))["Job"]["Id"] != first


def test_a_job_can_be_asked_about(service: Served) -> None:
    request = job(service.upload(recorded("mp4", 3, PICTURES)))
    made = service.client.create_job(**request)
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert made["Job"]["Settings"] == request["Settings"]
    service.account.until_done()
    found = service.client.get_job(Id=made["Job"]["Id"])["Job"]
    assert (found["Status"], found["Role"], found["UserMetadata"]) == ("COMPLETE", ROLE, request["UserMetadata"])
    assert found["OutputGroupDetails"][0]["OutputDetails"][0]["DurationInMs"] == 3000
    assert found["Timing"]["SubmitTime"] <= found["Timing"]["FinishTime"]
    with pytest.raises(service.client.exceptions.NotFoundException):
        service.client.get_job(Id="another")


def test_jobs_are_listed_newest_first_and_page_by_page(service: Served) -> None:
    service.account.forbidden = {"s3:GetObject"}
    made = []
    for place in range(3):
        request = changed(job(service.upload(b"")), "ClientRequestToken", str(place))
        made.append(service.client.create_job(**request)["Job"]["Id"])
        service.account.until_done()
    one = service.client.list_jobs(MaxResults=2)
    two = service.client.list_jobs(MaxResults=2, NextToken=one["NextToken"])
    assert [job["Id"] for job in [*one["Jobs"], *two["Jobs"]]] == made[::-1]
    assert "NextToken" not in two
    assert [one["Id"] for one in service.client.list_jobs(Order="ASCENDING", Status="ERROR")["Jobs"]] == made
    assert service.client.list_jobs(Status="COMPLETE")["Jobs"] == []


GROUP = "Settings/OutputGroups/0"
HLS = f"{GROUP}/OutputGroupSettings/HlsGroupSettings"
OUTPUT = f"{GROUP}/Outputs/0"
H264 = f"{OUTPUT}/VideoDescription/CodecSettings/H264Settings"
AAC = f"{OUTPUT}/AudioDescriptions/0/CodecSettings/AacSettings"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (f"{GROUP}/OutputGroupSettings/Type", "FILE_GROUP_SETTINGS"),
        (f"{GROUP}/OutputGroupSettings/Type", "CMAF_GROUP_SETTINGS"),
        (f"{GROUP}/OutputGroupSettings/Type", "NO_SUCH_GROUP"),
        (HLS, None),
        (f"{HLS}/SegmentControl", "SINGLE_FILE"),
        (f"{HLS}/SegmentLengthControl", "GOP_MULTIPLE"),
        (f"{HLS}/SegmentLength", 0),
        (f"{HLS}/MinFinalSegmentLength", 5),
        (f"{HLS}/Destination", "https://example.com/"),
        (f"{HLS}/Destination", None),
        ("Settings/Inputs", []),
        ("Settings/Inputs/0/FileInput", f"s3://{BUCKET}/"),
        ("Settings/Inputs/0/FileInput", "https://example.com/a.mp4"),
        ("Settings/Inputs/0/FileInput", "/etc/passwd"),
        ("Settings/Inputs/0/AudioSelectors", {}),
        (CLIPS, [{}]),
        (CLIPS, [{"EndTimecode": "12:00:00:00"}]),
        (CLIPS, [{"EndTimecode": "3 hours"}]),
        (CLIPS, [{"EndTimecode": "00:00:03:04"}]),
        (CLIPS, [{"StartTimecode": "00:00:01:00", "EndTimecode": "00:00:03:00"}]),
        (CLIPS, [{"EndTimecode": "00:00:01:00"}, {"EndTimecode": "00:00:03:00"}]),
        (f"{GROUP}/Outputs", []),
        (f"{OUTPUT}/ContainerSettings/Container", "MP4"),
        (f"{OUTPUT}/VideoDescription/Width", 1281),
        (f"{OUTPUT}/VideoDescription/Height", 8),
        (f"{OUTPUT}/VideoDescription/CodecSettings/Codec", "H_265"),
        (f"{H264}/MaxBitrate", None),
        (f"{H264}/MaxBitrate", 10),
        (f"{H264}/GopSize", 2.0),
        (f"{H264}/RateControlMode", "CONSTANT"),
        (f"{AAC}/Bitrate", 97_000),
        ("ClientRequestToken", "x" * 65),
        ("StatusUpdateInterval", "SECONDS_7"),
    ],
)
def test_a_job_that_breaks_a_rule_is_a_bad_request(service: Served, path: str, value: Any) -> None:
    request = job(service.upload(b""))
    assert refusal(service, changed(request, path, value))[:2] == ("BadRequestException", 400)
    assert service.account.events.empty()


def test_a_clip_is_counted_from_zero_here(service: Served) -> None:
    request = changed(job(service.upload(b"")), CLIPS, [{"EndTimecode": "00:00:03:00"}])
    for source in (None, "EMBEDDED"):
        refused = refusal(service, changed(request, "Settings/Inputs/0/TimecodeSource", source))
        assert refused[:2] == ("BadRequestException", 400)


@pytest.mark.parametrize(
    "body", [b"", b"no JSON", b"[]", b'{"role": "r", "settings": {"nothing": 1}}', b'{"settings": {}}']
)
def test_what_no_client_would_send_is_a_bad_request(service: Served, body: bytes) -> None:
    url = f"{service.client.meta.endpoint_url}/2017-08-29/jobs"
    signed = {"Authorization": "AWS4-HMAC-SHA256 Credential=KEY/20260101/us-east-1/mediaconvert/aws4_request"}
    request = urllib.request.Request(url, body, signed, method="POST")  # noqa: S310 - loopback
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=PATIENCE)
    with refused.value as answer:
        assert (answer.status, answer.headers["x-amzn-ErrorType"]) == (400, "BadRequestException")


def test_a_role_that_does_not_trust_it_cannot_be_assumed(service: Served) -> None:
    service.account.trusted = False
    code, status, told = refusal(service, job(service.upload(b"")))
    assert (code, status) == ("BadRequestException", 400)
    assert "role" in told


def test_a_caller_needs_to_create_and_to_pass(service: Served) -> None:
    request = job(service.upload(b""))
    for action in ("mediaconvert:CreateJob", "iam:PassRole"):
        service.account.forbidden = {action}
        assert refusal(service, request)[:2] == ("AccessDeniedException", 403)
        assert action in service.account.asked[-1]
    assert service.account.asked[-1][2:] == (ROLE, {"iam:PassedToService": "mediaconvert.amazonaws.com"})


def test_a_queue_that_is_not_there_is_not_found(service: Served) -> None:
    assert refusal(service, {**job(service.upload(b"")), "Queue": "another"})[:2] == ("NotFoundException", 404)


def test_too_many_jobs_are_too_many_requests() -> None:
    with served(most_waiting=0) as service:
        assert refusal(service, job(service.upload(b"")))[:2] == ("TooManyRequestsException", 429)


def test_one_job_runs_at_a_time_and_leaves_nothing_behind(
    service: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    at_once: list[int] = []
    popen = subprocess.Popen

    class Counted(popen):  # type: ignore[misc,valid-type]
        def __init__(self, *given: Any, **named: Any) -> None:
            at_once.append(len(processes.tree(os.getpid())))
            super().__init__(*given, **named)

    request = job(service.upload(recorded("mp4", 3, PICTURES)))  # recorded by a process of its own, if none was yet
    monkeypatch.setattr("local.services.mediaconvert_cutting.subprocess.Popen", Counted)
    for place in range(3):
        service.client.create_job(**changed(request, "ClientRequestToken", str(place)))
    for _ in range(3):
        assert service.account.until_done()[-1]["status"] == "COMPLETE"
    assert len(at_once) == 9
    assert len(set(at_once)) == 1, "no other process runs when one is started"
    assert list(tmp_path.iterdir()) == []


def test_it_stops_in_the_middle_of_a_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    began = threading.Event()
    popen = subprocess.Popen

    class Endless(popen):  # type: ignore[misc,valid-type]
        def __init__(self, command: list[str], **named: Any) -> None:
            endless = ["-f", "lavfi", "-i", "testsrc=rate=5", "-f", "null", "-"]
            super().__init__([*command[:1], "-re", *endless], **named)
            began.set()

    others = processes.tree(os.getpid())
    with served() as service:
        video = recorded("mp4", 3, PICTURES)
        monkeypatch.setattr("local.services.mediaconvert_cutting.subprocess.Popen", Endless)
        service.client.create_job(**job(service.upload(video)))
        assert began.wait(PATIENCE)
        before = threading.active_count()
    assert set(processes.tree(os.getpid())) <= set(others), "its ffmpeg is gone"
    assert threading.active_count() < before
    assert list(tmp_path.iterdir()) == []
    assert service.account.names() == []

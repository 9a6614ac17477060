"""Tests of the media job's outcomes: unusable recordings list every chunk to blame, and chunks cannot access anything
else.
"""

import hashlib
import json
import socket
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from handlers.meetings.media_job.ffmpeg import FfmpegFailed
from handlers.meetings.media_result import MediaOutcome
from handlers.meetings.upload_completion_file import MAX_COMPLETE_FILE_BYTES, Chunk
from tests.handlers.client_events import at_event
from tests.handlers.meetings.media_job import sample_videos
from tests.handlers.meetings.media_job.job_harness import BUCKET, JobHarness

pytestmark = pytest.mark.media

FAST_START = ("-movflags", "+faststart")
MP4 = sample_videos.video_with_audio(2, *sample_videos.H264, *sample_videos.AAC, *FAST_START)
WEBM = sample_videos.video_with_audio(2, "-c:v", "libvpx", "-deadline", "realtime", "-c:a", "libopus", suffix="webm")
SUBTITLE = "1\n00:00:00,000 --> 00:00:01,000\ncanary\n"


def test_all_missing_or_short_chunks_are_listed_before_a_download(harness: JobHarness) -> None:
    good = sample_videos.video_with_audio(1)
    harness.upload(good, good, good)
    harness.put_upload("canary-000.bin", good[:-1])
    harness.delete_upload("canary-001.bin")
    calls: list[str] = []
    with at_event(harness.s3, "before-call.s3", lambda model, **_: calls.append(model.name)):
        result = harness.run()
    assert (result.outcome, harness.ffmpeg_runs) == (MediaOutcome.INCOMPLETE, [])
    assert harness.wrong_chunks(result) == {"canary-000.bin": "size", "canary-001.bin": "missing"}
    assert calls == [*["GetObject"] * 3, *["HeadObject"] * 3, "PutObject", "GetObject"], (
        "the job reads the earlier result, complete.json, the stored chunk properties and the heads of all chunks. "
        "It then writes the result, which this test reads."
    )


def test_all_chunks_with_a_wrong_hash_are_listed(harness: JobHarness) -> None:
    good = sample_videos.video_with_audio(1)
    harness.upload(good, good, good)
    for name in ("canary-000.bin", "canary-002.bin"):
        harness.put_upload(name, bytes(len(good)))
    result = harness.run()
    assert (result.outcome, harness.ffmpeg_runs) == (MediaOutcome.INCOMPLETE, [])
    assert harness.wrong_chunks(result) == {"canary-000.bin": "hash", "canary-002.bin": "hash"}


def test_a_job_succeeds_after_the_missing_chunks_arrive(harness: JobHarness) -> None:
    good = sample_videos.video_with_audio(1)
    harness.upload(good)
    harness.delete_upload("canary-000.bin")
    assert harness.run().outcome is MediaOutcome.INCOMPLETE
    harness.put_upload("canary-000.bin", good)
    assert harness.run().outcome is MediaOutcome.READY


def test_a_job_whose_content_was_replaced_is_superseded(harness: JobHarness) -> None:
    harness.upload(sample_videos.video_with_audio(1))
    job = harness.create_job()
    earlier = harness.recording
    harness.upload(sample_videos.video_with_audio(2))
    assert job.run().outcome is MediaOutcome.SUPERSEDED
    assert json.loads(harness.read_object(earlier.media_result_key))["outcome"] == "superseded"
    assert harness.ffmpeg_runs == []


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (None, "missing"),
        (b"\xff\xfe canary", "unreadable"),
        (b" " * (MAX_COMPLETE_FILE_BYTES + 1), "size"),
    ],
)
def test_a_missing_or_malformed_complete_file_is_incomplete(
    harness: JobHarness, body: bytes | None, problem: str
) -> None:
    harness.upload(sample_videos.video_with_audio(1))
    if body is None:
        harness.delete_upload("complete.json")
    else:
        harness.put_upload("complete.json", body)
    result = harness.run()
    assert (result.outcome, harness.wrong_chunks(result)) == (MediaOutcome.INCOMPLETE, {"complete.json": problem})


@pytest.mark.parametrize(
    "chunk",
    [
        pytest.param(b"canary " * 1000, id="text"),
        pytest.param(bytes(range(256)) * 400, id="noise"),
        pytest.param(sample_videos.video_with_audio(2)[:-1000], id="an MP4 without its index"),
        pytest.param(MP4[: len(MP4) // 2], id="half an MP4"),
        pytest.param(WEBM[: len(WEBM) // 2], id="half a WebM"),
        pytest.param(MP4[:40] + bytes(len(MP4) - 40), id="an MP4's head"),
        pytest.param(SUBTITLE.encode(), id="subtitles"),
        pytest.param(
            sample_videos.make_file("png", "-f", "lavfi", "-i", sample_videos.TEST_CARD, "-frames:v", "1"),
            id="an image",
        ),
        pytest.param(b"ffconcat version 1.0\nfile chunk-0000\n", id="a list of our own chunks"),
        pytest.param(b"<?xml version='1.0'?><MPD><Period/></MPD>", id="DASH"),
        pytest.param(b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nm=video 5004 RTP/AVP 96\n", id="SDP"),
    ],
)
def test_a_chunk_that_is_no_media_file_is_listed(harness: JobHarness, chunk: bytes) -> None:
    harness.upload(sample_videos.video_with_audio(1), chunk)
    result = harness.run()
    assert (result.outcome, harness.wrong_chunks(result)) == (MediaOutcome.UNREADABLE, {"canary-001.bin": "unreadable"})
    assert harness.keys("video/") + harness.keys("audio/") == []


UNREADABLE_CHUNKS = [{"HeadObject": "400", "GetObject": "InvalidRequest"}, {"GetObject": "InvalidObjectState"}]
"""Chunks encrypted with the client's own key, and archived chunks. A retry would fail too."""
FORBIDDEN_CHUNKS = [{"HeadObject": "400", "GetObject": "ExpiredToken"}, {"GetObject": "AccessDenied"}]


@pytest.mark.parametrize("codes", UNREADABLE_CHUNKS + FORBIDDEN_CHUNKS)
def test_an_unreadable_chunk_is_listed_but_missing_permissions_fail_the_job(
    harness: JobHarness, codes: dict[str, str]
) -> None:
    def fail(model: Any, params: dict[str, Any], **_: Any) -> None:
        if "canary" in params["url_path"] and model.name in codes:
            raise ClientError({"Error": {"Code": codes[model.name], "Message": "canary"}}, model.name)

    harness.upload(sample_videos.video_with_audio(1))
    with at_event(harness.s3, "before-call.s3", fail):
        if codes in UNREADABLE_CHUNKS:
            result = harness.run()
            assert (result.outcome, harness.wrong_chunks(result)) == (
                MediaOutcome.INCOMPLETE,
                {"canary-000.bin": "unreadable"},
            )
        else:
            with pytest.raises(ClientError):
                harness.run()
            assert harness.keys(harness.recording.media_result_key) == []


def test_all_chunks_that_are_no_media_files_are_listed(harness: JobHarness) -> None:
    harness.upload(b"no", sample_videos.video_with_audio(1), b"nor this")
    assert harness.wrong_chunks(harness.run()) == {"canary-000.bin": "unreadable", "canary-002.bin": "unreadable"}


def test_a_chunk_whose_audio_cannot_be_decoded_is_listed(harness: JobHarness) -> None:
    """Only decoding the whole chunk shows the problem, because its index and first packets are valid."""
    good = sample_videos.audio_only(5, "-c:a", "flac", suffix="mp4", every=0.1)
    begin, end = good.index(b"mdat") + 2000, good.index(b"moov")
    noise = hashlib.shake_256(b"noise").digest(end - begin - 100)
    harness.upload(sample_videos.audio_only(1), good[:begin] + noise + good[end - 100 :])
    result = harness.run()
    assert result.outcome is MediaOutcome.UNREADABLE
    assert harness.wrong_chunks(result) == {"canary-001.bin": "unreadable"}


@pytest.mark.parametrize("form", ["ffconcat version 1.0\nfile '{0}'\n", "#EXTM3U\n#EXTINF:1,\n{0}\n#EXT-X-ENDLIST\n"])
@pytest.mark.parametrize("where", ["path", "file", "http"])
def test_a_playlist_in_a_chunk_opens_no_files(harness: JobHarness, form: str, where: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret.mp4"
    secret.write_bytes(sample_videos.video_with_audio(1))
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        address = {
            "path": str(secret),
            "file": f"file://{secret}",
            "http": f"http://127.0.0.1:{server.getsockname()[1]}/secret.mp4",
        }[where]
        harness.upload(form.format(address).encode())
        result = harness.run()
        with pytest.raises(BlockingIOError):
            server.accept()
    assert (result.outcome, harness.wrong_chunks(result)) == (MediaOutcome.UNREADABLE, {"canary-000.bin": "unreadable"})


def test_subtitles_in_a_chunk_are_dropped(harness: JobHarness, tmp_path: Path) -> None:
    (tmp_path / "s.srt").write_text(SUBTITLE)
    film = ("-f", "lavfi", "-i", sample_videos.TEST_CARD, "-f", "lavfi", "-i", sample_videos.BEEP.format(every=9))
    harness.upload(
        sample_videos.make_file(
            "mkv", *film, "-i", str(tmp_path / "s.srt"), *sample_videos.H264, *sample_videos.AAC, "-t", "1"
        )
    )
    assert harness.run().outcome is MediaOutcome.READY
    video = harness.read_object(harness.recording.video_key)
    assert b"canary" not in video
    assert "Subtitle" not in sample_videos.describe_file(video, tmp_path)


def test_an_oversized_frame_is_not_decoded(harness: JobHarness) -> None:
    harness.upload(
        sample_videos.video_only(0.1, "-c:v", "libx264", "-preset", "ultrafast", card="color=s=5000x4000:r=10")
    )
    assert harness.run().outcome is MediaOutcome.UNREADABLE


def test_a_recording_that_claims_days_is_too_large(harness: JobHarness) -> None:
    long = sample_videos.video_only(1, *sample_videos.H264, "-bsf:v", "setts=ts=TS*100000")
    harness.upload(long)
    result = harness.run()
    assert (result.outcome, harness.keys("video/")) == (MediaOutcome.TOO_LARGE, [])


def test_a_recording_larger_than_the_disk_is_not_downloaded(harness: JobHarness) -> None:
    harness.scratch_bytes = 50_000
    harness.upload_complete_file(Chunk(name="never-there", bytes=50_001, sha256="0" * 64))
    assert harness.run().outcome is MediaOutcome.TOO_LARGE
    assert harness.ffmpeg_runs == []


def test_a_recording_whose_output_does_not_fit_is_not_processed(harness: JobHarness) -> None:
    chunk = sample_videos.video_with_audio(2)
    harness.scratch_bytes = len(chunk) + 1000
    harness.upload(chunk)
    assert harness.run().outcome is MediaOutcome.TOO_LARGE
    assert len(harness.ffmpeg_runs) == 1, "the chunk was probed, but not processed"
    harness.scratch_bytes = 20_000_000
    assert harness.run().outcome is MediaOutcome.READY, "a larger disk changes the outcome"


@pytest.mark.parametrize("program", ["exit 1", f'exec {sample_videos.FFMPEG} "$@" 2>/dev/null'])
def test_a_broken_ffmpeg_blames_no_recording(harness: JobHarness, program: str) -> None:
    harness.upload(sample_videos.video_with_audio(1))
    harness.counting_ffmpeg.write_text(f"#!/bin/sh\n{program}\n")
    with pytest.raises(FfmpegFailed):
        harness.run()
    assert harness.keys(harness.recording.media_result_key) == []


def test_a_video_that_cannot_be_copied_after_all_is_encoded(harness: JobHarness) -> None:
    harness.upload(sample_videos.video_with_audio(1), sample_videos.video_with_audio(1))
    body = harness.counting_ffmpeg.read_text()
    harness.counting_ffmpeg.write_text(
        body.replace("exec", 'case "$*" in *faststart*) test -e tried || { touch tried; exit 1; };; esac\nexec')
    )
    result = harness.run()
    assert (result.outcome, result.copied) == (MediaOutcome.READY, False)
    before = len(harness.ffmpeg_runs)
    harness.s3.delete_object(Bucket=BUCKET, Key=harness.recording.video_key)
    assert not harness.run().copied
    assert not [run for run in harness.ffmpeg_runs[before:] if "libx264" in run], "the pieces must be reused"

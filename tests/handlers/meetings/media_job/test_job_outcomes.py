"""Tests of the media job's outcomes for unusable recordings.

The result lists every chunk that is missing, differs from its entry in `complete.json`, or is no media file. A hostile
chunk cannot make ffmpeg open other files or addresses.
"""

import hashlib
import json
import socket
from contextlib import AbstractContextManager
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
WEBM = sample_videos.video_with_audio(2, *sample_videos.VP8, suffix="webm")
SUBTITLE = "1\n00:00:00,000 --> 00:00:01,000\ncanary\n"


def test_all_missing_or_short_chunks_are_listed_before_a_download(harness: JobHarness) -> None:
    chunk = sample_videos.video_with_audio(1)
    harness.upload(chunk, chunk, chunk)
    harness.put_upload("canary-000.bin", chunk[:-1])
    harness.delete_upload("canary-001.bin")
    s3_calls: list[str] = []
    with at_event(harness.s3, "before-call.s3", lambda model, **_: s3_calls.append(model.name)):
        result = harness.run()
    assert (result.outcome, harness.ffmpeg_runs) == (MediaOutcome.INCOMPLETE, [])
    assert harness.wrong_files(result) == {"canary-000.bin": "size", "canary-001.bin": "missing"}
    assert s3_calls == [*["GetObject"] * 3, *["HeadObject"] * 3, "PutObject", "GetObject"], (
        "the job reads the earlier result, complete.json, the stored chunk properties and the heads of all chunks. "
        "It then writes the result, which this test reads."
    )


def test_all_chunks_with_a_wrong_hash_are_listed(harness: JobHarness) -> None:
    chunk = sample_videos.video_with_audio(1)
    harness.upload(chunk, chunk, chunk)
    for name in ("canary-000.bin", "canary-002.bin"):
        harness.put_upload(name, bytes(len(chunk)))
    result = harness.run()
    assert (result.outcome, harness.ffmpeg_runs) == (MediaOutcome.INCOMPLETE, [])
    assert harness.wrong_files(result) == {"canary-000.bin": "hash", "canary-002.bin": "hash"}


def test_a_job_succeeds_after_the_missing_chunks_arrive(harness: JobHarness) -> None:
    chunk = sample_videos.video_with_audio(1)
    harness.upload(chunk)
    harness.delete_upload("canary-000.bin")
    assert harness.run().outcome is MediaOutcome.INCOMPLETE
    harness.put_upload("canary-000.bin", chunk)
    assert harness.run().outcome is MediaOutcome.READY


def test_a_job_is_superseded_if_complete_json_lists_other_chunks_now(harness: JobHarness) -> None:
    harness.upload(sample_videos.video_with_audio(1))
    job = harness.create_job()
    earlier_recording = harness.recording
    harness.upload(sample_videos.video_with_audio(2))
    assert job.run().outcome is MediaOutcome.SUPERSEDED
    assert json.loads(harness.read_object(earlier_recording.media_result_key))["outcome"] == "superseded"
    assert harness.ffmpeg_runs == []


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        pytest.param(None, "missing", id="missing"),
        pytest.param(b"\xff\xfe canary", "unreadable", id="no JSON"),
        pytest.param(b" " * (MAX_COMPLETE_FILE_BYTES + 1), "size", id="too large"),
    ],
)
def test_a_recording_with_a_missing_or_malformed_complete_json_is_incomplete(
    harness: JobHarness, body: bytes | None, problem: str
) -> None:
    harness.upload(sample_videos.video_with_audio(1))
    if body is None:
        harness.delete_upload("complete.json")
    else:
        harness.put_upload("complete.json", body)
    result = harness.run()
    assert (result.outcome, harness.wrong_files(result)) == (MediaOutcome.INCOMPLETE, {"complete.json": problem})


@pytest.mark.parametrize(
    "chunk",
    [
        pytest.param(b"canary " * 1000, id="text"),
        pytest.param(bytes(range(256)) * 400, id="noise"),
        pytest.param(sample_videos.video_with_audio(2)[:-1000], id="an MP4 without its index"),
        pytest.param(MP4[: len(MP4) // 2], id="half an MP4"),
        pytest.param(WEBM[: len(WEBM) // 2], id="half a WebM"),
        pytest.param(MP4[:40] + bytes(len(MP4) - 40), id="the first bytes of an MP4, and zeros"),
        pytest.param(SUBTITLE.encode(), id="subtitles"),
        pytest.param(
            sample_videos.make_file("png", *sample_videos.lavfi_inputs(sample_videos.TEST_CARD), "-frames:v", "1"),
            id="an image",
        ),
        pytest.param(b"ffconcat version 1.0\nfile chunk-0000\n", id="a playlist of the job's own files"),
        pytest.param(b"<?xml version='1.0'?><MPD><Period/></MPD>", id="DASH"),
        pytest.param(b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nm=video 5004 RTP/AVP 96\n", id="SDP"),
    ],
)
def test_a_chunk_that_is_no_media_file_is_listed(harness: JobHarness, chunk: bytes) -> None:
    harness.upload(sample_videos.video_with_audio(1), chunk)
    result = harness.run()
    assert (result.outcome, harness.wrong_files(result)) == (MediaOutcome.UNREADABLE, {"canary-001.bin": "unreadable"})
    assert harness.keys("video/") + harness.keys("audio/") == []


def failing_chunk_calls(harness: JobHarness, error_codes: dict[str, str]) -> AbstractContextManager[None]:
    """Let S3 answer these operations on chunks with these error codes."""

    def fail(model: Any, params: dict[str, Any], **_: Any) -> None:
        if "canary" in params["url_path"] and model.name in error_codes:
            raise ClientError({"Error": {"Code": error_codes[model.name], "Message": "canary"}}, model.name)

    return at_event(harness.s3, "before-call.s3", fail)


@pytest.mark.parametrize(
    "error_codes",
    [{"HeadObject": "400", "GetObject": "InvalidRequest"}, {"GetObject": "InvalidObjectState"}],
    ids=["encrypted with the client's own key", "archived"],
)
def test_a_chunk_that_no_retry_can_read_is_listed(harness: JobHarness, error_codes: dict[str, str]) -> None:
    harness.upload(sample_videos.video_with_audio(1))
    with failing_chunk_calls(harness, error_codes):
        result = harness.run()
    assert (result.outcome, harness.wrong_files(result)) == (MediaOutcome.INCOMPLETE, {"canary-000.bin": "unreadable"})


@pytest.mark.parametrize(
    "error_codes", [{"HeadObject": "400", "GetObject": "ExpiredToken"}, {"GetObject": "AccessDenied"}]
)
def test_a_job_without_permission_fails_and_blames_no_chunk(harness: JobHarness, error_codes: dict[str, str]) -> None:
    harness.upload(sample_videos.video_with_audio(1))
    with failing_chunk_calls(harness, error_codes), pytest.raises(ClientError):
        harness.run()
    assert harness.keys(harness.recording.media_result_key) == []


def test_all_chunks_that_are_no_media_files_are_listed(harness: JobHarness) -> None:
    harness.upload(b"no", sample_videos.video_with_audio(1), b"nor this")
    assert harness.wrong_files(harness.run()) == {"canary-000.bin": "unreadable", "canary-002.bin": "unreadable"}


def test_a_chunk_whose_audio_cannot_be_decoded_is_listed(harness: JobHarness) -> None:
    """Only decoding the whole chunk shows the problem, because its index and first packets are valid."""
    valid_chunk = sample_videos.audio_only(5, "-c:a", "flac", suffix="mp4", beep_interval=0.1)
    begin, end = valid_chunk.index(b"mdat") + 2000, valid_chunk.index(b"moov") - 100
    noise = hashlib.shake_256(b"noise").digest(end - begin)
    harness.upload(sample_videos.audio_only(1), valid_chunk[:begin] + noise + valid_chunk[end:])
    result = harness.run()
    assert result.outcome is MediaOutcome.UNREADABLE
    assert harness.wrong_files(result) == {"canary-001.bin": "unreadable"}


@pytest.mark.parametrize(
    "playlist",
    ["ffconcat version 1.0\nfile '{0}'\n", "#EXTM3U\n#EXTINF:1,\n{0}\n#EXT-X-ENDLIST\n"],
    ids=["ffconcat", "HLS"],
)
@pytest.mark.parametrize("address_form", ["path", "file URL", "http URL"])
def test_a_playlist_in_a_chunk_opens_no_file_or_connection(
    harness: JobHarness, playlist: str, address_form: str, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.mp4"
    secret.write_bytes(sample_videos.video_with_audio(1))
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        address = {
            "path": str(secret),
            "file URL": f"file://{secret}",
            "http URL": f"http://127.0.0.1:{server.getsockname()[1]}/secret.mp4",
        }[address_form]
        harness.upload(playlist.format(address).encode())
        result = harness.run()
        with pytest.raises(BlockingIOError):  # no client has connected
            server.accept()
    assert (result.outcome, harness.wrong_files(result)) == (MediaOutcome.UNREADABLE, {"canary-000.bin": "unreadable"})


def test_subtitles_in_a_chunk_are_dropped(harness: JobHarness, tmp_path: Path) -> None:
    (tmp_path / "s.srt").write_text(SUBTITLE)
    video = sample_videos.lavfi_inputs(sample_videos.TEST_CARD, sample_videos.BEEP_AT_START)
    options = ("-i", str(tmp_path / "s.srt"), *sample_videos.H264, *sample_videos.AAC, "-t", "1")
    harness.upload(sample_videos.make_file("mkv", *video, *options))
    assert harness.run().outcome is MediaOutcome.READY
    assert b"canary" not in harness.read_object(harness.recording.video_key)
    assert "Subtitle" not in harness.describe_video()


def test_an_oversized_frame_is_not_decoded(harness: JobHarness) -> None:
    harness.upload(
        sample_videos.video_only(0.1, "-c:v", "libx264", "-preset", "ultrafast", card="color=s=5000x4000:r=10")
    )
    assert harness.run().outcome is MediaOutcome.UNREADABLE


def test_a_recording_whose_timestamps_span_days_is_too_large(harness: JobHarness) -> None:
    harness.upload(sample_videos.video_only(1, *sample_videos.H264, "-bsf:v", "setts=ts=TS*100000"))
    result = harness.run()
    assert (result.outcome, harness.keys("video/")) == (MediaOutcome.TOO_LARGE, [])


def test_a_recording_larger_than_the_disk_is_not_downloaded(harness: JobHarness) -> None:
    harness.scratch_bytes = 50_000
    harness.upload_complete_json(Chunk(name="not-uploaded", bytes=50_001, sha256="0" * 64))
    assert harness.run().outcome is MediaOutcome.TOO_LARGE
    assert harness.ffmpeg_runs == []


def test_a_recording_whose_output_does_not_fit_is_not_processed(harness: JobHarness) -> None:
    chunk = sample_videos.video_with_audio(2)
    harness.scratch_bytes = len(chunk) + 1000
    harness.upload(chunk)
    assert harness.run().outcome is MediaOutcome.TOO_LARGE
    assert len(harness.ffmpeg_runs) == 1, "the chunk must be probed, but not processed"
    harness.scratch_bytes = 20_000_000
    assert harness.run().outcome is MediaOutcome.READY, "a later job with a larger disk must succeed"


@pytest.mark.parametrize(
    "program", ["exit 1", f'exec {sample_videos.FFMPEG} "$@" 2>/dev/null'], ids=["fails", "writes no messages"]
)
def test_a_broken_ffmpeg_fails_the_job_and_blames_no_chunk(harness: JobHarness, program: str) -> None:
    harness.upload(sample_videos.video_with_audio(1))
    harness.logging_ffmpeg.write_text(f"#!/bin/sh\n{program}\n")
    with pytest.raises(FfmpegFailed):
        harness.run()
    assert harness.keys(harness.recording.media_result_key) == []


def test_a_video_is_encoded_if_copying_its_chunks_fails(harness: JobHarness) -> None:
    """The first ffmpeg run with the option `faststart` fails. It joins the copied chunks. The failure is stored, so the
    second job does not copy the chunks either.
    """
    harness.upload(sample_videos.video_with_audio(1), sample_videos.video_with_audio(1))
    fail_once = 'case "$*" in *faststart*) test -e tried || { touch tried; exit 1; };; esac'
    script = harness.logging_ffmpeg.read_text()
    harness.logging_ffmpeg.write_text(script.replace("exec", f"{fail_once}\nexec"))
    result = harness.run()
    assert (result.outcome, result.copied) == (MediaOutcome.READY, False)
    earlier_runs = len(harness.ffmpeg_runs)
    harness.s3.delete_object(Bucket=BUCKET, Key=harness.recording.video_key)
    assert not harness.run().copied
    assert not [run for run in harness.ffmpeg_runs[earlier_runs:] if "libx264" in run], "the pieces must be reused"

"""Tests of the media job's outcomes for unusable recordings, repeated jobs and failing services.

The result lists every chunk that is missing, differs from its entry in `complete.json`, or is no media file. A hostile
chunk cannot make ffmpeg open other files or addresses.
"""

import hashlib
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest

from handlers.meetings.media_job import ffmpeg
from handlers.meetings.recording_files import MeetingReason
from tests.handlers.meetings.media_job import sample_videos
from tests.handlers.meetings.media_job.job_harness import JobHarness
from tests.handlers.meetings.media_job.sample_videos import AAC, H264, VP8, audio_only, video_only, video_with_audio

pytestmark = pytest.mark.media

MP4 = video_with_audio(2, *H264, *AAC, "-movflags", "+faststart")
WEBM = video_with_audio(2, *VP8, suffix="webm")
FLAC = audio_only(5, "-c:a", "flac", suffix="mp4", beep_interval=0.1)
FLAC_BEGIN, FLAC_END = FLAC.index(b"mdat") + 2000, FLAC.index(b"moov") - 100
NOISE = hashlib.shake_256(b"noise").digest(FLAC_END - FLAC_BEGIN)


def test_all_missing_and_wrong_chunks_are_listed_until_they_are_uploaded(harness: JobHarness) -> None:
    chunk = video_with_audio(1)
    harness.upload(chunk, chunk, chunk, chunk)
    harness.put_upload("canary-0.webm", chunk[:-1])
    harness.delete(harness.recording.meeting.upload_key("canary-1.webm"))
    harness.put_upload("canary-3.webm", bytes(len(chunk)))
    problems = {"canary-0.webm": "size", "canary-1.webm": "missing", "canary-3.webm": "hash"}
    assert harness.find_wrong(harness.run()) == (MeetingReason.INCOMPLETE, problems)
    assert harness.ffmpeg_runs == []
    for name in problems:
        harness.put_upload(name, chunk)
    assert harness.run().reason is None


def test_a_recording_is_incomplete_if_complete_json_lists_other_chunks_now_or_is_missing(harness: JobHarness) -> None:
    harness.upload(video_with_audio(1))
    job = harness.create_job()
    harness.upload(video_with_audio(2))
    assert harness.find_wrong(job.run()) == (MeetingReason.INCOMPLETE, {"complete.json": "hash"})
    harness.delete(harness.recording.meeting.upload_key("complete.json"))
    assert harness.find_wrong(job.run()) == (MeetingReason.INCOMPLETE, {"complete.json": "missing"})


def test_all_chunks_that_are_no_media_files_are_listed(harness: JobHarness) -> None:
    chunks = {
        "noise": bytes(range(256)) * 400,
        "half an MP4": MP4[: len(MP4) // 2],
        "half a WebM": WEBM[: len(WEBM) // 2],
        "the first bytes of an MP4, and zeros": MP4[:40] + bytes(len(MP4) - 40),
        "audio that cannot be decoded": FLAC[:FLAC_BEGIN] + NOISE + FLAC[FLAC_END:],
        "subtitles": b"1\n00:00:00,000 --> 00:00:01,000\ncanary\n",
        "an image": sample_videos.make_file(
            "png", *sample_videos.lavfi_inputs(sample_videos.TEST_CARD), "-frames:v", "1"
        ),
        "a playlist of the job's own files": b"ffconcat version 1.0\nfile chunk-0000\n",
        "DASH": b"<?xml version='1.0'?><MPD><Period/></MPD>",
        "SDP": b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nm=video 5004 RTP/AVP 96\n",
        "a huge frame": video_only(0.1, *H264, card="color=s=4200x4096:r=10"),
    }
    harness.upload(audio_only(1), *chunks.values(), audio_only(1))
    problems = {f"canary-{number}.webm": "unreadable" for number in range(1, len(chunks) + 1)}
    assert harness.find_wrong(harness.run()) == (MeetingReason.UNREADABLE, problems)


def test_chunks_whose_video_cannot_be_decoded_are_listed(harness: JobHarness) -> None:
    """Only encoding shows the problem. Here ffmpeg's exit status is simulated."""
    harness.upload(video_only(1), video_only(1, "-c:v", "mpeg4"), video_only(1))
    refuse = 'case "$*" in *chunk-0001*libx264*|*chunk-0002*libx264*) exit 69;; esac'
    harness.program.write_text(harness.program.read_text().replace("exec", f"{refuse}\nexec"))
    problems = {"canary-1.webm": "unreadable", "canary-2.webm": "unreadable"}
    assert harness.find_wrong(harness.run()) == (MeetingReason.UNREADABLE, problems)


def test_a_playlist_in_a_chunk_opens_no_file_or_connection(harness: JobHarness, tmp_path: Path) -> None:
    secret = tmp_path / "secret.mp4"
    secret.write_bytes(video_with_audio(1))
    playlists = ("ffconcat version 1.0\nfile '{0}'\n", "#EXTM3U\n#EXTINF:1,\n{0}\n#EXT-X-ENDLIST\n")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        addresses = (f"{secret}", f"file://{secret}", f"http://127.0.0.1:{server.getsockname()[1]}/secret.mp4")
        harness.upload(*[playlist.format(address).encode() for playlist in playlists for address in addresses])
        result = harness.run()
        with pytest.raises(BlockingIOError):  # no client has connected
            server.accept()
    problems = {f"canary-{number}.webm": "unreadable" for number in range(6)}
    assert harness.find_wrong(result) == (MeetingReason.UNREADABLE, problems)


def test_a_recording_whose_timestamps_span_more_than_the_maximum_is_too_large(harness: JobHarness) -> None:
    """The last of ten frames begins after 3,600.36 seconds."""
    harness.upload(video_only(1, *H264, "-bsf:v", "setts=ts=TS*4000.4"))
    assert harness.find_wrong(harness.run(max_hours=1)) == (MeetingReason.TOO_LARGE, {})


def test_a_recording_larger_than_the_disk_is_not_downloaded(harness: JobHarness) -> None:
    harness.upload(chunks=[{"name": "not-uploaded", "bytes": 64_000_001, "sha256": "0" * 64}])
    assert harness.find_wrong(harness.run(scratch_mb=64)) == (MeetingReason.TOO_LARGE, {})


def test_a_recording_whose_output_does_not_fit_is_not_processed(harness: JobHarness) -> None:
    """A minute needs 67 MB for all files' headers, 2 MB for audio, and 38 MB for encoded video, which exists twice."""
    harness.upload(video_with_audio(60, *VP8, suffix="webm", card="color=black:s=64x48:r=1"))
    assert harness.find_wrong(harness.run(scratch_mb=100)) == (MeetingReason.TOO_LARGE, {})
    assert "framecrc" in harness.ffmpeg_runs[-1], "the chunk must be probed, but not processed"


def test_deleted_output_is_created_again(harness: JobHarness) -> None:
    harness.upload(video_with_audio(1))
    for _ in range(2):
        assert harness.run().reason is None
        for key in (harness.recording.audio_key(0), harness.recording.video_key):
            harness.delete(key)


def test_the_result_has_the_time_of_all_ffmpeg_runs_and_none_of_them_receives_credentials(
    harness: JobHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ffmpeg, "time", SimpleNamespace(monotonic=iter(range(1000)).__next__))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    harness.upload(audio_only(1))
    harness.program.write_text(harness.program.read_text().replace("exec", "/usr/bin/env >> environment\nexec"))
    assert harness.run().ffmpeg_ms == 1000 * len(harness.ffmpeg_runs), "each run takes a second of this clock"
    assert "canary" not in (harness.scratch / "environment").read_text()

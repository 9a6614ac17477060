"""Tests of recordings with few frames, such as a shared screen: each frame is shown until the next one or the end."""

from dataclasses import replace

import pytest

from handlers.meetings.media_job.chunk_facts import SECOND
from handlers.meetings.media_result import MediaOutcome
from tests.handlers.meetings.media_job import sample_videos
from tests.handlers.meetings.media_job.job_harness import LIMITS, JobHarness

pytestmark = pytest.mark.media

CHANGE_TIMES = (0.8, 5.3, 9.3, 10.8, 13.4, 15.9, 19.3, 22.6, 24.2, 27.8)
"""Seconds at which a screen turns white or black. They are irregular, so no frame rate can be derived from them."""
TOLERANCE = 0.55
"""Half a second, because an encoded video has at least one frame per second, and a rounding error."""


def video_seconds(harness: JobHarness) -> float:
    """Return the duration of the video track."""
    path = harness.download(harness.recording.video_key)
    options = ("-map", "0:v:0", "-vf", "fps=10:start_time=0,scale=1:1,format=gray", "-f", "rawvideo", "pipe:1")
    return len(sample_videos.ffmpeg("-i", str(path), *options)) / 10


@pytest.mark.parametrize("codec", ["libvpx", "libvpx-vp9"])
def test_a_screen_recording_without_a_last_duration_is_processed(harness: JobHarness, codec: str) -> None:
    harness.upload(*[sample_videos.screen_recording(*CHANGE_TIMES, codec=codec)] * 2)
    result = harness.run()
    assert (result.outcome, result.copied) == (MediaOutcome.NO_AUDIO, codec == "libvpx-vp9")
    chunk_seconds = result.duration_ms / 1000 / 2
    assert chunk_seconds == pytest.approx(27.8 * 11 / 10, abs=0.1), (
        "the last frame gets the average duration of the others"
    )
    expected = [seconds + number * chunk_seconds for number in range(2) for seconds in CHANGE_TIMES]
    assert harness.flash_times() == pytest.approx(expected, abs=0.05 if result.copied else TOLERANCE)
    if not result.copied:
        assert video_seconds(harness) == pytest.approx(result.duration_ms / 1000, abs=TOLERANCE)


@pytest.mark.parametrize(("change_times", "first_timestamp"), [((1, 17, 18), 0), ((3.3,), 7), ((16.7, 27.4), 7)])
def test_a_frame_is_shown_until_the_next_one_across_pieces(
    harness: JobHarness, change_times: tuple[float, ...], first_timestamp: float
) -> None:
    """The video is encoded in pieces of five seconds, and most of them contain no frame of the recording."""
    harness.limits = replace(LIMITS, max_piece=5 * SECOND)
    harness.upload(sample_videos.screen_recording(*change_times, audio_seconds=30, first_timestamp=first_timestamp))
    result = harness.run()
    assert (result.outcome, result.copied) == (MediaOutcome.READY, False)
    assert len(harness.piece_keys()) == 7, "the recording is slightly longer than six pieces of five seconds"
    assert harness.flash_times() == pytest.approx(list(change_times), abs=TOLERANCE)
    assert video_seconds(harness) == pytest.approx(result.duration_ms / 1000, abs=TOLERANCE)


@pytest.mark.parametrize(("suffix", "codec"), [("mp4", "mpeg4"), ("webm", "libvpx")])
def test_the_last_frame_is_shown_while_the_audio_continues(harness: JobHarness, suffix: str, codec: str) -> None:
    harness.limits = replace(LIMITS, max_piece=5 * SECOND)
    card = "color=black:s=64x48:r=10:d=2,drawbox=color=white:t=fill:enable='gte(t,1)'"
    inputs = sample_videos.lavfi_inputs(card, f"{sample_videos.BEEP_AT_START}:d=12")
    audio_codec = "libopus" if suffix == "webm" else "aac"
    harness.upload(sample_videos.make_file(suffix, *inputs, "-c:v", codec, "-c:a", audio_codec))
    assert not harness.run().copied
    assert harness.flash_times() == pytest.approx([1], abs=TOLERANCE)
    assert video_seconds(harness) == pytest.approx(12, abs=TOLERANCE)


def test_a_film_between_slides_keeps_its_frame_rate(harness: JobHarness) -> None:
    """The film lasts three of thirty seconds. The rest has one frame every five seconds."""
    frame_selection = ("-vf", "select='between(t,10,13)+not(mod(n,100))'", "-fps_mode", "passthrough")
    inputs = sample_videos.lavfi_inputs("testsrc2=size=64x48:rate=20:d=30")
    harness.upload(sample_videos.make_file("webm", *inputs, *frame_selection, "-c:v", "libvpx"))
    assert not harness.run().copied
    path = harness.download(harness.recording.video_key)
    frame_lines = sample_videos.ffmpeg("-ss", "10", "-t", "3", "-i", str(path), "-f", "framemd5", "-").splitlines()
    frame_hashes = {line.split(b",")[-1] for line in frame_lines if line.startswith(b"0,")}
    assert len(frame_hashes) > 45, "most of the 60 different frames of the film must be shown"

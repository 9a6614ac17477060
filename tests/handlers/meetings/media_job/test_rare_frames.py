"""Tests of recordings with few frames: a frame is shown until the next one, or until the end of the recording."""

from dataclasses import replace

import pytest

from handlers.meetings.media_job.chunk_facts import SECOND
from handlers.meetings.media_result import MediaOutcome
from tests.handlers.meetings.media_job import sample_videos
from tests.handlers.meetings.media_job.job_harness import LIMITS, JobHarness

pytestmark = pytest.mark.media

RARE_FLASHES = (0.8, 5.3, 9.3, 10.8, 13.4, 15.9, 19.3, 22.6, 24.2, 27.8)
"""Times from which no frame rate can be derived."""
TOLERANCE = 0.55
"""Half a second, because an encoded video has at least one frame per second, and a rounding error."""


def video_seconds(harness: JobHarness) -> float:
    """Return the duration of the video track."""
    path = harness.folder / "lasting"
    path.write_bytes(harness.read_object(harness.recording.video_key))
    frames = ("-map", "0:v:0", "-vf", "fps=10:start_time=0,scale=1:1,format=gray", "-f", "rawvideo", "pipe:1")
    return len(sample_videos.ffmpeg("-i", str(path), *frames)) / 10


@pytest.mark.parametrize("codec", ["libvpx", "libvpx-vp9"])
def test_a_screen_recording_without_a_last_duration_is_processed(harness: JobHarness, codec: str) -> None:
    harness.upload(*[sample_videos.screen_recording(*RARE_FLASHES, codec=codec)] * 2)
    result = harness.run()
    assert (result.outcome, result.copied) == (MediaOutcome.NO_AUDIO, codec == "libvpx-vp9")
    each = result.duration_ms / 1000 / 2
    assert each == pytest.approx(27.8 * 11 / 10, abs=0.1), "the last frame lasts as long as the average"
    expected = [seconds + number * each for number in range(2) for seconds in RARE_FLASHES]
    assert harness.flash_times() == pytest.approx(expected, abs=0.05 if result.copied else TOLERANCE)
    if not result.copied:
        assert video_seconds(harness) == pytest.approx(result.duration_ms / 1000, abs=TOLERANCE)


@pytest.mark.parametrize(("moments", "offset"), [((1, 17, 18), 0), ((3.3,), 7), ((16.7, 27.4), 7)])
def test_a_frame_is_shown_until_the_next_one_across_pieces(
    harness: JobHarness, moments: tuple[float, ...], offset: float
) -> None:
    """Most of the pieces contain no frame of the recording."""
    harness.limits = replace(LIMITS, max_piece=5 * SECOND)
    harness.upload(sample_videos.screen_recording(*moments, lasts=30, offset=offset))
    result = harness.run()
    assert (result.outcome, result.copied) == (MediaOutcome.READY, False)
    assert len(harness.piece_keys()) == 7
    assert harness.flash_times() == pytest.approx(list(moments), abs=TOLERANCE)
    assert video_seconds(harness) == pytest.approx(result.duration_ms / 1000, abs=TOLERANCE)


@pytest.mark.parametrize(("suffix", "codec"), [("mp4", "mpeg4"), ("webm", "libvpx")])
def test_the_last_frame_is_shown_while_the_audio_continues(harness: JobHarness, suffix: str, codec: str) -> None:
    harness.limits = replace(LIMITS, max_piece=5 * SECOND)
    card = "color=black:s=64x48:r=10:d=2,drawbox=color=white:t=fill:enable='gte(t,1)'"
    sources = ("-f", "lavfi", "-i", card, "-f", "lavfi", "-i", f"{sample_videos.BEEP.format(every=9)}:d=12")
    sound = "libopus" if suffix == "webm" else "aac"
    harness.upload(sample_videos.make_file(suffix, *sources, "-c:v", codec, "-c:a", sound))
    assert not harness.run().copied
    assert harness.flash_times() == pytest.approx([1], abs=TOLERANCE)
    assert video_seconds(harness) == pytest.approx(12, abs=TOLERANCE)


def test_a_film_between_slides_keeps_its_frame_rate(harness: JobHarness) -> None:
    """The film lasts three of thirty seconds. The rest has one frame every five seconds."""
    frame_selection = ("-vf", "select='between(t,10,13)+not(mod(n,100))'", "-fps_mode", "passthrough")
    source = ("-f", "lavfi", "-i", "testsrc2=size=64x48:rate=20:d=30")
    harness.upload(sample_videos.make_file("webm", *source, *frame_selection, "-c:v", "libvpx"))
    assert not harness.run().copied
    path = harness.folder / "moving"
    path.write_bytes(harness.read_object(harness.recording.video_key))
    hashes = sample_videos.ffmpeg("-ss", "10", "-t", "3", "-i", str(path), "-f", "framemd5", "-").splitlines()
    assert len({line.split(b",")[-1] for line in hashes if line.startswith(b"0,")}) > 45, "of 60"

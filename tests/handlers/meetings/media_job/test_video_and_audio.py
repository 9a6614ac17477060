"""Tests of the media job's video and audio output, with a real ffmpeg and typical recordings.

The video is copied without encoding if all chunks have the same format, and MP4 files can contain it. Video and audio
of the samples start with a beep or change their colour at known times.
"""

import struct

import pytest

from handlers.meetings.media_job import job
from handlers.meetings.recording_files import MeetingReason
from tests.handlers.meetings.media_job import sample_videos
from tests.handlers.meetings.media_job.job_harness import JobHarness
from tests.handlers.meetings.media_job.sample_videos import AAC, H264, VP8, audio_only, video_only, video_with_audio

pytestmark = pytest.mark.media

VP9 = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus")
HEVC = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none", *AAC)
WEBM_DURATION = b"\x44\x89\x88"
"""Bytes before the duration in a WebM file, which is a number of eight bytes in milliseconds."""
CHANGE_TIMES = (0.8, 2.3, 5.3, 6.8, 9.4)
"""Seconds at which a screen turns white or black. They are irregular, so no frame rate can be derived from them."""


def test_chunks_of_the_same_format_are_copied_and_stay_synchronous(harness: JobHarness) -> None:
    """Every other chunk is white and begins with a beep. If the audio were copied too, it would be late in the end."""
    cards = [f"color={colour}:s=64x48:r=25" for colour in ("black", "white", "black", "white")]
    harness.upload(*[video_with_audio(1.2, card=card) for card in cards])
    result = harness.run()
    assert (result.reason, harness.has_copied_video) == (None, True)
    assert result.has_video
    assert harness.keys("audio/") == [harness.recording.audio_key(0)]
    beeps = harness.audio_beeps()
    assert len(beeps) == 4
    assert harness.flash_times() == pytest.approx(beeps[1:], abs=0.045), "one frame, and the recorder's own offset"
    assert harness.video_beeps() == pytest.approx(beeps, abs=0.002)
    audio = sample_videos.describe_file(harness.download(harness.recording.audio_key(0)))
    assert "Audio: flac, 16000 Hz, mono" in audio, "Amazon Transcribe recommends this format"
    body = harness.read_object(harness.recording.video_key)
    assert body.index(b"moov") < body.index(b"mdat"), "a player can only start early if the index comes first"


def test_chunks_of_different_formats_are_encoded_to_the_same_format(harness: JobHarness) -> None:
    """An MP4 file declares the format of its colours once. A chunk without video is black, one without audio silent."""
    white = "color=white:s=64x48:r=10"
    harness.upload(
        video_only(0.5, "-c:v", "mjpeg", "-pix_fmt", "yuvj420p", suffix="mov", card=white),
        video_only(0.5, *H264, "-colorspace", "smpte170m", "-color_range", "pc", card=white),
        audio_only(1),
        video_with_audio(1, *VP8, suffix="webm", card=white.replace("64x48", "100x50")),
        video_only(0.5, "-c:v", "mpeg4"),
        video_with_audio(1),
    )
    result = harness.run()
    assert (result.reason, harness.has_copied_video) == (None, False)
    formats = []
    for path in sorted(harness.scratch.glob("video-chunk-*")):
        lines = sample_videos.ffmpeg("-i", str(path), "-c", "copy", "-f", "framecrc", "-").decode().splitlines()
        formats.append([line for line in lines if line.startswith(("#extradata", "#tb", "#dimensions"))])
    assert formats == [formats[0]] * 6
    assert [*harness.scratch.glob("audio-chunk-*"), *harness.scratch.glob("chunk-*")] == [], "disk space is freed"
    description = harness.describe_video()
    assert [text in description for text in ("Video: h264", "100x50 [SAR 1:1", "48000 Hz, mono")] == [True] * 3
    assert harness.video_beeps() == pytest.approx([1, 2, 3.5], abs=0.03)
    assert harness.audio_beeps() == pytest.approx([1, 2, 3.5], abs=0.03)
    assert harness.flash_times()[:2] == pytest.approx([1, 2], abs=0.1), "the chunk without video"


def test_chunk_durations_come_from_the_packets_and_not_from_the_headers(harness: JobHarness) -> None:
    """The headers of the chunks state five seconds, but their video lasts 1 second and their audio 1.6 seconds."""
    chunks = []
    for colour in ("black", "white", "black"):
        inputs = sample_videos.lavfi_inputs(f"color={colour}:s=64x48:r=25:d=1", f"{sample_videos.BEEP_AT_START}:d=1.6")
        chunk = sample_videos.make_file("webm", *inputs, *VP9)
        position = chunk.index(WEBM_DURATION) + len(WEBM_DURATION)
        chunks.append(chunk[:position] + struct.pack(">d", 5000) + chunk[position + 8 :])
    harness.upload(*chunks)
    result = harness.run()
    assert harness.has_copied_video
    assert "Video: vp9" in harness.describe_video()
    assert 4700 < result.duration_ms < 4900
    assert harness.audio_beeps() == pytest.approx([0, 1.6, 3.2], abs=0.1)
    assert harness.flash_times() == pytest.approx(harness.audio_beeps()[1:], abs=0.045)


@pytest.mark.parametrize(
    ("options", "suffix", "description"),
    [(HEVC, "mov", "Video: hevc (Main) (hvc1"), ((*H264, *AAC, "-f", "mpegts"), "ts", "Video: h264")],
)
def test_other_formats_that_mp4_supports_are_copied(
    harness: JobHarness, options: tuple[str, ...], suffix: str, description: str
) -> None:
    harness.upload(*[video_with_audio(1, *options, suffix=suffix)] * 2)
    harness.run()
    assert harness.has_copied_video
    assert description in harness.describe_video()
    assert harness.video_beeps() == pytest.approx(harness.audio_beeps(), abs=0.002)


def test_texts_in_a_chunk_neither_disturb_the_probe_nor_reach_the_output(harness: JobHarness) -> None:
    """The probe reads a chunk's properties from ffmpeg's messages, and the title of each chapter imitates one."""
    title = "title=canary\\\n  Stream #0:7 -> #0:0 (copy)\n"
    chapters = "".join(f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={start}\nEND={start + 1}\n{title}" for start in range(300))
    (harness.folder / "chapters").write_text(f";FFMETADATA1\n{chapters}")
    (harness.folder / "s.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\ncanary\n")
    inputs = sample_videos.lavfi_inputs(sample_videos.TEST_CARD, sample_videos.BEEP_AT_START)
    texts = ("-i", str(harness.folder / "s.srt"), "-i", str(harness.folder / "chapters"), "-map_chapters", "3")
    tags = [f"-metadata{name}=canary" for name in (" title", " artist", " location", ":s handler_name")]
    options = (*H264, *AAC, *" ".join(tags).split(), "-t", "2")
    harness.upload(sample_videos.make_file("mkv", *inputs, *texts, *options))
    result = harness.run()
    assert (result.reason, harness.has_copied_video) == (None, True)
    assert result.duration_ms == pytest.approx(2000, abs=60)
    for key in (harness.recording.video_key, harness.recording.audio_key(0)):
        assert b"canary" not in harness.read_object(key)
    assert "Subtitle" not in harness.describe_video()


def test_chunks_with_different_rotations_are_all_upright(harness: JobHarness) -> None:
    """A rotated chunk shows its white half at another side. Chunks that lie on a side are shrunk to the upright frame."""
    harness.upload(*[sample_videos.rotated_video(degrees) for degrees in (90, -90, 180, 0)])
    harness.run()
    assert not harness.has_copied_video
    assert "48x64" in harness.describe_video(), "width and height must be swapped"
    video = harness.download_video()
    fields = [sample_videos.white_fields(video, second + 0.5) for second in range(4)]
    assert fields == ["... ... xxx", "xxx ... ...", "... ..x ...", "... x.. ..."]


def test_chunks_with_the_same_rotation_are_copied(harness: JobHarness) -> None:
    harness.upload(*[sample_videos.rotated_video(90)] * 2)
    harness.run()
    assert harness.has_copied_video
    assert sample_videos.white_fields(harness.download_video(), 1.5) == "... ... xxx"


def test_a_recording_of_common_audio_formats_has_no_video(harness: JobHarness) -> None:
    inputs = sample_videos.lavfi_inputs("color=s=16x16:d=0.1", sample_videos.BEEP_AT_START)
    cover = ("-c:v", "mjpeg", "-frames:v", "1", "-disposition:v", "attached_pic", "-c:a", "aac", "-t", "0.5")
    lossless, lossy = {"wav": "pcm_s16le", "flac": "flac"}, {"mp3": "libmp3lame", "ogg": "libvorbis", "aac": "aac"}
    codecs = {**lossless, **lossy, "webm": "libopus"}
    harness.upload(
        *(audio_only(0.5, "-c:a", codec, suffix=suffix) for suffix, codec in codecs.items()),
        sample_videos.make_file("m4a", *inputs, *cover),
    )
    result = harness.run()
    assert (result.reason, result.has_video) == (None, False)
    assert harness.audio_beeps() == pytest.approx([number / 2 for number in range(7)], abs=0.2)
    assert harness.keys("video/") == []


@pytest.mark.parametrize("codec", ["libvpx", "libvpx-vp9"])
def test_each_frame_of_a_screen_recording_is_shown_until_the_next_one(harness: JobHarness, codec: str) -> None:
    """VP8 is encoded with at least a frame per second. The last frame is shown while the audio continues.

    The timestamps start at 7 seconds, because a recorder may count from its own start.
    """
    chunk = sample_videos.screen_recording(*CHANGE_TIMES, codec=codec, audio_seconds=12, first_timestamp=7)
    harness.upload(chunk, chunk)
    result = harness.run()
    assert harness.has_copied_video is (codec == "libvpx-vp9")
    assert result.duration_ms == pytest.approx(24_000, abs=100)
    second_chunk = result.duration_ms / 2000
    expected = [start + seconds for start in (0, second_chunk) for seconds in CHANGE_TIMES]
    # The first chunk ends white, and the second one begins black.
    expected.insert(len(CHANGE_TIMES), second_chunk)
    assert harness.flash_times() == pytest.approx(expected, abs=0.05 if harness.has_copied_video else 0.55)
    assert harness.audio_beeps() == pytest.approx([0, second_chunk], abs=0.03)
    if not harness.has_copied_video:
        video = sample_videos.describe_file(harness.download_video(), "-map", "0:v")
        assert "time=00:00:24" in video or "time=00:00:23" in video


def test_a_video_is_encoded_if_copying_its_chunks_fails(harness: JobHarness) -> None:
    """The first ffmpeg run with the option `faststart` fails. It joins the copied chunks."""
    harness.upload(video_with_audio(1), video_with_audio(1))
    fail_once = 'case "$*" in *faststart*) test -e tried || { touch tried; exit 1; };; esac'
    harness.program.write_text(harness.program.read_text().replace("exec", f"{fail_once}\nexec"))
    result = harness.run()
    assert (result.reason, harness.has_copied_video) == (None, False)
    assert harness.video_beeps() == pytest.approx([0, 1], abs=0.03)


def test_a_recording_without_audio_is_an_outcome_and_no_failure(harness: JobHarness) -> None:
    harness.upload(video_only(1), video_only(2))
    result = harness.run()
    assert (result.reason, result.audio, harness.has_copied_video) == (MeetingReason.NO_AUDIO, (), True)
    assert result.duration_ms == 3000
    assert "Audio" not in harness.describe_video()


def test_audio_parts_begin_at_their_offsets(harness: JobHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "AUDIO_PART_SECONDS", 2)
    harness.upload(*[audio_only(1.3, "-c:a", "pcm_s16le", suffix="wav")] * 4)
    result = harness.run()
    assert [(part.offset_ms, part.duration_ms) for part in result.audio] == [(0, 1734), (1734, 1734), (3468, 1732)], (
        "three parts of 5,200 ms in whole milliseconds"
    )
    beeps = []
    for number, part in enumerate(result.audio):
        path = harness.download(harness.recording.audio_key(number))
        assert f"Duration: 00:00:0{part.duration_ms / 1000:.2f}" in sample_videos.describe_file(path)
        samples = sample_videos.decode_samples(path)
        assert len(samples) == part.duration_ms * 16
        beeps += [seconds + part.offset_ms / 1000 for seconds in sample_videos.beep_times(samples)]
    assert beeps == pytest.approx([0, 1.3, 2.6, 3.9], abs=0.001)


def test_audio_that_starts_late_and_ends_early_stays_synchronous(harness: JobHarness) -> None:
    video = sample_videos.lavfi_inputs(sample_videos.TEST_CARD)
    late_audio = ("-itsoffset", "1", *sample_videos.lavfi_inputs(f"{sample_videos.BEEP_AT_START}:d=1"))
    options = ("-map", "0", "-map", "1", *H264, "-c:a", "flac", "-t", "3")
    harness.upload(sample_videos.make_file("mkv", *video, *late_audio, *options), video_with_audio(1))
    result = harness.run()
    assert harness.audio_beeps() == pytest.approx([1, result.duration_ms / 1000 - 1], abs=0.03)

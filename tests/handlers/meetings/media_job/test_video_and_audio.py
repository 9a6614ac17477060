"""Tests of the media job's video and audio output, with a real ffmpeg and typical recordings.

The video is copied without encoding if all chunks have a format that MP4 files can contain. It is encoded in pieces
otherwise. Video and audio of the samples start with a beep or change their colour at known times.
"""

import hashlib
import struct
from dataclasses import replace

import pytest

from handlers.meetings.media_job.chunk_facts import SECOND
from handlers.meetings.media_result import MediaOutcome
from tests.handlers.meetings.media_job import sample_videos
from tests.handlers.meetings.media_job.job_harness import BUCKET, LIMITS, JobHarness

pytestmark = pytest.mark.media

VP9 = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus")
HEVC = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none", *sample_videos.AAC)
H264_IN_TS = (*sample_videos.H264, *sample_videos.AAC, "-f", "mpegts")
WEBM_DURATION = b"\x44\x89\x88"
"""Bytes before the duration in a WebM file, which is a number of eight bytes in milliseconds."""
LARGER_TEST_CARD = sample_videos.TEST_CARD.replace("64x48", "100x50")


def test_a_single_chunk_is_copied_into_an_mp4(harness: JobHarness) -> None:
    harness.upload(sample_videos.video_with_audio(3))
    result = harness.run()
    assert (result.outcome, result.copied, result.duration_ms) == (MediaOutcome.READY, True, 3000)
    assert result.video_key == harness.recording.video_key
    assert [part.key for part in result.audio] == [harness.recording.audio_key(0)]
    encodings = [run for run in harness.ffmpeg_runs if "libx264" in run or "aac_coder" in run]
    assert not encodings, "video and soundtrack must be copied"
    assert harness.video_beeps() == pytest.approx(harness.audio_beeps(), abs=0.001)
    audio = sample_videos.describe_file(harness.download(harness.recording.audio_key(0)))
    assert "Audio: flac, 16000 Hz, mono" in audio, "Amazon Transcribe recommends this format"
    body = harness.read_object(harness.recording.video_key)
    assert body.index(b"moov") < body.index(b"mdat"), (
        "the index must precede the media data, so that a player can start before it has the whole file"
    )


def test_video_and_audio_of_twenty_copied_chunks_are_synchronous(harness: JobHarness) -> None:
    """If the audio were copied too, the audio of the last chunk would be more than a second late."""
    chunks = sample_videos.chunked_video(20)
    assert len(chunks) == 20
    harness.upload(*chunks)
    result = harness.run()
    assert result.copied
    beeps = harness.audio_beeps()
    assert len(beeps) == 20
    assert beeps == pytest.approx(harness.video_beeps(), abs=0.002)
    assert abs(result.duration_ms - 20_000) < 500, "a chunk's audio ends some milliseconds after its video"
    assert beeps == pytest.approx([number + 0.5 for number in range(20)], abs=0.3)
    assert "frame=  200" in harness.describe_video()


def test_chunks_of_different_formats_are_encoded(harness: JobHarness) -> None:
    harness.upload(
        sample_videos.video_with_audio(2),
        sample_videos.video_with_audio(2, *sample_videos.VP8, suffix="webm", card=LARGER_TEST_CARD),
        sample_videos.video_with_audio(1),
    )
    result = harness.run()
    assert (result.outcome, result.copied) == (MediaOutcome.READY, False)
    video = harness.describe_video()
    assert "Video: h264" in video
    assert "100x50 [SAR 1:1" in video
    assert "Audio: aac" in video
    assert harness.video_beeps() == pytest.approx([0, 2, 4], abs=0.03)
    assert harness.audio_beeps() == pytest.approx([0, 2, 4], abs=0.03)


@pytest.mark.parametrize(
    ("suffix", "options"), [("mp4", (*sample_videos.H264, *sample_videos.AAC)), ("webm", sample_videos.VP8)]
)
def test_audio_and_video_are_synchronous(harness: JobHarness, suffix: str, options: tuple[str, ...]) -> None:
    """Every other chunk is white and begins with a beep.

    MP4 chunks are copied, and WebM chunks are encoded in one piece.
    """
    colours = ["black", "white", "black", "white"]
    harness.upload(
        *[
            sample_videos.video_with_audio(1.2, *options, suffix=suffix, card=f"color={colour}:s=64x48:r=25")
            for colour in colours
        ]
    )
    result = harness.run()
    assert result.copied is (suffix == "mp4")
    assert len(harness.piece_keys()) == (0 if result.copied else 1)
    flashes = harness.flash_times()
    beeps = harness.audio_beeps()
    assert len(beeps) == 4
    assert flashes == pytest.approx(beeps[1:], abs=0.045), "tolerance: one frame, and the recorder's own offset"
    assert harness.video_beeps() == pytest.approx(beeps, abs=0.002)


def test_chunk_durations_come_from_the_packets_and_not_from_the_headers(harness: JobHarness) -> None:
    """The headers of the chunks state five seconds, but their video lasts 1 second and their audio 1.6 seconds."""
    chunks = []
    for colour in ("black", "white", "black"):
        card = f"color={colour}:s=64x48:r=25:d=1"
        inputs = sample_videos.lavfi_inputs(card, f"{sample_videos.BEEP_AT_START}:d=1.6")
        chunk = sample_videos.make_file("webm", *inputs, *VP9)
        position = chunk.index(WEBM_DURATION) + len(WEBM_DURATION)
        chunks.append(chunk[:position] + struct.pack(">d", 5000) + chunk[position + 8 :])
    harness.upload(*chunks)
    result = harness.run()
    assert result.copied
    flashes = harness.flash_times()
    beeps = harness.audio_beeps()
    assert beeps == pytest.approx([0, 1.6, 3.2], abs=0.1)
    assert flashes == pytest.approx(beeps[1:], abs=0.045)
    assert 4700 < result.duration_ms < 4900


def test_a_codec_that_mp4_does_not_support_is_encoded_in_pieces(harness: JobHarness) -> None:
    harness.limits = replace(LIMITS, max_piece=SECOND)
    harness.upload(sample_videos.video_with_audio(3, *sample_videos.VP8, suffix="webm"))
    result = harness.run()
    assert not result.copied
    assert len(harness.piece_keys()) == 4, "the recording is slightly longer than three pieces of one second"
    assert len([run for run in harness.ffmpeg_runs if "libx264" in run]) == 4
    video = harness.describe_video()
    assert "Video: h264" in video
    assert "Audio: opus" in video, "the audio needs no encoding"
    assert abs(result.duration_ms - 3000) < 50


@pytest.mark.parametrize("options", [sample_videos.VP8, VP9])
def test_a_recording_may_start_at_any_timestamp(harness: JobHarness, options: tuple[str, ...]) -> None:
    """A recorder may count from its own start. VP9 is copied and VP8 encoded. Both shift video and audio equally."""
    card = "color=black:s=64x48:r=25,drawbox=color=white:t=fill:enable='gte(t,0.5)'"
    chunk = sample_videos.video_with_audio(
        1.5, *options, "-output_ts_offset", "7", suffix="webm", card=card, beep_interval=0.5
    )
    harness.upload(chunk)
    result = harness.run()
    assert result.copied is (options is VP9)
    assert abs(result.duration_ms - 1500) < 60
    assert harness.flash_times() == pytest.approx([0.5], abs=0.045)
    assert harness.video_beeps() == pytest.approx([0, 0.5, 1], abs=0.03)
    assert harness.audio_beeps() == pytest.approx([0, 0.5, 1], abs=0.03)


def test_all_encoded_pieces_have_the_same_format(harness: JobHarness) -> None:
    """An MP4 file declares the format of its colours once, so pieces from chunks with other formats must not differ."""
    harness.upload(
        sample_videos.video_only(0.5, "-c:v", "mjpeg", "-pix_fmt", "yuvj420p", suffix="mov"),
        sample_videos.video_only(0.5, *sample_videos.H264, "-colorspace", "smpte170m", "-color_range", "pc"),
        sample_videos.audio_only(0.5),
        sample_videos.video_only(0.5, "-c:v", "mpeg4", card=LARGER_TEST_CARD),
    )
    harness.run()
    pieces = harness.piece_keys()
    assert len(pieces) == 4
    piece_formats = set()
    for key in pieces:
        lines = (
            sample_videos.ffmpeg("-i", str(harness.download(key)), "-c", "copy", "-f", "framecrc", "-")
            .decode()
            .splitlines()
        )
        piece_formats.add(tuple(line for line in lines if line.startswith(("#extradata", "#tb", "#dimensions"))))
    assert len(piece_formats) == 1, piece_formats


@pytest.mark.parametrize(
    ("options", "suffix", "description"),
    [(VP9, "webm", "Video: vp9"), (HEVC, "mov", "Video: hevc (Main) (hvc1"), (H264_IN_TS, "ts", "Video: h264")],
)
def test_codecs_that_mp4_supports_are_copied(
    harness: JobHarness, options: tuple[str, ...], suffix: str, description: str
) -> None:
    harness.upload(*[sample_videos.video_with_audio(1, *options, suffix=suffix)] * 3)
    result = harness.run()
    assert result.copied
    assert description in harness.describe_video()
    assert harness.video_beeps() == pytest.approx(harness.audio_beeps(), abs=0.002)


def test_chapters_and_titles_do_not_disturb_the_probe(harness: JobHarness) -> None:
    """The probe reads a chunk's properties from ffmpeg's messages, which list all chapters before and after them."""
    # The title imitates a line of ffmpeg's messages.
    title = "title=the end\\\n  Stream #0:7 -> #0:0 (copy)\n"
    chapters = "".join(
        f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={chapter}\nEND={chapter + 1}\n{title}" for chapter in range(300)
    )
    (harness.folder / "chapters").write_text(f";FFMETADATA1\n{chapters}")
    (harness.folder / "plain.mp4").write_bytes(sample_videos.video_with_audio(2))
    inputs = ("-i", str(harness.folder / "plain.mp4"), "-i", str(harness.folder / "chapters"))
    harness.upload(sample_videos.make_file("mp4", *inputs, "-map_chapters", "1", "-c", "copy"))
    result = harness.run()
    assert (result.outcome, result.copied, result.duration_ms) == (MediaOutcome.READY, True, 2000)


@pytest.mark.parametrize(
    ("degrees", "rotated_fields", "unrotated_fields"),
    [(90, "... ... xxx", "... x.. ..."), (-90, "xxx ... ...", "... x.. ..."), (180, "..x ..x ..x", "x.. x.. x..")],
)
def test_chunks_with_different_rotations_are_all_upright(
    harness: JobHarness, degrees: int, rotated_fields: str, unrotated_fields: str
) -> None:
    """A rotated chunk shows its white half at another side. The unrotated chunk is shrunk if the frame is upright."""
    harness.upload(*[sample_videos.rotated_video(rotation) for rotation in (degrees, degrees, 0, degrees)])
    result = harness.run()
    assert (result.outcome, result.copied) == (MediaOutcome.READY, False)
    if degrees != 180:
        assert "48x64" in harness.describe_video(), "width and height must be swapped"
    video = harness.download(harness.recording.video_key)
    fields = [sample_videos.white_fields(video, second + 0.5) for second in range(4)]
    assert fields == [rotated_fields, rotated_fields, unrotated_fields, rotated_fields]


def test_chunks_with_the_same_rotation_are_copied(harness: JobHarness) -> None:
    harness.upload(*[sample_videos.rotated_video(90)] * 2)
    assert harness.run().copied
    video = harness.download(harness.recording.video_key)
    assert sample_videos.white_fields(video, 1.5) == "... ... xxx"


def test_a_recording_without_a_video_track_has_no_video(harness: JobHarness) -> None:
    harness.upload(*[sample_videos.audio_only(seconds, "-c:a", "libopus", suffix="webm") for seconds in (2, 1)])
    result = harness.run()
    assert (result.outcome, result.video_key, result.copied) == (MediaOutcome.READY, None, False)
    assert harness.audio_beeps() == pytest.approx([0, 2], abs=0.05)
    assert harness.keys("video/") == []


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [("wav", "pcm_s16le"), ("mp3", "libmp3lame"), ("ogg", "libvorbis"), ("flac", "flac"), ("aac", "aac")],
)
def test_audio_only_recordings_of_common_formats_are_accepted(harness: JobHarness, suffix: str, codec: str) -> None:
    harness.upload(sample_videos.audio_only(1, "-c:a", codec, suffix=suffix))
    assert harness.run().outcome is MediaOutcome.READY
    assert harness.audio_beeps() == pytest.approx([0], abs=0.06)


def test_a_recording_without_audio_is_an_outcome_and_no_failure(harness: JobHarness) -> None:
    harness.upload(sample_videos.video_only(1), sample_videos.video_only(2))
    result = harness.run()
    assert (result.outcome, result.audio, result.copied) == (MediaOutcome.NO_AUDIO, (), True)
    assert result.duration_ms == 3000
    assert "Audio" not in harness.describe_video()


def test_a_chunk_without_audio_is_silent_and_does_not_shift_later_audio(harness: JobHarness) -> None:
    harness.upload(
        sample_videos.video_only(1),
        sample_videos.video_with_audio(1),
        sample_videos.video_only(2),
        sample_videos.video_with_audio(1),
    )
    result = harness.run()
    assert (result.outcome, result.copied) == (MediaOutcome.READY, True)
    assert harness.audio_beeps() == pytest.approx([1, 4], abs=0.005)
    assert harness.video_beeps() == pytest.approx([1, 4], abs=0.005)


def test_a_chunk_without_video_is_encoded_and_does_not_shift_later_chunks(harness: JobHarness) -> None:
    harness.upload(sample_videos.video_with_audio(1), sample_videos.audio_only(1), sample_videos.video_with_audio(1))
    result = harness.run()
    assert (result.outcome, result.copied) == (MediaOutcome.READY, False)
    assert harness.video_beeps() == pytest.approx([0, 1, 2], abs=0.005)
    assert abs(result.duration_ms - 3000) < 50


def test_audio_parts_begin_at_their_offsets(harness: JobHarness) -> None:
    harness.limits = replace(LIMITS, max_part=2 * SECOND)
    harness.upload(*[sample_videos.audio_only(1.3, "-c:a", "pcm_s16le", suffix="wav")] * 4)
    result = harness.run()
    assert [(part.offset_ms, part.duration_ms) for part in result.audio] == [(0, 1734), (1734, 1734), (3468, 1732)], (
        "three parts of 5,200 ms in whole milliseconds"
    )
    beeps = []
    for audio_part in result.audio:
        samples = sample_videos.decode_samples(harness.download(audio_part.key))
        assert len(samples) == audio_part.duration_ms * 16
        beeps += [seconds + audio_part.offset_ms / 1000 for seconds in sample_videos.beep_times(samples)]
    assert beeps == pytest.approx([0, 1.3, 2.6, 3.9], abs=0.001)


def test_audio_that_starts_late_and_ends_early_stays_synchronous(harness: JobHarness) -> None:
    video = sample_videos.lavfi_inputs(sample_videos.TEST_CARD)
    late_audio = ("-itsoffset", "1", *sample_videos.lavfi_inputs(sample_videos.BEEP_AT_START))
    options = ("-map", "0", "-map", "1", *sample_videos.H264, "-c:a", "flac", "-t", "3")
    chunk = sample_videos.make_file("mkv", *video, *late_audio, *options)
    harness.upload(chunk, sample_videos.video_with_audio(1))
    result = harness.run()
    assert harness.audio_beeps() == pytest.approx([1, result.duration_ms / 1000 - 1], abs=0.03)


def test_a_video_has_no_metadata_about_its_author(harness: JobHarness) -> None:
    metadata = ("title=canary", "location=+48.1+11.5/", "artist=canary")
    options = ("-metadata:s", "handler_name=canary", *(option for tag in metadata for option in ("-metadata", tag)))
    harness.upload(sample_videos.video_with_audio(1, *sample_videos.H264, *sample_videos.AAC, *options))
    harness.run()
    for key in (harness.recording.video_key, harness.recording.audio_key(0)):
        assert b"canary" not in harness.read_object(key)
        assert b"+48.1" not in harness.read_object(key)


def test_a_cover_image_is_no_video(harness: JobHarness) -> None:
    inputs = sample_videos.lavfi_inputs("color=s=16x16:d=0.1", sample_videos.BEEP_AT_START)
    cover_options = ("-c:v", "mjpeg", "-frames:v", "1", "-disposition:v", "attached_pic", "-c:a", "aac", "-t", "1")
    harness.upload(sample_videos.make_file("m4a", *inputs, *cover_options))
    assert harness.run().video_key is None


def test_two_jobs_write_identical_output(harness: JobHarness) -> None:
    harness.limits = replace(LIMITS, max_piece=SECOND)
    harness.upload(
        sample_videos.video_with_audio(2), sample_videos.video_with_audio(1, *sample_videos.VP8, suffix="webm")
    )
    output_hashes = []
    for _ in range(2):
        harness.run()
        keys = harness.keys("audio/") + harness.keys("video/") + harness.piece_keys()
        output_hashes.append({key: hashlib.sha256(harness.read_object(key)).hexdigest() for key in keys})
        for key in [*keys, harness.recording.media_result_key]:
            harness.s3.delete_object(Bucket=BUCKET, Key=key)
    assert output_hashes[0] == output_hashes[1]
    assert len(output_hashes[0]) == 6, "audio, four pieces, and the joined video"

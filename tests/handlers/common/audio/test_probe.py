"""Tests of the prober, which finds format, codec and duration of a recording and reads only small parts of it.

The recordings are real, damaged or crafted, in every format.
"""

import random
import struct
from collections.abc import Callable

import pytest
from botocore.exceptions import ReadTimeoutError
from hypothesis import given
from hypothesis import strategies as st

from handlers.common.audio.probe import probe
from handlers.common.audio.probe_result import AudioFile, AudioFormat, RejectedAudio, RejectionReason
from handlers.common.audio.ranged_file import BLOCK, MAX_FETCHED, RangedFile
from tests.handlers.common.audio.sample_files import (
    FRAGMENT_IN_HEADER,
    FRAGMENTED_MP4,
    LIVE_WEBM,
    SPEECH_SECONDS,
    TEST_PICTURE,
    TONE,
    duration_ms,
    encode,
    rejection,
    repeating_file,
    sparse_file,
    spoken,
    to_ranged_file,
)
from tests.handlers.transcription.crafted_audio import flac_file, flac_frame, streaminfo
from tests.handlers.transcription.recordings import decoded_ms, loop_audio, recording

pytestmark = pytest.mark.media
THREE_HOURS_MS = 3 * 3600 * 1000
FORMATS = {
    "mp3": (AudioFormat.MP3, "mp3"),
    "mp3-bare": (AudioFormat.MP3, "mp3"),
    "mp4": (AudioFormat.MP4, "aac"),
    "wav": (AudioFormat.WAV, "pcm"),
    "flac": (AudioFormat.FLAC, "flac"),
    "flac-24": (AudioFormat.FLAC, "flac"),
    "opus": (AudioFormat.OGG, "opus"),
    "vorbis": (AudioFormat.OGG, "vorbis"),
    "webm": (AudioFormat.WEBM, "opus"),
}
"""Format and codec of each kind of recording. `mp3-bare` has neither tags nor a Xing header."""
REORDERED_RECORDINGS: list[tuple[str, tuple[str, ...], bool]] = [
    ("mp4", FRAGMENTED_MP4, True),
    ("mp4", FRAGMENT_IN_HEADER, False),
    ("mp4", ("-movflags", "+faststart"), False),
    ("webm", LIVE_WEBM, True),
    ("wav", (), True),
]
"""Format, options of ffmpeg, and True if ffmpeg writes into a pipe, for files whose parts are in another order."""
ALL_RECORDINGS = [*((kind, (), False) for kind in FORMATS), *REORDERED_RECORDINGS]


@pytest.mark.parametrize("kind", FORMATS)
def test_a_format_is_recognised_by_content(kind: str) -> None:
    audio = spoken(kind)
    result = probe(to_ranged_file(audio))
    assert (result.format, result.codec) == FORMATS[kind]
    assert result.duration_ms == pytest.approx(decoded_ms(audio), abs=60)
    assert result.duration_ms == pytest.approx(SPEECH_SECONDS * 1000, abs=60)


@pytest.mark.parametrize(
    ("kind", "options", "piped"),
    [*REORDERED_RECORDINGS, *((kind, (), True) for kind in ("webm", "mp3", "opus", "vorbis"))],
)
def test_the_order_of_a_files_parts_does_not_matter(kind: str, options: tuple[str, ...], piped: bool) -> None:
    assert duration_ms(spoken(kind, *options, piped=piped)) == pytest.approx(SPEECH_SECONDS * 1000, abs=60)


def test_flac_without_a_stated_length_is_rejected() -> None:
    assert rejection(spoken("flac", piped=True)) is RejectionReason.NO_DURATION


def test_tags_in_front_of_audio_are_skipped_unread() -> None:
    # An ID3v2 tag of two megabytes, like one with a cover image.
    cover = b"ID3\x04\x00\x00" + bytes([0, 0x7F, 0x7F, 0x7F]) + bytes((1 << 21) - 1)
    for kind in ("mp3", "flac"):
        file = to_ranged_file(cover + cover + spoken(kind))
        assert probe(file).duration_ms == pytest.approx(SPEECH_SECONDS * 1000, abs=60)
        assert file.fetched <= 6 * BLOCK


def test_a_video_file_is_probed_by_its_audio_and_rejected_if_it_has_none() -> None:
    mp4_codecs = ("-c:v", "mpeg4", "-c:a", "aac")
    assert probe(to_ranged_file(encode("mp4", *mp4_codecs, sources=(TEST_PICTURE, TONE)))).codec == "aac"
    assert rejection(encode("mp4", "-c:v", "mpeg4", sources=(TEST_PICTURE,))) is RejectionReason.NO_AUDIO
    webm_codecs = ("-c:v", "libvpx", "-c:a", "libopus")
    for options in (webm_codecs, (*webm_codecs, *LIVE_WEBM)):
        assert duration_ms(encode("webm", *options, sources=(TEST_PICTURE, TONE))) == pytest.approx(3000, abs=60)
    assert rejection(encode("webm", "-c:v", "libvpx", sources=(TEST_PICTURE,))) is RejectionReason.NO_AUDIO


@pytest.mark.parametrize(
    ("suffix", "options", "reason"),
    [
        ("mp4", ("-c:a", "ac3"), RejectionReason.CODEC_NOT_SUPPORTED),
        ("ogg", ("-c:a", "libspeex", "-ar", "16000"), RejectionReason.CODEC_NOT_SUPPORTED),
        ("ogg", ("-c:a", "flac"), RejectionReason.CODEC_NOT_SUPPORTED),
        ("wav", ("-c:a", "libmp3lame"), RejectionReason.CODEC_NOT_SUPPORTED),
        ("aac", (), RejectionReason.UNKNOWN_FORMAT),
        ("mkv", ("-c:a", "libopus"), RejectionReason.UNKNOWN_FORMAT),
        ("aiff", (), RejectionReason.UNKNOWN_FORMAT),
        ("mp2", (), RejectionReason.UNKNOWN_FORMAT),
    ],
)
def test_other_codecs_and_formats_are_rejected(suffix: str, options: tuple[str, ...], reason: RejectionReason) -> None:
    assert rejection(encode(suffix, *options)) is reason


@pytest.mark.parametrize("kind", sorted(FORMATS.keys() - {"mp3-bare"}))
def test_the_first_half_of_a_recording_is_rejected(kind: str) -> None:
    audio = spoken(kind)
    assert rejection(audio[: len(audio) // 2]) is RejectionReason.TRUNCATED


@pytest.mark.parametrize(("kind", "options"), [("webm", LIVE_WEBM), ("mp4", FRAGMENTED_MP4), ("mp3-bare", ())])
def test_a_truncated_live_recording_has_the_duration_of_its_complete_part(kind: str, options: tuple[str, ...]) -> None:
    audio = spoken(kind, *options, piped=True)
    assert duration_ms(audio[: len(audio) // 2]) == pytest.approx(SPEECH_SECONDS * 1000 / 2, abs=600)


@pytest.mark.parametrize("second_options", [("-metadata", "title=x"), ("-id3v2_version", "0")])
@pytest.mark.parametrize("first_options", [(), ("-write_id3v1", "1")])
def test_joined_mp3_files_are_rejected(first_options: tuple[str, ...], second_options: tuple[str, ...]) -> None:
    """The Xing header only states the length of the first file."""
    assert rejection(spoken("mp3", *first_options) + spoken("mp3", *second_options)) is RejectionReason.UNREADABLE


ID3_AT_THE_END = b"ID3\x04\x00\x10\x00\x00\x10\x00" + bytes(2048) + b"3DI\x04\x00\x10\x00\x00\x10\x00"


@pytest.mark.parametrize(
    "tags",
    [
        pytest.param(b"", id="no tags"),
        pytest.param(b"TAG" + bytes(125), id="ID3v1"),
        pytest.param(b"APETAGEX" + bytes(100_000), id="APE"),
        pytest.param(ID3_AT_THE_END, id="ID3v2"),
    ],
)
@pytest.mark.parametrize("has_uncounted_frame", [False, True])
def test_tags_and_a_single_uncounted_frame_at_the_end_of_an_mp3_change_nothing(
    tags: bytes, has_uncounted_frame: bool
) -> None:
    """The Info header states the number of bytes of all frames. Some headers leave out one frame."""
    audio = spoken("mp3")
    info = audio.index(b"Info")
    byte_count = int.from_bytes(audio[info + 12 : info + 16], "big")
    last_frame = audio.index(audio[len(audio) - byte_count :][:2], len(audio) - 600)
    stated_count = byte_count - (len(audio) - last_frame if has_uncounted_frame else 0)
    changed = audio[: info + 12] + stated_count.to_bytes(4, "big") + audio[info + 16 :]
    assert probe(to_ranged_file(changed + tags)) == probe(to_ranged_file(audio))


MP3_FRAME = b"\xff\xfb\x90\x64" + bytes(413)
"""128 kbit/s at 44.1 kHz: 26 ms."""
ID3_AT_THE_START = b"ID3\x04\x00\x00\x00\x00\x00\x01x"


def test_a_file_is_an_mp3_only_if_it_has_several_mp3_frames() -> None:
    assert rejection(MP3_FRAME * 3) is RejectionReason.UNREADABLE
    assert duration_ms(MP3_FRAME * 100) == pytest.approx(2612, abs=10)
    assert rejection(ID3_AT_THE_START + encode("mp2")) is RejectionReason.UNREADABLE
    assert rejection(ID3_AT_THE_START + b"text." * 100) is RejectionReason.UNREADABLE


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    """Return a WAV file with these chunks."""
    parts = [name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2) for name, data in chunks]
    return b"RIFF\xff\xff\xff\xffWAVE" + b"".join(parts)


def fmt_chunk(
    codec: int = 1, channels: int = 1, rate: int = 1000, align: int = 2, bits: int = 16
) -> tuple[bytes, bytes]:
    return b"fmt ", struct.pack("<HHIIHH", codec, channels, rate, 12345, align, bits)


SAMPLES = (b"data", bytes(4000))


def test_a_wav_file_may_state_its_codec_in_the_format_extension() -> None:
    audio = encode("wav", "-c:a", "pcm_s24le")
    assert audio[20:22] == b"\xfe\xff", "the code of WAVE_FORMAT_EXTENSIBLE"
    assert (probe(to_ranged_file(audio)).codec, duration_ms(audio)) == ("pcm", 3000)


def test_a_wav_file_may_have_other_chunks() -> None:
    assert duration_ms(riff((b"LIST", b"12345"), fmt_chunk(), (b"fact", b"x"), SAMPLES)) == 2000


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ((fmt_chunk(align=1), SAMPLES), RejectionReason.UNREADABLE),
        ((fmt_chunk(rate=0), SAMPLES), RejectionReason.UNREADABLE),
        ((fmt_chunk(channels=0, align=0), SAMPLES), RejectionReason.UNREADABLE),
        ((fmt_chunk(codec=0x55), SAMPLES), RejectionReason.CODEC_NOT_SUPPORTED),
        ((fmt_chunk(),), RejectionReason.UNREADABLE),
        (((b"fmt ", b"short"), SAMPLES), RejectionReason.UNREADABLE),
        ((fmt_chunk(), (b"data", b"")), RejectionReason.NO_DURATION),
        (((b"x   ", b""),) * 100_000, RejectionReason.UNREADABLE),
    ],
)
def test_a_wav_file_without_valid_chunks_is_rejected(
    chunks: tuple[tuple[bytes, bytes], ...], expected: RejectionReason
) -> None:
    assert rejection(riff(*chunks)) is expected


def wav_with_stated_size(size: int) -> bytes:
    """Return a recording whose header states another size of its samples."""
    audio = spoken("wav")
    position = audio.index(b"data") + 4
    return audio[:position] + size.to_bytes(4, "little") + audio[position + 4 :]


@pytest.mark.parametrize("placeholder", [0, 0x7FFFF000, 0xFFFFFFFF])
def test_a_wav_file_extends_to_its_end_if_a_placeholder_is_stated_as_the_size_of_its_samples(placeholder: int) -> None:
    assert duration_ms(wav_with_stated_size(placeholder)) == pytest.approx(SPEECH_SECONDS * 1000, abs=1)


@pytest.mark.parametrize(
    ("size", "reason"),
    # One or two bytes of samples last less than a millisecond.
    [(1, RejectionReason.NO_DURATION), (2, RejectionReason.NO_DURATION), (2_000_000, RejectionReason.TRUNCATED)],
)
def test_a_wav_file_that_states_another_size_than_it_has_is_rejected(size: int, reason: RejectionReason) -> None:
    assert rejection(wav_with_stated_size(size)) is reason


def flac_of(*frames: bytes, samples: int = 40_000) -> bytes:
    """Return a FLAC file that states this number of samples, 8000 per second and 4096 per frame except the last one."""
    return flac_file(*frames, info=struct.pack(">HH", 4096, 4096) + streaminfo(rate=8000, samples=samples)[4:])


@pytest.mark.parametrize(("number", "has_varying_size"), [(9, False), (36_864, True)])
def test_a_flac_file_is_truncated_if_its_last_frame_lacks_the_last_sample(number: int, has_varying_size: bool) -> None:
    """Frames of varying size state the number of their first sample, others state their own number.

    The last frame is frame 9. It begins at sample 36,864 = 9 * 4096, and has the remaining 3136 of the 40,000 samples.
    """
    last_frame = flac_frame(number, 3136, varying_block_size=has_varying_size)
    assert duration_ms(flac_of(last_frame)) == 5000
    for incomplete_frame in (
        flac_frame(number - 1, 3136, varying_block_size=has_varying_size),
        flac_frame(number, 3135, varying_block_size=has_varying_size),
    ):
        assert rejection(flac_of(incomplete_frame)) is RejectionReason.TRUNCATED
    # The header of the damaged frame has a wrong checksum. The bytes after it only look like the start of a frame.
    damaged_frame = last_frame[:7] + bytes([last_frame[7] ^ 1]) + last_frame[8:]
    assert rejection(flac_of(damaged_frame, b"\xff\xf8" + b"\xff" * 14)) is RejectionReason.TRUNCATED


OPUS_PRE_SKIP = 312
"""Samples at the start of an Opus stream that are not part of the recording."""


def ogg_page(audio: bytes, position: int) -> bytes:
    """Return a further page of the stream, at a position in samples. The position -1 means that it has none."""
    return b"OggS\0\0" + position.to_bytes(8, "little", signed=True) + audio[14:18] + bytes(8) + b"\x01\x01x"


def test_the_last_ogg_page_with_a_position_counts() -> None:
    audio = spoken("opus")
    assert duration_ms(audio + ogg_page(audio, -1)) == duration_ms(audio)
    assert duration_ms(audio + ogg_page(audio, 48_000 * 20 + OPUS_PRE_SKIP)) == 20_000
    assert rejection(audio + ogg_page(audio, 2**62)) is RejectionReason.UNREADABLE, "longer than any recording"


def test_two_ogg_streams_in_one_file_are_rejected() -> None:
    assert rejection(spoken("opus") + spoken("vorbis")) is RejectionReason.UNREADABLE
    assert rejection(spoken("vorbis") + spoken("opus")) is RejectionReason.UNREADABLE


# Files of three hours, of which only the parts that the prober needs exist in memory.


def stretched_ogg() -> RangedFile:
    audio = spoken("opus")
    last_page = audio.rindex(b"OggS")
    position = (THREE_HOURS_MS * 48 + OPUS_PRE_SKIP).to_bytes(8, "little")
    return sparse_file(audio[: 64 * 1024], audio[last_page : last_page + 6] + position + audio[last_page + 14 :], 10**9)


def stretched_webm() -> RangedFile:
    audio = spoken("webm", *LIVE_WEBM, piped=True)
    # A cluster of unknown size, with its start time and one block of audio.
    cluster = b"\x1f\x43\xb6\x75\x01\xff\xff\xff\xff\xff\xff\xff\xe7\x84" + THREE_HOURS_MS.to_bytes(4, "big")
    return sparse_file(audio[: 32 * 1024], cluster + b"\xa3\x85\x81\x00\x00\x80\x00", 10**9)


def stretched_wav() -> RangedFile:
    head = bytearray(spoken("wav")[:100])
    position, length = head.index(b"data") + 4, THREE_HOURS_MS * 48 * 2  # 48 samples of two bytes per millisecond
    head[4:8] = head[position : position + 4] = length.to_bytes(4, "little")
    return sparse_file(bytes(head), b"", position + 4 + length)


def stretched_mp3() -> RangedFile:
    frames = recording("mp3-bare", "-b:a", "64k", rate=48000, seconds=1.2)
    return repeating_file(frames, THREE_HOURS_MS * 8)  # 64 kbit/s are 8 bytes per millisecond


SILENCE = "anullsrc=r={rate}:cl=mono:d={seconds}"


def hours_of_flac() -> RangedFile:
    """Return hours of real FLAC at a low sample rate, because encoding takes time per sample."""
    return to_ranged_file(
        recording("flac", "-compression_level", "0", rate=1000, seconds=THREE_HOURS_MS / 1000, source=SILENCE)
    )


def hours_of_mp4() -> RangedFile:
    minute = recording("mp4", "-b:a", "8k", rate=8000, seconds=64, source=SILENCE)
    return to_ranged_file(loop_audio(minute, "mp4", THREE_HOURS_MS / 1000))


@pytest.mark.parametrize(
    "create_file", [stretched_mp3, stretched_ogg, stretched_wav, stretched_webm, hours_of_flac, hours_of_mp4]
)
def test_three_hours_are_probed_with_a_few_reads(create_file: Callable[[], RangedFile]) -> None:
    file = create_file()
    assert probe(file).duration_ms == pytest.approx(THREE_HOURS_MS, abs=200)
    assert file.fetched <= 4 * BLOCK < file.size
    assert file.requests <= 4


def probe_within_limits(file: RangedFile) -> AudioFile | None:
    """Probe a file, and check the limit of fetched bytes. Return None if the file is rejected."""
    try:
        result = probe(file)
    except RejectedAudio:
        result = None
    assert file.fetched <= min(file.size, MAX_FETCHED)
    return result


@given(
    st.sampled_from(
        [
            *(b"", b"ID3\x04\0\0\0\0\0\0", b"\xff\xfb\x90\x64", b"RIFF\0\0\0\0WAVE", b"fLaC\0\0\0\x22", b"OggS\0\2"),
            *(b"\0\0\0\x14ftypM4A \0\0\0\0M4A ", b"\x1a\x45\xdf\xa3\x87\x42\x82\x84webm"),
        ]
    ),
    st.binary(max_size=3000),
)
def test_noise_after_a_valid_header_is_rejected_or_read(header: bytes, noise: bytes) -> None:
    probe_within_limits(to_ranged_file(header + noise))


def short_recording(kind: str, options: tuple[str, ...], piped: bool) -> bytes:
    """Return a recording of one second, small enough to be damaged everywhere."""
    return recording(kind, *options, rate=48000 if kind == "opus" else 16000, seconds=1, piped=piped)


@pytest.mark.parametrize(("kind", "options", "piped"), ALL_RECORDINGS)
@given(share=st.floats(0, 1))
def test_a_recording_cut_anywhere_is_rejected_or_not_longer_than_the_original(
    kind: str, options: tuple[str, ...], piped: bool, share: float
) -> None:
    audio = short_recording(kind, options, piped)
    result = probe_within_limits(to_ranged_file(audio[: int(len(audio) * share)]))
    assert result is None or 0 < result.duration_ms <= 1200


@pytest.mark.parametrize(("kind", "options", "piped"), ALL_RECORDINGS)
@given(seed=st.integers(0, 2**32), flipped_bits=st.integers(1, 40), only_head=st.booleans())
def test_a_damaged_recording_is_rejected_or_read(
    kind: str, options: tuple[str, ...], piped: bool, seed: int, flipped_bits: int, only_head: bool
) -> None:
    audio, numbers = bytearray(short_recording(kind, options, piped)), random.Random(seed)  # noqa: S311 - not a secret
    for _ in range(flipped_bits):
        audio[numbers.randrange(min(len(audio), 600) if only_head else len(audio))] ^= 1 << numbers.randrange(8)
    probe_within_limits(to_ranged_file(bytes(audio)))


MP4_HEAD = b"\0\0\0\x14ftypM4A \0\0\0\0M4A "


@pytest.mark.parametrize(
    "create_content",
    [
        pytest.param(lambda: MP4_HEAD + b"\0\0\0\x08free" * 400_000, id="empty boxes"),
        pytest.param(lambda: MP4_HEAD + b"\0\0\0\x00free", id="a box to the end"),
        pytest.param(lambda: MP4_HEAD + b"\0\0\0\x01free" + bytes(8), id="a large box without a size"),
        pytest.param(lambda: spoken("opus")[:1000] + (b"OggS\0\0" + b"\xff" * 8 + bytes(13)) * 300_000, id="pages"),
        pytest.param(
            lambda: spoken("webm", *LIVE_WEBM, piped=True)[:400] + b"\x1f\x43\xb6\x75" * 2_000_000, id="empty clusters"
        ),
        pytest.param(lambda: b"ID3\x04\0\0\0\0\0\x01x" * 300_000, id="tags"),
        pytest.param(lambda: spoken("flac")[:42] + b"\xff\xf8" * 2_000_000, id="frame starts"),
    ],
)
def test_a_file_of_endlessly_repeated_structures_is_rejected_within_the_read_limits(
    create_content: Callable[[], bytes],
) -> None:
    assert probe_within_limits(to_ranged_file(create_content())) is None


@pytest.mark.parametrize("kind", ["flac", "flac-24", "vorbis", "mp4"])
@pytest.mark.parametrize("requests_before", [0, 1])
def test_a_storage_error_is_raised_and_does_not_reject_the_file(kind: str, requests_before: int) -> None:
    audio, successful_requests = spoken(kind), iter(range(requests_before))

    def fetch(start: int, length: int) -> bytes:
        if next(successful_requests, None) is None:
            raise ReadTimeoutError(endpoint_url="x")
        return audio[start : start + length]

    with pytest.raises(ReadTimeoutError):
        probe(RangedFile(fetch, len(audio)))

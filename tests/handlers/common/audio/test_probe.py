"""Tests of the prober with real, damaged and crafted recordings of every format, and with noise."""

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
    FIRST_IN_FRONT,
    FRAGMENTED,
    LIVE,
    PICTURES,
    SECONDS,
    SOUND,
    duration_ms,
    encoded,
    ranged,
    rejection,
    repeated,
    sparse,
    spoken,
)
from tests.handlers.transcription.crafted_audio import flac_file, flac_frame, streaminfo
from tests.handlers.transcription.recordings import decoded_ms, loop_audio, recording

pytestmark = pytest.mark.media
HOURS_MS = 3 * 3600 * 1000
KINDS = {
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
REORDERED: list[tuple[str, tuple[str, ...], bool]] = [
    ("mp4", FRAGMENTED, True),
    ("mp4", FIRST_IN_FRONT, False),
    ("mp4", ("-movflags", "+faststart"), False),
    ("webm", LIVE, True),
    ("wav", (), True),
]
"""Format, options of ffmpeg, and True if ffmpeg writes into a pipe, for files whose parts are in another order."""
SEEDS = [*((kind, (), False) for kind in KINDS), *REORDERED]


@pytest.mark.parametrize("kind", KINDS)
def test_a_format_is_recognised_by_content(kind: str) -> None:
    audio = spoken(kind)
    found = probe(ranged(audio))
    assert (found.format, found.codec) == KINDS[kind]
    assert found.duration_ms == pytest.approx(decoded_ms(audio), abs=60)
    assert found.duration_ms == pytest.approx(SECONDS * 1000, abs=60)


@pytest.mark.parametrize(
    ("kind", "options", "piped"), [*REORDERED, *((kind, (), True) for kind in ("webm", "mp3", "opus", "vorbis"))]
)
def test_the_order_of_a_files_parts_does_not_matter(kind: str, options: tuple[str, ...], piped: bool) -> None:
    assert duration_ms(spoken(kind, *options, piped=piped)) == pytest.approx(SECONDS * 1000, abs=60)


def test_flac_without_a_stated_length_is_rejected() -> None:
    assert rejection(spoken("flac", piped=True)) is RejectionReason.NO_DURATION


def test_tags_in_front_of_audio_are_skipped_unread() -> None:
    cover = b"ID3\x04\x00\x00" + bytes([0, 0x7F, 0x7F, 0x7F]) + bytes((1 << 21) - 1)
    for kind in ("mp3", "flac"):
        file = ranged(cover + cover + spoken(kind))
        assert probe(file).duration_ms == pytest.approx(SECONDS * 1000, abs=60)
        assert file.fetched <= 6 * BLOCK


def test_audio_next_to_video_counts_and_video_without_audio_is_rejected() -> None:
    video = ("-c:v", "mpeg4", "-c:a", "aac")
    assert probe(ranged(encoded("mp4", *video, sources=(PICTURES, SOUND)))).codec == "aac"
    assert rejection(encoded("mp4", "-c:v", "mpeg4", sources=(PICTURES,))) is RejectionReason.NO_AUDIO
    clip = ("-c:v", "libvpx", "-c:a", "libopus")
    for options in (clip, (*clip, *LIVE)):
        assert duration_ms(encoded("webm", *options, sources=(PICTURES, SOUND))) == pytest.approx(3000, abs=60)
    assert rejection(encoded("webm", "-c:v", "libvpx", sources=(PICTURES,))) is RejectionReason.NO_AUDIO


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
    assert rejection(encoded(suffix, *options)) is reason


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {"mp3-bare"}))
def test_half_of_a_recording_is_rejected(kind: str) -> None:
    audio = spoken(kind)
    assert rejection(audio[: len(audio) // 2]) is RejectionReason.TRUNCATED


@pytest.mark.parametrize(("kind", "options"), [("webm", LIVE), ("mp4", FRAGMENTED), ("mp3-bare", ())])
def test_a_cut_live_recording_has_the_duration_of_its_complete_part(kind: str, options: tuple[str, ...]) -> None:
    audio = spoken(kind, *options, piped=True)
    assert duration_ms(audio[: len(audio) // 2]) == pytest.approx(SECONDS * 500, abs=600)


@pytest.mark.parametrize("second", [("-metadata", "title=x"), ("-id3v2_version", "0")])
@pytest.mark.parametrize("first", [(), ("-write_id3v1", "1")])
def test_joined_mp3_files_are_rejected(first: tuple[str, ...], second: tuple[str, ...]) -> None:
    """The Xing header only states the length of the first file."""
    assert rejection(spoken("mp3", *first) + spoken("mp3", *second)) is RejectionReason.UNREADABLE


ID3_AT_THE_END = b"ID3\x04\x00\x10\x00\x00\x10\x00" + bytes(2048) + b"3DI\x04\x00\x10\x00\x00\x10\x00"


@pytest.mark.parametrize("behind", [b"", b"TAG" + bytes(125), b"APETAGEX" + bytes(100_000), ID3_AT_THE_END])
@pytest.mark.parametrize("uncounted", [False, True])
def test_tags_and_a_single_uncounted_frame_behind_an_mp3_do_not_count(behind: bytes, uncounted: bool) -> None:
    audio = spoken("mp3")
    info = audio.index(b"Info")
    counted = int.from_bytes(audio[info + 12 : info + 16], "big")
    last_frame = audio.index(audio[len(audio) - counted :][:2], len(audio) - 600)
    stated = counted - (len(audio) - last_frame) * uncounted
    changed = audio[: info + 12] + stated.to_bytes(4, "big") + audio[info + 16 :]
    assert probe(ranged(changed + behind)) == probe(ranged(audio))


MP3_FRAME = b"\xff\xfb\x90\x64" + bytes(413)
"""128 kbit/s at 44.1 kHz: 26 ms."""
TAG = b"ID3\x04\x00\x00\x00\x00\x00\x01x"


def test_an_mp3_needs_several_frames() -> None:
    assert rejection(MP3_FRAME * 3) is RejectionReason.UNREADABLE
    assert duration_ms(MP3_FRAME * 100) == pytest.approx(2612, abs=10)
    assert rejection(TAG + encoded("mp2")) is RejectionReason.UNREADABLE
    assert rejection(TAG + b"hello" * 100) is RejectionReason.UNREADABLE


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    parts = [name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2) for name, data in chunks]
    return b"RIFF\xff\xff\xff\xffWAVE" + b"".join(parts)


def form(kind: int = 1, channels: int = 1, rate: int = 1000, align: int = 2, bits: int = 16) -> tuple[bytes, bytes]:
    return b"fmt ", struct.pack("<HHIIHH", kind, channels, rate, 12345, align, bits)


SAMPLES = (b"data", bytes(4000))


def test_a_wav_file_may_name_its_codec_in_the_extension_and_have_other_chunks() -> None:
    audio = encoded("wav", "-c:a", "pcm_s24le")
    assert audio[20:22] == b"\xfe\xff"
    assert (probe(ranged(audio)).codec, duration_ms(audio)) == ("pcm", 3000)
    assert duration_ms(riff((b"LIST", b"oddly"), form(), (b"fact", b"x"), SAMPLES)) == 2000


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ((form(align=1), SAMPLES), RejectionReason.UNREADABLE),
        ((form(rate=0), SAMPLES), RejectionReason.UNREADABLE),
        ((form(channels=0, align=0), SAMPLES), RejectionReason.UNREADABLE),
        ((form(kind=0x55), SAMPLES), RejectionReason.CODEC_NOT_SUPPORTED),
        ((form(),), RejectionReason.UNREADABLE),
        (((b"fmt ", b"short"), SAMPLES), RejectionReason.UNREADABLE),
        ((form(), (b"data", b"")), RejectionReason.NO_DURATION),
        (((b"x   ", b""),) * 100_000, RejectionReason.UNREADABLE),
    ],
)
def test_a_wav_file_without_valid_chunks_is_rejected(
    chunks: tuple[tuple[bytes, bytes], ...], expected: RejectionReason
) -> None:
    assert rejection(riff(*chunks)) is expected


@pytest.mark.parametrize("size", [0, 1, 2, 0x7FFFF000, 0xFFFFFFFF, 2_000_000])
def test_a_wav_file_plays_to_its_end_if_the_size_of_its_samples_is_unknown(size: int) -> None:
    audio = bytearray(spoken("wav"))
    place = audio.index(b"data") + 4
    available = len(audio) - place - 4
    audio[place : place + 4] = size.to_bytes(4, "little")
    if size in {1, 2}:
        assert rejection(bytes(audio)) is RejectionReason.NO_DURATION, "this is a size"
    elif size == 2_000_000:
        assert rejection(bytes(audio)) is RejectionReason.TRUNCATED, "and so is this"
    else:
        assert duration_ms(bytes(audio)) == round(available / 96)


def flac_of(*frames: bytes, samples: int = 40_000) -> bytes:
    return flac_file(*frames, info=struct.pack(">HH", 4096, 4096) + streaminfo(rate=8000, samples=samples)[4:])


@pytest.mark.parametrize(("number", "varying"), [(9, False), (36_864, True)])
def test_the_last_flac_frame_contains_the_last_sample(number: int, varying: bool) -> None:
    last = flac_frame(number, 3136, varying_block_size=varying)
    assert duration_ms(flac_of(last)) == 5000
    for item in (
        flac_frame(number - 1, 3136, varying_block_size=varying),
        flac_frame(number, 3135, varying_block_size=varying),
    ):
        assert rejection(flac_of(item)) is RejectionReason.TRUNCATED
    damaged = last[:7] + bytes([last[7] ^ 1]) + last[8:]
    assert rejection(flac_of(damaged, b"\xff\xf8" + b"\xff" * 14)) is RejectionReason.TRUNCATED


def ogg_page(audio: bytes, position: int) -> bytes:
    """Return a further page of the stream."""
    return b"OggS\0\0" + position.to_bytes(8, "little", signed=True) + audio[14:18] + bytes(8) + b"\x01\x01x"


def test_the_last_ogg_page_with_a_position_counts() -> None:
    audio = spoken("opus")
    assert duration_ms(audio + ogg_page(audio, -1)) == duration_ms(audio)
    assert duration_ms(audio + ogg_page(audio, 48_000 * 20 + 312)) == 20_000
    assert rejection(audio + ogg_page(audio, 2**62)) is RejectionReason.UNREADABLE, "longer than any recording"


def test_two_ogg_streams_in_one_file_are_rejected() -> None:
    assert rejection(spoken("opus") + spoken("vorbis")) is RejectionReason.UNREADABLE
    assert rejection(spoken("vorbis") + spoken("opus")) is RejectionReason.UNREADABLE


def stretched_ogg() -> RangedFile:
    audio = spoken("opus")
    last = audio.rindex(b"OggS")
    position = (HOURS_MS * 48 + 312).to_bytes(8, "little")
    return sparse(audio[: 64 * 1024], audio[last : last + 6] + position + audio[last + 14 :], 10**9)


def stretched_webm() -> RangedFile:
    audio = spoken("webm", *LIVE, piped=True)
    cluster = b"\x1f\x43\xb6\x75\x01\xff\xff\xff\xff\xff\xff\xff\xe7\x84" + HOURS_MS.to_bytes(4, "big")
    return sparse(audio[: 32 * 1024], cluster + b"\xa3\x85\x81\x00\x00\x80\x00", 10**9)


def stretched_wav() -> RangedFile:
    head = bytearray(spoken("wav")[:100])
    place, length = head.index(b"data") + 4, HOURS_MS * 96
    head[4:8] = head[place : place + 4] = length.to_bytes(4, "little")
    return sparse(bytes(head), b"", place + 4 + length)


def stretched_mp3() -> RangedFile:
    frames = recording("mp3-bare", "-b:a", "64k", rate=48000, seconds=1.2)
    return repeated(frames, HOURS_MS * 8)


SILENCE = "anullsrc=r={rate}:cl=mono:d={seconds}"


def hours_of_flac() -> RangedFile:
    """Return hours of real FLAC at a low sample rate, because encoding takes time per sample."""
    return ranged(recording("flac", "-compression_level", "0", rate=1000, seconds=HOURS_MS / 1000, source=SILENCE))


def hours_of_mp4() -> RangedFile:
    minute = recording("mp4", "-b:a", "8k", rate=8000, seconds=64, source=SILENCE)
    return ranged(loop_audio(minute, "mp4", HOURS_MS / 1000))


@pytest.mark.parametrize(
    "made", [stretched_mp3, stretched_ogg, stretched_wav, stretched_webm, hours_of_flac, hours_of_mp4]
)
def test_three_hours_are_probed_with_a_few_reads(made: Callable[[], RangedFile]) -> None:
    file = made()
    assert probe(file).duration_ms == pytest.approx(HOURS_MS, abs=200)
    assert file.fetched <= 4 * BLOCK < file.size
    assert file.requests <= 4


def checked(file: RangedFile) -> AudioFile | None:
    """Probe a file, and check the cost limits. Return None if the file is rejected."""
    try:
        found = probe(file)
    except RejectedAudio:
        found = None
    assert file.fetched <= min(file.size, MAX_FETCHED)
    return found


@given(
    st.sampled_from(
        [
            *(b"", b"ID3\x04\0\0\0\0\0\0", b"\xff\xfb\x90\x64", b"RIFF\0\0\0\0WAVE", b"fLaC\0\0\0\x22", b"OggS\0\2"),
            *(b"\0\0\0\x14ftypM4A \0\0\0\0M4A ", b"\x1a\x45\xdf\xa3\x87\x42\x82\x84webm"),
        ]
    ),
    st.binary(max_size=3000),
)
def test_noise_behind_a_valid_header_is_rejected_or_read(head: bytes, data: bytes) -> None:
    checked(ranged(head + data))


def short(kind: str, options: tuple[str, ...], piped: bool) -> bytes:
    """Return a recording of one second, small enough to be damaged everywhere."""
    return recording(kind, *options, rate=48000 if kind == "opus" else 16000, seconds=1, piped=piped)


@pytest.mark.parametrize(("kind", "options", "piped"), SEEDS)
@given(share=st.floats(0, 1))
def test_a_recording_cut_anywhere_is_rejected_or_not_longer_than_the_original(
    kind: str, options: tuple[str, ...], piped: bool, share: float
) -> None:
    audio = short(kind, options, piped)
    found = checked(ranged(audio[: int(len(audio) * share)]))
    assert found is None or 0 < found.duration_ms <= 1200


@pytest.mark.parametrize(("kind", "options", "piped"), SEEDS)
@given(seed=st.integers(0, 2**32), flips=st.integers(1, 40), head=st.booleans())
def test_a_damaged_recording_is_rejected_or_read(
    kind: str, options: tuple[str, ...], piped: bool, seed: int, flips: int, head: bool
) -> None:
    audio, chance = bytearray(short(kind, options, piped)), random.Random(seed)  # noqa: S311 - damage, not a secret
    for _ in range(flips):
        audio[chance.randrange(min(len(audio), 600) if head else len(audio))] ^= 1 << chance.randrange(8)
    checked(ranged(bytes(audio)))


MP4_HEAD = b"\0\0\0\x14ftypM4A \0\0\0\0M4A "


@pytest.mark.parametrize(
    "crafted",
    [
        pytest.param(lambda: MP4_HEAD + b"\0\0\0\x08free" * 400_000, id="empty boxes"),
        pytest.param(lambda: MP4_HEAD + b"\0\0\0\x00free", id="a box to the end"),
        pytest.param(lambda: MP4_HEAD + b"\0\0\0\x01free" + bytes(8), id="a large box without a size"),
        pytest.param(lambda: spoken("opus")[:1000] + (b"OggS\0\0" + b"\xff" * 8 + bytes(13)) * 300_000, id="pages"),
        pytest.param(
            lambda: spoken("webm", *LIVE, piped=True)[:400] + b"\x1f\x43\xb6\x75" * 2_000_000, id="empty clusters"
        ),
        pytest.param(lambda: b"ID3\x04\0\0\0\0\0\x01x" * 300_000, id="tags"),
        pytest.param(lambda: spoken("flac")[:42] + b"\xff\xf8" * 2_000_000, id="frame starts"),
    ],
)
def test_endless_structures_stay_within_the_read_limits(crafted: Callable[[], bytes]) -> None:
    assert checked(ranged(crafted())) is None


@pytest.mark.parametrize("kind", ["flac", "flac-24", "vorbis", "mp4"])
@pytest.mark.parametrize("requests_before", [0, 1])
def test_a_storage_error_is_not_an_error_of_the_file(kind: str, requests_before: int) -> None:
    audio, left = spoken(kind), [None] * requests_before

    def fetch(start: int, length: int) -> bytes:
        if not left:
            raise ReadTimeoutError(endpoint_url="x")
        left.pop()
        return audio[start : start + length]

    with pytest.raises(ReadTimeoutError):
        probe(RangedFile(fetch, len(audio)))

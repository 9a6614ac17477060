"""MP3, WAV, FLAC and Ogg where they are not as encoders make them: tags, chunks, frames and pages by hand."""

import struct

import pytest

from handlers.voice_qa import flac
from handlers.voice_qa.audio_files import BadFile, Problem
from handlers.voice_qa.probing import probe
from tests.handlers.voice_qa.lecture_recordings import SOUND, encoded, ranged, spoken

pytestmark = pytest.mark.media
FRAME = b"\xff\xfb\x90\x64" + bytes(413)
"""128 kbit/s at 44.1 kHz: 26 ms."""


def milliseconds(data: bytes) -> int:
    return probe(ranged(data)).duration_ms


def problem(data: bytes) -> Problem:
    with pytest.raises(BadFile) as refused:
        milliseconds(data)
    return refused.value.problem


def test_two_frames_in_a_row_may_be_chance() -> None:
    assert problem(FRAME * 3) is Problem.UNREADABLE
    assert milliseconds(FRAME * 100) == pytest.approx(2612, abs=10)


def test_a_tag_may_have_a_footer_and_another_tag_behind_it() -> None:
    tag = b"ID3\x04\x00\x10\x00\x00\x00\x05hello3DI\x04\x00\x10\x00\x00\x00\x05"
    assert milliseconds(tag + tag + spoken("flac")) == milliseconds(spoken("flac"))


@pytest.mark.parametrize("size", [b"\x00\x00\x00\x80", b"\x7f\x7f\x7f\x7f"])
def test_a_tag_of_an_impossible_size_is_refused(size: bytes) -> None:
    assert problem(b"ID3\x04\x00\x00" + size + spoken("flac")) is Problem.UNREADABLE


def test_what_follows_a_tag_is_mp3_or_nothing() -> None:
    tag = b"ID3\x04\x00\x00\x00\x00\x00\x01x"
    assert problem(tag + encoded("mp2", sources=(SOUND,))) is Problem.UNREADABLE
    assert problem(tag + b"hello" * 100) is Problem.UNREADABLE


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    parts = [name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2) for name, data in chunks]
    return b"RIFF\xff\xff\xff\xffWAVE" + b"".join(parts)


def form(kind: int = 1, channels: int = 1, rate: int = 1000, align: int = 2, bits: int = 16) -> tuple[bytes, bytes]:
    return b"fmt ", struct.pack("<HHIIHH", kind, channels, rate, 12345, align, bits)


SAMPLES = (b"data", bytes(4000))


def test_a_wav_file_of_24_bits_names_its_codec_further_on() -> None:
    audio = encoded("wav", "-c:a", "pcm_s24le", sources=(SOUND,))
    assert audio[20:22] == b"\xfe\xff"
    assert (probe(ranged(audio)).codec, milliseconds(audio)) == ("pcm", 3000)


def test_chunks_of_odd_lengths_are_padded_and_unknown_ones_passed_over() -> None:
    assert milliseconds(riff((b"LIST", b"odd"), form(), (b"fact", b"x"), SAMPLES)) == 2000


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ((form(align=1), SAMPLES), Problem.UNREADABLE),
        ((form(rate=0), SAMPLES), Problem.UNREADABLE),
        ((form(channels=0, align=0), SAMPLES), Problem.UNREADABLE),
        ((form(kind=0x55), SAMPLES), Problem.CODEC_NOT_SUPPORTED),
        ((SAMPLES, form()), Problem.UNREADABLE),
        ((form(),), Problem.UNREADABLE),
        (((b"fmt ", b"short"), SAMPLES), Problem.UNREADABLE),
        ((form(), (b"data", b"")), Problem.NO_DURATION),
        (((b"x   ", b""),) * 300, Problem.UNREADABLE),
    ],
)
def test_a_wav_file_that_makes_no_sense_is_refused(chunks: tuple[tuple[bytes, bytes], ...], expected: Problem) -> None:
    assert problem(riff(*chunks)) is expected


def flac_frame(marker: bytes, number: int) -> bytes:
    """A frame's header, numbered in three bytes as UTF-8 numbers are."""
    coded = bytes([0xE0 | number >> 12, 0x80 | number >> 6 & 0x3F, 0x80 | number & 0x3F])
    header = marker + b"\xc9\x08" + coded
    return header + bytes([flac._checksum(header)])


def flac_file(samples: int, *frames: bytes) -> bytes:
    about = struct.pack(">HH6sQ16s", 4096, 4096, bytes(6), 8000 << 44 | 15 << 36 | samples, bytes(16))
    return b"fLaC\x80\x00\x00\x22" + about + b"".join(one + bytes(20) for one in frames)


def test_the_last_frame_may_count_samples_or_frames() -> None:
    assert milliseconds(flac_file(40_000, flac_frame(flac.BY_SAMPLE, 36_864))) == 5000
    assert milliseconds(flac_file(40_000, flac_frame(flac.BY_FRAME, 9))) == 5000


@pytest.mark.parametrize("number", [8, 10])
def test_a_frame_that_does_not_hold_the_last_sample_is_not_the_last(number: int) -> None:
    assert problem(flac_file(40_000, flac_frame(flac.BY_FRAME, number))) is Problem.TRUNCATED
    assert problem(flac_file(40_000, flac_frame(flac.BY_SAMPLE, number))) is Problem.TRUNCATED


def test_bytes_that_look_like_the_last_frame_have_no_right_checksum() -> None:
    frame = flac_frame(flac.BY_FRAME, 9)
    assert problem(flac_file(40_000, frame[:-1] + bytes([frame[-1] ^ 1]))) is Problem.TRUNCATED
    assert problem(flac_file(40_000, b"\xff\xf8" + b"\xff" * 14)) is Problem.TRUNCATED


def ogg_page(audio: bytes, position: int) -> bytes:
    """One more page of the stream."""
    return b"OggS\0\0" + position.to_bytes(8, "little", signed=True) + audio[14:18] + bytes(8) + b"\x01\x01x"


def test_a_page_on_which_no_packet_ends_has_no_position() -> None:
    audio = spoken("opus")
    assert milliseconds(audio + ogg_page(audio, -1)) == milliseconds(audio)
    assert milliseconds(audio + ogg_page(audio, 48_000 * 20 + 312)) == 20_000


def test_two_streams_in_one_file_are_refused() -> None:
    assert problem(spoken("opus") + spoken("vorbis")) is Problem.UNREADABLE
    assert problem(spoken("vorbis") + spoken("opus")) is Problem.UNREADABLE

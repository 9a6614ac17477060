"""Tests of the length of FLAC files, and of the errors for incomplete or invalid files.

A FLAC file consists of metadata blocks and frames. The first block, STREAMINFO, may state the number of samples. The
first tests use real files, the others files that are built frame by frame. Their first frame begins at byte 42, and
a frame has 1600 samples by default.
"""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.transcription import flac_length
from handlers.transcription.flac_length import FlacAudio, MalformedFlac, read_flac
from tests.handlers.transcription.crafted_audio import (
    flac_file,
    flac_frame,
    metadata_block,
    streaminfo,
    with_frame_checksum,
)
from tests.handlers.transcription.recordings import decoded_ms, recording

PADDING, COMMENT, RESERVED, FORBIDDEN = 1, 4, 126, 127
"""Kinds of metadata blocks."""
TEN_FRAMES = [flac_frame(number) for number in range(10)]


def read_error(audio: bytes) -> str:
    """Return the message with which a file is refused."""
    with pytest.raises(MalformedFlac) as error:
        read_flac(audio)
    return str(error.value)


@pytest.mark.media
@pytest.mark.parametrize("piped", [False, True])
@pytest.mark.parametrize("rate", [8000, 16000, 24000, 32000, 44100, 48000])
def test_a_real_file_has_the_length_that_its_decoder_finds(rate: int, piped: bool) -> None:
    audio = recording("flac", rate=rate, piped=piped)
    result = read_flac(audio)
    assert (result.channels, result.sample_rate, result.bits) == (1, rate, 16)
    assert result.samples / rate * 1000 == pytest.approx(decoded_ms(audio), abs=0.1)


@pytest.mark.media
@given(data=st.data())
def test_a_damaged_or_truncated_real_file_is_refused_or_its_length_is_right(data: st.DataObject) -> None:
    audio = recording("flac", seconds=0.4)
    position = data.draw(st.integers(0, len(audio) - 1))
    read_error(audio[:position])
    damaged = bytearray(audio)
    damaged[position] ^= data.draw(st.integers(1, 255))
    with suppress(MalformedFlac):
        # Only metadata has no checksum: tags, and STREAMINFO's fields about blocks and decoded audio.
        result = read_flac(bytes(damaged))
        assert position < audio.index(b"\xff\xf8", 42), "the damage is before the start of the first frame"
        assert result.samples == 0.4 * 16000


@given(st.integers(0, 300), st.integers(1, 65536), st.integers(0, 15), st.integers(0, 255), st.booleans())
def test_frames_with_valid_checksums_and_any_fields_are_read_or_refused(
    number: int, block_size: int, rate_code: int, channels_and_bits: int, varying_block_size: bool
) -> None:
    frame = flac_frame(
        number,
        block_size,
        rate_code=rate_code,
        channels_and_bits=channels_and_bits,
        varying_block_size=varying_block_size,
    )
    with suppress(MalformedFlac):
        assert (read_flac(flac_file(frame)).samples, number) == (block_size, 0)


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=6))
def test_a_frame_with_any_content_ends_at_its_checksum(contents: list[bytes]) -> None:
    frames = [flac_frame(number, content=content + flac_frame(number + 1)) for number, content in enumerate(contents)]
    assert read_flac(flac_file(*frames)).samples == 1600 * len(contents)


@pytest.mark.parametrize(
    "audio",
    [
        pytest.param(flac_file(*TEN_FRAMES), id="no other metadata"),
        pytest.param(flac_file(*TEN_FRAMES) + bytes(40), id="zeros after the last frame"),
        pytest.param(
            flac_file(
                *TEN_FRAMES,
                other_metadata=[
                    metadata_block(COMMENT, bytes(40)),
                    metadata_block(PADDING, b""),
                    metadata_block(RESERVED, b"fLaC\xff\xf8", last=True),
                ],
            ),
            id="other metadata",
        ),
    ],
)
def test_frames_are_counted_if_the_header_states_no_length(audio: bytes) -> None:
    assert read_flac(audio) == FlacAudio(sample_rate=16000, channels=1, bits=16, samples=16000)


@pytest.mark.parametrize("channels_and_bits", [0x80, 0x90, 0xA0, 0x10, 0x18])
def test_a_frame_of_two_channels_is_read_in_each_of_their_encodings(channels_and_bits: int) -> None:
    """The upper four bits of the byte are the encoding of the channels, the next three the size of the samples."""
    audio = flac_file(flac_frame(0, channels_and_bits=channels_and_bits), info=streaminfo(channels=2))
    assert read_flac(audio).channels == 2


def test_the_length_in_the_header_must_equal_the_sum_of_the_frames() -> None:
    assert read_flac(flac_file(*TEN_FRAMES, info=streaminfo(samples=16000))).samples == 16000
    for samples in (1, 15999, 16001, 2**36 - 1):
        assert f"states {samples} samples" in read_error(flac_file(*TEN_FRAMES, info=streaminfo(samples=samples)))
    assert "states 16000 samples" in read_error(flac_file(*TEN_FRAMES[:9], info=streaminfo(samples=16000)))


def test_blocks_of_varying_size_are_numbered_by_samples() -> None:
    first = flac_frame(0, 1600, varying_block_size=True)
    others = [flac_frame(start, size, varying_block_size=True) for start, size in ((1600, 16), (1616, 60000))]
    assert read_flac(flac_file(first, *others)).samples == 1600 + 16 + 60000
    assert "lacks a frame" in read_error(flac_file(first, others[1]))
    assert "lacks a frame" in read_error(flac_file(first, flac_frame(1, varying_block_size=True)))
    assert "that matches" in read_error(flac_file(first, flac_frame(1))), (
        "the block size varies in the whole file or not at all"
    )


@pytest.mark.parametrize(
    "coded_number",
    [b"\x7f", *(bytes([first]) + b"\xbf" * count for count, first in enumerate(b"\xdf\xef\xf7\xfb\xfd\xfe", 1))],
)
def test_frame_numbers_of_every_length_are_read(coded_number: bytes) -> None:
    """A number is coded like a character in UTF-8, with one to seven bytes. The frames before such a number would not
    fit into a message. So the test only shows that it is read as another number than that of the first frame, 0."""
    assert "lacks a frame before byte 42" in read_error(flac_file(flac_frame(coded_number)))


@pytest.mark.parametrize("coded_number", [b"\x80", b"\xff", b"\xc0\x00", b"\xc0\xc0", b"\xfe\x80\x80\x80\x80\x80\x00"])
def test_an_invalid_frame_number_is_refused(coded_number: bytes) -> None:
    assert "no frame at byte 42" in read_error(flac_file(flac_frame(coded_number)))


@pytest.mark.parametrize("numbers", [(1, 2), (0, 2), (0, 0)])
def test_frames_that_are_not_numbered_from_0_without_a_gap_are_refused(numbers: tuple[int, ...]) -> None:
    # A client sends each utterance (a few seconds of speech) as a file of its own.
    assert "from 0 in each utterance" in read_error(flac_file(*map(flac_frame, numbers)))


@pytest.mark.parametrize(
    ("rate_code", "rate_field", "rate"),
    [
        pytest.param(0, b"", 12345, id="the rate in STREAMINFO"),
        pytest.param(5, b"", 16000, id="a code for 16 kHz"),
        pytest.param(12, b"\x10", 16000, id="a field in kHz"),
        pytest.param(13, b"\x3e\x80", 16000, id="a field in Hz"),
        pytest.param(14, b"\x06\x40", 16000, id="a field in tens of Hz"),
    ],
)
def test_a_frame_can_state_its_sample_rate_in_any_encoding(rate_code: int, rate_field: bytes, rate: int) -> None:
    frame = flac_frame(0, rate_code=rate_code, rate_field=rate_field)
    assert read_flac(flac_file(frame, info=streaminfo(rate=rate))).sample_rate == rate


@pytest.mark.parametrize(
    "frame",
    [
        *(flac_frame(1, rate_code=4), flac_frame(1, rate_code=13, rate_field=b"\x3e\x81"), flac_frame(1, rate_code=15)),
        *(flac_frame(1, channels_and_bits=byte) for byte in (0x10, 0x80, 0xB0, 0x0C, 0x06, 0x01)),
        flac_frame(1, size_code=0),
    ],
)
def test_a_frame_that_does_not_match_the_files_header_is_refused(frame: bytes) -> None:
    """The frames have another rate, number of channels or sample size than the file, or reserved codes."""
    second = 42 + len(flac_frame(0))
    assert f"no frame at byte {second} that matches" in read_error(flac_file(flac_frame(0), frame)), (
        "the frame must not count as content of the first frame"
    )
    assert "no frame at byte 42 that matches" in read_error(flac_file(frame))


@pytest.mark.parametrize(
    ("size_code", "size"),
    [(1, 192), (2, 576), (3, 1152), (4, 2304), (5, 4608), (6, 256), (7, 65536), (8, 256), (12, 4096), (15, 32768)],
)
def test_a_frame_can_state_its_block_size_in_any_encoding(size_code: int, size: int) -> None:
    assert read_flac(flac_file(flac_frame(0, size, size_code=size_code))).samples == size


def test_a_damaged_frame_header_is_refused_even_if_the_checksum_of_the_frame_is_right() -> None:
    header_and_content = bytearray(flac_frame(0)[:-2])
    header_and_content[5] ^= 1
    assert "no frame at byte 42" in read_error(flac_file(with_frame_checksum(bytes(header_and_content))))


def test_bytes_like_a_header_do_not_end_a_frame_even_if_the_checksum_before_them_is_right() -> None:
    invalid_header = flac_frame(1)[:7] + b"\x00"
    assert read_flac(flac_file(with_frame_checksum(flac_frame(0) + invalid_header + bytes(9)))).samples == 1600


def test_a_truncated_header_is_refused_even_if_its_checksums_are_right() -> None:
    """The file ends within the header's sample rate, so its checksums are missing. Over the other bytes, both checksums
    are 0, like those over complete headers and frames including their checksums."""
    assert "no frame at byte 42" in read_error(
        flac_file(bytes.fromhex("fff87e00000119a2"), info=streaminfo(rate=0xA2 * 10))
    )


FRAME = TEN_FRAMES[0]


@pytest.mark.parametrize(
    ("audio", "problem"),
    [
        *((audio, "begin with fLaC") for audio in (b"", b"fLa", b"OggS" + bytes(40))),
        (b"fLaC" + metadata_block(COMMENT, streaminfo(), last=True) + FRAME, "begin with a STREAMINFO"),
        (b"fLaC" + metadata_block(0, streaminfo()[:33], last=True) + FRAME, "begin with a STREAMINFO"),
        (b"fLaC" + metadata_block(0, streaminfo() + b"\x00", last=True) + FRAME, "begin with a STREAMINFO"),
        *((b"fLaC" + block, "within its metadata") for block in (b"", b"\x00\x00\x00", b"\x00\x00\x00\x22")),
        (b"fLaC" + metadata_block(0, streaminfo()), "within its metadata"),
        (b"fLaC" + metadata_block(0, streaminfo()) + b"\x84\xff\xff\xff" + bytes(90), "within its metadata"),
        *(
            (flac_file(FRAME, other_metadata=[metadata_block(kind, streaminfo(), last=True)]), "not allowed")
            for kind in (0, FORBIDDEN)
        ),
        (flac_file(), "no audio"),
        (flac_file(info=streaminfo(samples=16000)), "no audio"),
        (flac_file(other_metadata=[metadata_block(COMMENT, bytes(40), last=True)]), "no audio"),
        (flac_file(FRAME) + b"TAG" + bytes(125), "not end with its checksum"),
    ],
)
def test_an_incomplete_or_invalid_file_is_refused(audio: bytes, problem: str) -> None:
    assert problem in read_error(audio)


@pytest.mark.parametrize("header_like", [b"\xff\xf8", b"\xff\xf8\x70\x08\x00", flac_frame(1)[:-1]])
def test_bytes_that_look_like_headers_cost_no_more_than_other_bytes(
    header_like: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test counts the steps of the checksum. A new checksum at each apparent header would need quadratic time."""
    step_count = 0

    class CountedTable(tuple[int, ...]):
        __slots__ = ()

        def __getitem__(self, index: Any) -> Any:
            nonlocal step_count
            step_count += 1
            return super().__getitem__(index)

    monkeypatch.setattr(flac_length, "CRC16", CountedTable(flac_length.CRC16))
    audio = flac_file(flac_frame(0, content=header_like * (20_000 // len(header_like))))
    assert read_flac(audio).samples == 1600
    assert step_count <= len(audio)

"""Length of FLAC files, and refusal of incomplete files. Real files come first, then crafted files."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.transcription import flac_length
from handlers.transcription.flac_length import FlacAudio, MalformedFlac, read_flac
from tests.handlers.transcription.crafted_audio import crc, flac_file, flac_frame, metadata_block, streaminfo
from tests.handlers.transcription.recordings import decoded_ms, recording

COMMENT, PADDING = 4, 1
TEN = [flac_frame(number) for number in range(10)]


def refusal_of(audio: bytes) -> str:
    with pytest.raises(MalformedFlac) as raised:
        read_flac(audio)
    return str(raised.value)


@pytest.mark.media
@pytest.mark.parametrize("piped", [False, True])
@pytest.mark.parametrize("rate", [8000, 16000, 24000, 32000, 44100, 48000])
def test_a_real_file_has_the_length_that_its_decoder_finds(rate: int, piped: bool) -> None:
    audio = recording("flac", rate=rate, piped=piped)
    found = read_flac(audio)
    assert (found.channels, found.sample_rate, found.bits) == (1, rate, 16)
    assert found.samples / rate * 1000 == pytest.approx(decoded_ms(audio), abs=0.1)


@pytest.mark.media
@given(data=st.data())
def test_a_damaged_or_truncated_real_file_is_never_misread(data: st.DataObject) -> None:
    audio = recording("flac", seconds=0.4)
    at = data.draw(st.integers(0, len(audio) - 1))
    refusal_of(audio[:at])
    damaged = bytearray(audio)
    damaged[at] ^= data.draw(st.integers(1, 255))
    with suppress(MalformedFlac):
        # Only metadata has no checksum: tags, and STREAMINFO's fields about blocks and decoded audio.
        found = read_flac(bytes(damaged))
        assert at < audio.index(b"\xff\xf8", 42)
        assert found.samples == 6400


@given(st.integers(0, 300), st.integers(1, 65536), st.integers(0, 15), st.integers(0, 255), st.booleans())
def test_frames_with_valid_checksums_and_any_fields_are_read_or_refused(
    number: int, block_size: int, rate_code: int, last: int, varying: bool
) -> None:
    with suppress(MalformedFlac):
        found = read_flac(flac_file(flac_frame(number, block_size, rate_code=rate_code, last=last, varying=varying)))
        assert (found.samples, number) == (block_size, 0)


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=6))
def test_a_frame_with_any_content_ends_at_its_checksum(contents: list[bytes]) -> None:
    frames = [flac_frame(number, content=content + flac_frame(number + 1)) for number, content in enumerate(contents)]
    assert read_flac(flac_file(*frames)).samples == 1600 * len(contents)


@pytest.mark.parametrize(
    ("audio", "samples"),
    [
        (flac_file(*TEN), 16000),
        pytest.param(flac_file(*TEN) + bytes(40), 16000, id="zeros behind"),
        pytest.param(
            flac_file(
                *TEN,
                more=[
                    metadata_block(4, bytes(40)),
                    metadata_block(1, b""),
                    metadata_block(126, b"fLaC\xff\xf8", last=True),
                ],
            ),
            16000,
            id="other metadata",
        ),
    ],
)
def test_frames_are_counted_if_the_header_states_no_length(audio: bytes, samples: int) -> None:
    assert read_flac(audio) == FlacAudio(sample_rate=16000, channels=1, bits=16, samples=samples)
    for last in (0x80, 0x90, 0xA0, 0x10, 0x18):
        assert read_flac(flac_file(flac_frame(0, last=last), info=streaminfo(channels=2))).channels == 2


def test_the_length_in_the_header_must_equal_the_sum_of_the_frames() -> None:
    assert read_flac(flac_file(*TEN, info=streaminfo(samples=16000))).samples == 16000
    for stated in (1, 15999, 16001, 2**36 - 1):
        assert f"states {stated} samples" in refusal_of(flac_file(*TEN, info=streaminfo(samples=stated)))
    assert "states 16000 samples" in refusal_of(flac_file(*TEN[:9], info=streaminfo(samples=16000)))


def test_blocks_of_varying_size_are_numbered_by_samples() -> None:
    sizes = [1600, 16, 60000, 700]
    frames = [flac_frame(at, size, varying=True) for at, size in zip([0, 1600, 1616, 61616], sizes, strict=True)]
    assert read_flac(flac_file(*frames)).samples == sum(sizes)
    assert "lacks a frame" in refusal_of(flac_file(frames[0], frames[2]))
    assert "lacks a frame" in refusal_of(flac_file(frames[0], flac_frame(1, varying=True)))
    assert "that matches" in refusal_of(flac_file(frames[0], flac_frame(1))), (
        "the block size varies in the whole file or not at all"
    )


@pytest.mark.parametrize(
    "written",
    [b"\x7f", *(bytes([first]) + b"\xbf" * more for more, first in enumerate(b"\xdf\xef\xf7\xfb\xfd\xfe", 1))],
)
def test_frame_numbers_of_every_length_are_read(written: bytes) -> None:
    """The frames before such a number would not fit into a message. The test only shows that it is not the first
    frame's number."""
    assert "lacks a frame before byte 42" in refusal_of(flac_file(flac_frame(written)))


@pytest.mark.parametrize("written", [b"\x80", b"\xff", b"\xc0\x00", b"\xc0\xc0", b"\xfe\x80\x80\x80\x80\x80\x00"])
def test_an_invalid_frame_number_is_refused(written: bytes) -> None:
    assert "no frame at byte 42" in refusal_of(flac_file(flac_frame(written)))


@pytest.mark.parametrize("numbers", [(1, 2), (0, 2), (0, 0)])
def test_frames_are_numbered_from_0_in_each_utterance(numbers: tuple[int, ...]) -> None:
    assert "from 0 in each utterance" in refusal_of(flac_file(*map(flac_frame, numbers)))


@pytest.mark.parametrize(
    ("code", "written", "rate"),
    [(0, b"", 12345), (5, b"", 16000), (12, b"\x10", 16000), (13, b"\x3e\x80", 16000), (14, b"\x06\x40", 16000)],
)
def test_a_frame_can_state_its_sample_rate_in_any_encoding(code: int, written: bytes, rate: int) -> None:
    assert (
        read_flac(flac_file(flac_frame(0, rate_code=code, rate=written), info=streaminfo(rate=rate))).sample_rate
        == rate
    )


@pytest.mark.parametrize(
    "other",
    [
        *(flac_frame(1, rate_code=4), flac_frame(1, rate_code=13, rate=b"\x3e\x81"), flac_frame(1, rate_code=15)),
        *(flac_frame(1, last=last) for last in (0x10, 0x80, 0xB0, 0x0C, 0x06, 0x01)),
        flac_frame(1, size_code=0),
    ],
)
def test_a_frame_that_does_not_match_the_stream_is_refused(other: bytes) -> None:
    second = 42 + len(flac_frame(0))
    assert f"no frame at byte {second} that matches" in refusal_of(flac_file(flac_frame(0), other)), (
        "it is not taken for a part of the first frame"
    )
    assert "no frame at byte 42 that matches" in refusal_of(flac_file(other))


@pytest.mark.parametrize(
    ("code", "size"),
    [(1, 192), (2, 576), (3, 1152), (4, 2304), (5, 4608), (6, 256), (7, 65536), (8, 256), (12, 4096), (15, 32768)],
)
def test_a_frame_can_state_its_size_in_any_encoding(code: int, size: int) -> None:
    assert read_flac(flac_file(flac_frame(0, size, size_code=code))).samples == size


def test_a_frame_header_has_its_own_checksum() -> None:
    damaged = bytearray(flac_frame(0))
    damaged[5] ^= 1
    mended = bytes(damaged[:-2]) + crc(bytes(damaged[:-2]), 0x8005, 16).to_bytes(2, "big")
    assert "no frame at byte 42" in refusal_of(flac_file(mended))


def test_bytes_like_a_header_at_a_coincidentally_right_checksum_do_not_end_a_frame() -> None:
    begun = flac_frame(0)
    whole = begun + flac_frame(1)[:7] + b"\x00" + bytes(9)
    assert read_flac(flac_file(whole + crc(whole, 0x8005, 16).to_bytes(2, "big"))).samples == 1600


def test_a_truncated_header_is_refused_even_if_its_checksums_are_right() -> None:
    """Both checksums are 0 for these bytes, and the missing byte is the checksum itself."""
    assert "no frame at byte 42" in refusal_of(
        flac_file(bytes.fromhex("fff87e00000119a2"), info=streaminfo(rate=0xA2 * 10))
    )


@pytest.mark.parametrize(
    ("audio", "problem"),
    [
        *((audio, "begin with fLaC") for audio in (b"", b"fLa", b"OggS" + bytes(40))),
        (b"fLaC" + metadata_block(COMMENT, streaminfo(), last=True) + TEN[0], "begin with a STREAMINFO"),
        (b"fLaC" + metadata_block(0, streaminfo()[:33], last=True) + TEN[0], "begin with a STREAMINFO"),
        (b"fLaC" + metadata_block(0, streaminfo() + b"\x00", last=True) + TEN[0], "begin with a STREAMINFO"),
        *((b"fLaC" + begun, "within its metadata") for begun in (b"", b"\x00\x00\x00", b"\x00\x00\x00\x22")),
        (b"fLaC" + metadata_block(0, streaminfo()), "within its metadata"),
        (b"fLaC" + metadata_block(0, streaminfo()) + b"\x84\xff\xff\xff" + bytes(90), "within its metadata"),
        (flac_file(*TEN, more=[metadata_block(0, streaminfo(), last=True)]), "not allowed at its position"),
        (flac_file(*TEN, more=[metadata_block(127, streaminfo(), last=True)]), "not allowed at its position"),
        (flac_file(), "no audio"),
        (flac_file(info=streaminfo(samples=16000)), "no audio"),
        (flac_file(more=[metadata_block(COMMENT, bytes(40), last=True)]), "no audio"),
        (flac_file(*TEN) + b"TAG" + bytes(125), "not end with its checksum"),
    ],
)
def test_an_incomplete_file_is_refused(audio: bytes, problem: str) -> None:
    assert problem in refusal_of(audio)


@pytest.mark.parametrize("filling", [b"\xff\xf8", b"\xff\xf8\x70\x08\x00", flac_frame(1)[:-1]])
def test_bytes_that_look_like_headers_cost_no_more_than_other_bytes(
    filling: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps are counted, not timed. Including each byte again for each apparent header would be quadratic."""
    summed = 0

    class CountedTable(tuple[int, ...]):
        __slots__ = ()

        def __getitem__(self, index: Any) -> Any:
            nonlocal summed
            summed += 1
            return super().__getitem__(index)

    monkeypatch.setattr(flac_length, "CRC16", CountedTable(flac_length.CRC16))
    audio = flac_file(flac_frame(0, content=filling * (20_000 // len(filling))))
    assert read_flac(audio).samples == 1600
    assert summed <= len(audio)

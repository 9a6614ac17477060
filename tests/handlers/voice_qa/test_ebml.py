"""EBML's elements: heads of every length, values, and what is none."""

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.voice_qa import ebml
from handlers.voice_qa.audio_files import BadFile
from handlers.voice_qa.ebml import Element
from tests.handlers.voice_qa.lecture_recordings import ranged


def head(identifier: int, size: int, width: int) -> bytes:
    """An id, and a size in so many bytes."""
    length = (identifier.bit_length() + 7) // 8
    return identifier.to_bytes(length, "big") + (size | 1 << 7 * width).to_bytes(width, "big")


def read(data: bytes) -> Element:
    return ebml.element(ranged(data), 0, len(data))


@given(
    st.sampled_from([0xEC, 0x4282, 0x2AD7B1, 0x1A45DFA3]),
    st.integers(1, 8).flatmap(lambda width: st.tuples(st.just(width), st.integers(0, min(200, (1 << 7 * width) - 2)))),
)
def test_a_head_of_any_length_says_where_its_element_is(identifier: int, sized: tuple[int, int]) -> None:
    width, size = sized
    start = head(identifier, size, width)
    assert read(start + bytes(size)) == Element(identifier, len(start), len(start) + size, endless=False, whole=True)
    if size:
        cut = read(start + bytes(size - 1))
        assert (cut.end, cut.whole) == (len(start) + size - 1, False)


@pytest.mark.parametrize("width", range(1, 9))
def test_all_ones_mean_that_nobody_knows_the_size(width: int) -> None:
    start = head(0xEC, (1 << 7 * width) - 1, width)
    assert read(start + bytes(5)) == Element(0xEC, len(start), len(start) + 5, endless=True, whole=True)


@pytest.mark.parametrize(
    "data", [b"", b"\x00", b"\x08\x80", b"\xec", b"\xec\x00", b"\x1a\x45", b"\xec\x01\xff", b"\x1a\x45\xdf\xa3\x40"]
)
def test_what_has_no_whole_head_is_no_element(data: bytes) -> None:
    with pytest.raises(BadFile):
        read(data)


def test_children_stand_side_by_side() -> None:
    inner = head(0xEC, 1, 1) + b"x" + head(0xEC, 0, 1) + head(0xEC, 9, 1)
    data = head(0xA0, len(inner), 1) + inner + b"not its own"
    found = list(ebml.children(ranged(data), read(data)))
    assert [(one.begin, one.end, one.whole) for one in found] == [(4, 5, True), (7, 7, True), (9, 9, False)]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_with_fractions_have_four_bytes_or_eight(number: float) -> None:
    data = head(0x4489, 8, 1) + struct.pack(">d", number)
    assert ebml.floating(ranged(data), read(data)) == number
    data = head(0x4489, 4, 1) + struct.pack(">f", 1.5)
    assert ebml.floating(ranged(data), read(data)) == 1.5


@pytest.mark.parametrize(
    "value",
    [b"", b"x", bytes(9), struct.pack(">d", math.nan), struct.pack(">f", math.inf), struct.pack(">d", -math.inf)],
)
def test_no_other_number_with_a_fraction_is_one(value: bytes) -> None:
    data = head(0x4489, len(value), 1) + value
    with pytest.raises(BadFile):
        ebml.floating(ranged(data), read(data))


@given(st.binary(max_size=8))
def test_numbers_have_up_to_eight_bytes(value: bytes) -> None:
    data = head(0xD7, len(value), 1) + value
    assert ebml.unsigned(ranged(data), read(data)) == int.from_bytes(value, "big")


def test_values_that_are_cut_off_or_too_long_are_refused() -> None:
    for data in (head(0xD7, 4, 1) + b"x", head(0xD7, 9, 1) + bytes(9), head(0xD7, 127, 1) + b"x"):
        with pytest.raises(BadFile):
            ebml.unsigned(ranged(data), read(data))


def test_text_is_ascii_and_may_be_padded() -> None:
    data = head(0x86, 8, 1) + b"A_OPUS\0\0"
    assert ebml.text(ranged(data), read(data)) == "A_OPUS"
    data = head(0x86, 2, 1) + b"\xff\xfe"
    assert ebml.text(ranged(data), read(data)).isprintable()

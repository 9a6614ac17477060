"""An object read in places: the same bytes as the whole of it, for a bounded price, whoever decides the places."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.voice_qa.ranged import BLOCK, Bounds, RangedFile, ShortAnswer, TooMuch
from tests.handlers.voice_qa.lecture_recordings import ranged

DATA = bytes(range(256)) * 2000
STEPS = st.one_of(
    st.tuples(st.just("read"), st.integers(-1, len(DATA) + 9), st.just(0)),
    st.tuples(st.just("seek"), st.integers(0, len(DATA) * 2), st.just(io.SEEK_SET)),
    st.tuples(st.just("seek"), st.integers(0, 5000), st.just(io.SEEK_CUR)),
    st.tuples(st.just("seek"), st.integers(-len(DATA), 0), st.just(io.SEEK_END)),
)


@given(st.lists(STEPS, max_size=20))
def test_it_reads_seeks_and_tells_like_a_file(steps: list[tuple[str, int, int]]) -> None:
    file, real = ranged(DATA), io.BytesIO(DATA)
    for name, number, whence in steps:
        if name == "read":
            assert file.read(number) == real.read(number)
        else:
            assert file.seek(number, whence) == real.seek(number, whence)
        assert file.tell() == real.tell()
    assert file.fetched <= len(DATA), "no byte is fetched twice"


def test_one_request_fetches_what_lies_side_by_side() -> None:
    file = ranged(DATA)
    file.at(BLOCK * 2, 10)
    file.at(0, BLOCK * 5)
    assert file.requests == 3, "the block in the middle is there: one request before it, one behind it"
    assert file.fetched == BLOCK * 5


def test_there_is_no_place_before_the_beginning() -> None:
    with pytest.raises(ValueError, match="beginning"):
        ranged(DATA).seek(-1)


def test_reading_in_place_leaves_the_next_place_alone() -> None:
    file = ranged(DATA)
    file.seek(7)
    assert file.at(100, 3) == DATA[100:103]
    assert file.tell() == 7


@given(st.lists(st.integers(0, 3 * BLOCK - 3), max_size=6), st.integers(0, 3 * BLOCK))
def test_markers_are_found_from_the_end_on_also_across_blocks(places: list[int], size: int) -> None:
    data = bytearray(size)
    for place in places:
        data[place : place + 3] = b"abc"
    data = data[:size]
    expected, found = [], data.rfind(b"abc")
    while found >= 0:
        expected.append(found)
        found = data.rfind(b"abc", 0, found + 2)
    assert list(ranged(bytes(data)).backwards(b"abc")) == expected


def test_a_marker_is_not_looked_for_in_the_whole_of_a_large_file() -> None:
    file = RangedFile(lambda _start, length: bytes(length), 10 * 1024**3)
    assert list(file.backwards(b"abc")) == []
    assert file.fetched < 5 * 1024**2
    assert file.requests < 10


@pytest.mark.parametrize(
    ("bounds", "cost"),
    [
        (Bounds(requests=2), "requests"),
        (Bounds(fetched=2 * BLOCK), "bytes"),
        (Bounds(calls=2), "calls"),
        (Bounds(handed_out=20), "bytes handed out"),
    ],
)
def test_whoever_reads_on_and_on_is_stopped(bounds: Bounds, cost: str) -> None:
    file = ranged(DATA, bounds)
    for number in (0, 2):
        file.at(number * BLOCK, 10)
    with pytest.raises(TooMuch):
        file.at(4 * BLOCK, 10)
    assert file.requests == 2, cost


def test_too_large_a_read_is_refused_before_anything_is_fetched() -> None:
    file = RangedFile(lambda _start, length: bytes(length), 10 * 1024**3)
    with pytest.raises(TooMuch):
        file.read()
    assert (file.requests, file.fetched) == (0, 0)


def test_what_went_wrong_in_storage_is_remembered() -> None:
    file = RangedFile(lambda _start, _length: b"short", 100)
    with pytest.raises(ShortAnswer):
        file.read(10)
    assert isinstance(file.failure, ShortAnswer)


def test_what_a_reader_may_not_do_is_no_failure_of_storage() -> None:
    file = ranged(DATA, Bounds(calls=0))
    with pytest.raises(TooMuch):
        file.read(1)
    assert file.failure is None

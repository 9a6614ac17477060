"""Tests of the ranged file, which reads an object of S3 in blocks: same bytes as the object, and few requests."""

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.common.audio import ranged_file
from handlers.common.audio.ranged_file import BLOCK, MAX_TAIL, READ_COST, RangedFile, ReadLimitExceeded
from tests.handlers.common.audio.sample_files import to_ranged_file

DATA = bytes(range(256)) * 2000
OPERATIONS = st.one_of(
    st.tuples(st.just("read"), st.integers(-1, len(DATA) + 9), st.just(0)),
    st.tuples(st.just("seek"), st.integers(0, len(DATA) * 2), st.just(io.SEEK_SET)),
    st.tuples(st.just("seek"), st.integers(0, 5000), st.just(io.SEEK_CUR)),
    st.tuples(st.just("seek"), st.integers(-len(DATA), 0), st.just(io.SEEK_END)),
)


@given(st.lists(OPERATIONS, max_size=20))
def test_reads_and_seeks_work_like_a_file_and_fetch_no_byte_twice(operations: list[tuple[str, int, int]]) -> None:
    file, expected = to_ranged_file(DATA), io.BytesIO(DATA)
    for name, number, whence in operations:
        if name == "read":
            assert file.read(number) == expected.read(number)
        else:
            assert file.seek(number, whence) == expected.seek(number, whence)
        assert file.tell() == expected.tell()
        assert file.at(number % len(DATA), 3) == DATA[number % len(DATA) :][:3]
        assert file.tell() == expected.tell(), "reading at an offset does not move the position"
    assert file.fetched <= len(DATA)


def test_one_request_fetches_adjacent_blocks() -> None:
    file = to_ranged_file(DATA)
    file.at(BLOCK * 2, 10)
    file.at(0, BLOCK * 5)
    assert file.requests == 3, (
        "the third block is fetched already, so the blocks before and after it need one request each"
    )
    assert file.fetched == BLOCK * 5


def test_a_negative_position_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        to_ranged_file(DATA).seek(-1)


@given(st.lists(st.integers(0, 3 * BLOCK - 3), max_size=6), st.integers(0, 3 * BLOCK))
def test_markers_are_found_from_the_end_even_if_they_cross_blocks(positions: list[int], size: int) -> None:
    data = bytearray(size)
    for position in positions:
        data[position : position + 3] = b"abc"
    data = data[:size]
    expected = [marker.start() for marker in re.finditer(b"abc", data)][::-1]
    assert list(to_ranged_file(bytes(data)).find_backwards(b"abc")) == expected


def test_a_large_file_is_only_searched_near_its_end() -> None:
    file = RangedFile(lambda _start, length: bytes(length), 10 * 1024**3)
    assert list(file.find_backwards(b"abc")) == []
    assert MAX_TAIL <= file.fetched <= MAX_TAIL + BLOCK
    assert file.requests < 10


@pytest.mark.parametrize(
    ("limit", "value"), [("MAX_REQUESTS", 2), ("MAX_FETCHED", 2 * BLOCK), ("MAX_READ", 2 * READ_COST)]
)
def test_a_read_beyond_one_of_the_limits_raises_an_error(
    monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    monkeypatch.setattr(ranged_file, limit, value)
    file = to_ranged_file(DATA)
    for number in (0, 2):
        file.at(number * BLOCK, 10)
    with pytest.raises(ReadLimitExceeded):
        file.at(4 * BLOCK, 10)
    assert (file.requests, file.failure) == (2, None), "`failure` is only set by an error of the storage"


def test_a_read_that_is_too_large_is_refused_before_anything_is_fetched() -> None:
    file = RangedFile(lambda _start, length: bytes(length), 10 * 1024**3)
    with pytest.raises(ReadLimitExceeded):
        file.read()
    assert (file.requests, file.fetched) == (0, 0)

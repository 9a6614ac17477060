"""Reading of lines: gzip by content, line numbers, bounded memory."""

import gzip
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from handlers.ingestion.glue.json_line_parser import DataProblem
from handlers.ingestion.glue.line_reader import KEPT_BYTES, SourceLine, read_lines

CONTENT = st.lists(st.binary(max_size=30).map(lambda raw: raw.replace(b"\n", b"")), max_size=20)


def pieces(body: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(body), *(cut % (len(body) + 1) for cut in cuts)})
    return [body[start:end] for start, end in pairwise(places)]


def plain(body: bytes) -> list[SourceLine]:
    """Return the expected lines, computed in a simple way."""
    parts = body.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    return [SourceLine(number, raw) for number, raw in enumerate(parts, 1) if raw.strip()]


@given(CONTENT, st.lists(st.integers(0, 700)), st.sampled_from(["plain", "gzip", "members"]))
def test_lines_do_not_depend_on_compression_and_chunks(content: list[bytes], cuts: list[int], packing: str) -> None:
    body = b"{" + b"\n".join(content)  # so that it does not start like gzip
    packed = {
        "plain": body,
        "gzip": gzip.compress(body),
        "members": gzip.compress(body[:9]) + gzip.compress(body[9:]) + b"\0" * 20,
    }[packing]
    assert list(read_lines(pieces(packed, cuts))) == plain(body)


def test_a_gzip_stream_with_one_member_per_line_is_read_completely() -> None:
    packed = b"".join(gzip.compress(b'{"a":%d}\n' % number) for number in range(3000))
    assert [line.raw for line in read_lines([packed])] == [b'{"a":%d}' % number for number in range(3000)]


@given(CONTENT, st.integers(0, 10**6), st.lists(st.integers(0, 700)))
def test_a_damaged_gzip_stream_gives_complete_lines_and_a_last_line_with_the_problem(
    content: list[bytes], cut: int, cuts: list[int]
) -> None:
    body = b"{\n" + b"\n".join(content)
    packed = gzip.compress(body)
    found = list(read_lines(pieces(packed[: 10 + cut % (len(packed) - 10)], cuts)))
    assert found[-1].problem == DataProblem.DAMAGED_GZIP
    assert found[:-1] == plain(body)[: len(found) - 1]


def test_other_bytes_after_a_gzip_stream_are_damage() -> None:
    *good, last = read_lines([gzip.compress(b"{}\n") + b"garbage"])
    assert good == [SourceLine(1, b"{}")]
    assert last.problem == DataProblem.DAMAGED_GZIP


@given(st.integers(1, 60), st.lists(st.integers(0, 200)))
def test_only_the_line_that_is_too_long_is_rejected(length: int, cuts: list[int]) -> None:
    body = b"{}\n" + b"x" * length + b"\n[]\n" + b"y" * length
    found = list(read_lines(pieces(body, cuts), max_line_bytes=20))
    assert [entry.number for entry in found] == [1, 2, 3, 4]
    assert [entry.problem for entry in found] == [
        None,
        *([DataProblem.TOO_LONG, None] * 2 if length > 20 else [None] * 3),
    ][:4]
    assert found[2].raw == b"[]"


def test_only_the_beginning_of_a_long_line_is_kept_in_memory() -> None:
    (only,) = read_lines([b"begins", *[b"x" * 1_000_000] * 30], max_line_bytes=2_000_000)
    assert (only.problem, len(only.raw), only.raw[:6]) == (DataProblem.TOO_LONG, KEPT_BYTES, b"begins")


def test_a_byte_order_mark_is_not_part_of_the_first_line() -> None:
    assert list(read_lines([b"\xef\xbb\xbf{}\r\n{}"])) == [SourceLine(1, b"{}\r"), SourceLine(2, b"{}")]


def test_an_empty_object_has_no_lines() -> None:
    assert not list(read_lines([]))
    assert not list(read_lines([gzip.compress(b"")]))
    assert not list(read_lines([b"\n \n\t\n"]))


def test_a_gzip_bomb_is_unpacked_in_chunks() -> None:
    packed = gzip.compress(b"0" * 50_000_000)
    (only,) = read_lines([packed], max_line_bytes=1_000_000)
    assert only.problem == DataProblem.TOO_LONG

"""Reading of the lines of a file: gzip is detected by the content, lines are numbered, and memory is bounded."""

import gzip
import json
import random
import zlib
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.ingestion.glue.json_line_parser import DataProblem
from handlers.ingestion.glue.line_reader import KEPT_BYTES, SourceLine, read_lines
from tests.readable_gzip import unpack_readable

CONTENT = st.lists(st.binary(max_size=30).map(lambda raw: raw.replace(b"\n", b"")), max_size=20)


def split_into_chunks(body: bytes, cuts: list[int]) -> list[bytes]:
    positions = sorted({0, len(body), *(cut % (len(body) + 1) for cut in cuts)})
    return [body[start:end] for start, end in pairwise(positions)]


def expected_lines(content: bytes) -> list[SourceLine]:
    """Return the lines of uncompressed content that are not blank."""
    raw_lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    return [SourceLine(number, raw) for number, raw in enumerate(raw_lines, 1) if raw.strip()]


@given(CONTENT, st.lists(st.integers(0, 700)), st.sampled_from(["plain", "gzip", "members"]))
def test_lines_do_not_depend_on_compression_and_chunks(content: list[bytes], cuts: list[int], packing: str) -> None:
    body = b"{" + b"\n".join(content)  # so that it does not start like gzip
    compressed = {
        "plain": body,
        "gzip": gzip.compress(body),
        "members": gzip.compress(body[:9]) + gzip.compress(body[9:]) + b"\0" * 20,
    }[packing]
    assert list(read_lines(split_into_chunks(compressed, cuts))) == expected_lines(body)


@given(CONTENT, st.integers(0, 10**6), st.lists(st.integers(0, 700)))
def test_a_truncated_gzip_stream_gives_complete_lines_and_a_last_line_with_the_problem(
    content: list[bytes], cut: int, cuts: list[int]
) -> None:
    body = b"{\n" + b"\n".join(content)
    compressed = gzip.compress(body)
    truncated_file = compressed[: 10 + cut % (len(compressed) - 10)]
    *lines, last_line = read_lines(split_into_chunks(truncated_file, cuts))
    assert last_line.problem == DataProblem.DAMAGED_GZIP
    assert lines == expected_lines(body)[: len(lines)]


def log_lines(count: int) -> bytes:
    """Return lines that resemble those of a log. They are always the same."""
    source = random.Random(28)  # noqa: S311 - the same lines each time
    records = (
        {"id": number, "name": f"user{source.randrange(10**6)}", "seconds": source.random()} for number in range(count)
    )
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def gzip_files() -> Iterator[tuple[str, bytes]]:
    """Yield gzip files as programs write them: one block, several blocks, several members, uncompressed blocks."""
    body = log_lines(20)
    yield "one block", gzip.compress(body)
    yield "fast", gzip.compress(body, 1)
    packer = zlib.compressobj(wbits=31)
    blocks = [packer.compress(line) + packer.flush(zlib.Z_SYNC_FLUSH) for line in body.splitlines(keepends=True)]
    yield "a block for each line", b"".join(blocks) + packer.flush()
    yield "a member for each line", b"".join(map(gzip.compress, body.splitlines(keepends=True)[:12]))
    yield "members that end within a line", gzip.compress(body[:700]) + gzip.compress(body[700:])
    yield "zeros between and after members", gzip.compress(body[:700]) + bytes(9) + gzip.compress(body[700:]) + bytes(9)
    yield "not compressed", gzip.compress(body[:700], 0)
    yield "repeated lines", gzip.compress(body.splitlines(keepends=True)[0] * 400)


GZIP_FILES = dict(gzip_files())
LARGE_FILE = gzip.compress(log_lines(4000))


@pytest.mark.parametrize("compressed", GZIP_FILES.values(), ids=GZIP_FILES)
def test_every_complete_line_before_damage_at_any_byte_of_a_gzip_file_is_read(compressed: bytes) -> None:
    damage_count = 0
    for position in range(2, len(compressed)):  # without the first two bytes, it is not a gzip file
        bit_flipped = (
            compressed[:position] + bytes([compressed[position] ^ 1 << position % 8]) + compressed[position + 1 :]
        )
        truncated_file, bytes_removed = compressed[:position], compressed[:position] + compressed[position + 3 :]
        for changed_file in (bit_flipped, truncated_file, bytes_removed):
            content, is_whole = unpack_readable(changed_file)  # without the tested reader
            lines = list(read_lines([changed_file]))
            if is_whole:  # the change is in a field of the header or in the zeros, or removed whole members
                assert lines == expected_lines(content), position
                continue
            damage_count += 1
            last_start = content.rfind(b"\n") + 1
            last_line = SourceLine(content.count(b"\n") + 1, content[last_start:], DataProblem.DAMAGED_GZIP)
            assert lines.pop() == last_line, position
            assert lines == expected_lines(content[:last_start]), position
    assert damage_count > 2 * len(compressed), "most changes are damage"


@given(st.integers(0, 2**32), st.lists(st.integers(0, 10**6), max_size=4), st.sampled_from(["flip", "zero", "insert"]))
def test_lines_before_damage_do_not_depend_on_chunks(number: int, cuts: list[int], damage_kind: str) -> None:
    compressed = LARGE_FILE
    start = 10 + number % (len(compressed) - 10)
    damages = {"flip": (bytes([compressed[start] ^ 0x55]), 1), "zero": (bytes(64), 64), "insert": (b"x", 0)}
    damage, size = damages[damage_kind]
    damaged_file = compressed[:start] + damage + compressed[start + size :]
    content, _ = unpack_readable(damaged_file)
    *lines, last_line = read_lines(split_into_chunks(damaged_file, cuts))
    assert last_line.problem == DataProblem.DAMAGED_GZIP
    assert lines == expected_lines(content[: content.rfind(b"\n") + 1])
    assert last_line.number == content.count(b"\n") + 1


@pytest.mark.parametrize("trailer", [b"garbage", b"\0garbage", b"\0" * 20_000 + b"garbage"])
def test_other_bytes_after_a_gzip_stream_are_damage(trailer: bytes) -> None:
    *lines, last_line = read_lines([gzip.compress(b"{}\n") + trailer])
    assert lines == [SourceLine(1, b"{}")]
    assert last_line.problem == DataProblem.DAMAGED_GZIP


@pytest.mark.parametrize("zeros", [1, 16 * 1024, 20_000])
def test_a_member_after_zeros_is_read(zeros: int) -> None:
    compressed = gzip.compress(b"{}\n") + bytes(zeros) + gzip.compress(b"[]\n")
    assert list(read_lines([compressed])) == [SourceLine(1, b"{}"), SourceLine(2, b"[]")]
    assert gzip.decompress(compressed) == b"{}\n[]\n", "Python's module does the same"


def test_lines_before_damage_are_read_if_one_chunk_of_input_gives_several_chunks_of_content() -> None:
    raw_lines = [b"%d" % number + b"x" * 1_000_000 for number in range(6)]
    compressed = bytearray(gzip.compress(b"\n".join(raw_lines) + b"\n"))
    compressed[-5] ^= 1  # the checksum is in the same 16 KiB as all lines
    *lines, last_line = read_lines([bytes(compressed)])
    assert [line.raw for line in lines] == raw_lines
    assert last_line.problem == DataProblem.DAMAGED_GZIP


@given(st.integers(1, 60), st.lists(st.integers(0, 200)))
def test_only_lines_that_are_too_long_are_rejected(length: int, cuts: list[int]) -> None:
    body = b"{}\n" + b"x" * length + b"\n[]\n" + b"y" * length
    lines = list(read_lines(split_into_chunks(body, cuts), max_line_bytes=20))
    assert [line.number for line in lines] == [1, 2, 3, 4]
    problem = DataProblem.TOO_LONG if length > 20 else None
    assert [line.problem for line in lines] == [None, problem, None, problem]
    assert lines[2].raw == b"[]"


def test_only_the_beginning_of_a_long_line_is_kept_in_memory() -> None:
    (line,) = read_lines([b"begins", *[b"x" * 1_000_000] * 30], max_line_bytes=2_000_000)
    assert (line.problem, len(line.raw), line.raw[:6]) == (DataProblem.TOO_LONG, KEPT_BYTES, b"begins")


def test_a_byte_order_mark_is_not_part_of_the_first_line() -> None:
    assert list(read_lines([b"\xef\xbb\xbf{}\r\n{}"])) == [SourceLine(1, b"{}\r"), SourceLine(2, b"{}")]


def test_an_empty_object_has_no_lines() -> None:
    assert not list(read_lines([]))
    assert not list(read_lines([gzip.compress(b"")]))
    assert not list(read_lines([b"\n \n\t\n"]))


def test_a_gzip_bomb_is_unpacked_in_chunks() -> None:
    compressed = gzip.compress(b"0" * 50_000_000)
    (line,) = read_lines([compressed], max_line_bytes=1_000_000)
    assert line.problem == DataProblem.TOO_LONG

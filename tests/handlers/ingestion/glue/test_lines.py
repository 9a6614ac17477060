"""Lines of a file: gzip is detected by the content, lines are numbered, and a line that is not a record has a reason."""

import base64
import gzip
import json
import random
import zlib
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.ingestion.glue import lines
from handlers.ingestion.glue.lines import (
    KEPT_BYTES,
    DataProblem,
    FileOutcome,
    FileReader,
    FileUnreadable,
    Names,
    SourceFile,
    SourceLine,
    parse_record,
    read_lines,
)
from local import ROOT
from tests.handlers.ingestion.glue.memory_s3 import MemoryS3
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
    packed = {
        "plain": body,
        "gzip": gzip.compress(body),
        "members": gzip.compress(body[:9]) + bytes(20) + gzip.compress(body[9:]) + bytes(20_000),
    }[packing]
    assert list(read_lines(split_into_chunks(packed, cuts))) == expected_lines(body)


def log_lines(count: int) -> bytes:
    """Return lines that resemble those of a log. They are always the same."""
    source = random.Random(28)  # noqa: S311 - the same lines each time
    records = (
        {"id": number, "name": f"user{source.randrange(10**6)}", "seconds": source.random()} for number in range(count)
    )
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def gzip_files() -> Iterator[tuple[str, bytes]]:
    """Yield gzip files as programs write them: several blocks, several members, uncompressed blocks."""
    body = log_lines(10)
    yield "one block", gzip.compress(body)
    packer = zlib.compressobj(wbits=31)
    blocks = [packer.compress(line) + packer.flush(zlib.Z_SYNC_FLUSH) for line in body.splitlines(keepends=True)]
    yield "a block for each line", b"".join(blocks) + packer.flush()
    yield "a member for each line", b"".join(map(gzip.compress, body.splitlines(keepends=True)[:6]))
    yield "zeros between and after members", gzip.compress(body[:300]) + bytes(9) + gzip.compress(body[300:]) + bytes(9)
    yield "not compressed", gzip.compress(body[:300], 0)
    yield "repeated lines", gzip.compress(body.splitlines(keepends=True)[0] * 400)


GZIP_FILES = dict(gzip_files())
LARGE_FILE = gzip.compress(log_lines(4000))


@pytest.mark.parametrize("packed", GZIP_FILES.values(), ids=GZIP_FILES)
def test_every_complete_line_before_damage_at_any_byte_of_a_gzip_file_is_read(packed: bytes) -> None:
    damage_count = 0
    for position in range(2, len(packed)):  # without the first two bytes, it is not a gzip file
        bit_flipped = packed[:position] + bytes([packed[position] ^ 1 << position % 8]) + packed[position + 1 :]
        truncated, bytes_removed = packed[:position], packed[:position] + packed[position + 3 :]
        for changed_file in (bit_flipped, truncated, bytes_removed):
            damage_count += check_damaged_file(changed_file, [changed_file])
    assert damage_count > 2 * len(packed), "most changes are damage"


@given(st.integers(0, 2**32), st.lists(st.integers(0, 10**6), max_size=4), st.sampled_from(["flip", "zero", "insert"]))
def test_lines_before_damage_do_not_depend_on_chunks(number: int, cuts: list[int], kind: str) -> None:
    start = 10 + number % (len(LARGE_FILE) - 10)
    damages = {"flip": (bytes([LARGE_FILE[start] ^ 0x55]), 1), "zero": (bytes(64), 64), "insert": (b"x", 0)}
    damage, size = damages[kind]
    changed_file = LARGE_FILE[:start] + damage + LARGE_FILE[start + size :]
    assert check_damaged_file(changed_file, split_into_chunks(changed_file, cuts))


def check_damaged_file(changed_file: bytes, chunks: list[bytes]) -> bool:
    """Compare the lines with those that are found without the tested reader. Return True if the change is damage."""
    content, is_whole = unpack_readable(changed_file)
    found = list(read_lines(chunks))
    if is_whole:  # the change is in a field of the header or in the zeros, or removed whole members
        assert found == expected_lines(content)
        return False
    last_start = content.rfind(b"\n") + 1
    last_line = SourceLine(content.count(b"\n") + 1, content[last_start:], DataProblem.DAMAGED_GZIP)
    assert found == [*expected_lines(content[:last_start]), last_line]
    return True


@pytest.mark.parametrize("trailer", [b"garbage", bytes(20_000) + b"garbage"])
def test_other_bytes_after_a_gzip_stream_are_damage(trailer: bytes) -> None:
    assert check_damaged_file(gzip.compress(b"{}\n") + trailer, [gzip.compress(b"{}\n") + trailer])


@given(st.integers(1, 60), st.lists(st.integers(0, 200)))
def test_only_lines_that_are_too_long_are_rejected(length: int, cuts: list[int]) -> None:
    body = b"{}\n" + b"x" * length + b"\n[]\n" + b"y" * length
    found = list(read_lines(split_into_chunks(body, cuts), max_line_bytes=20))
    problem = DataProblem.TOO_LONG if length > 20 else None
    assert [(line.number, line.problem) for line in found] == [(1, None), (2, problem), (3, None), (4, problem)]
    assert found[2].raw == b"[]"


def test_of_a_line_above_8_mib_only_the_beginning_is_kept() -> None:
    longest = b"begins" + b"0" * (8 * 1024**2 - 6)
    complete, cut = read_lines([gzip.compress(longest + b"\n" + longest + b"0")])
    assert complete == SourceLine(1, longest)
    assert cut == SourceLine(2, longest[: 64 * 1024], DataProblem.TOO_LONG)


def test_a_byte_order_mark_is_not_part_of_the_first_line() -> None:
    assert list(read_lines([b"\xef\xbb", b"\xbf{}\r\n{}"])) == [SourceLine(1, b"{}\r"), SourceLine(2, b"{}")]


@pytest.mark.parametrize("limits", [{"max_content_bytes": 100}, {"max_lines": 30}])
def test_content_above_a_limit_makes_the_file_unreadable(limits: dict[str, int]) -> None:
    with pytest.raises(FileUnreadable):
        list(read_lines([gzip.compress(b"{}\n" * 40)], **limits))
    assert len(list(read_lines([gzip.compress(b"{}\n" * 20)], **limits))) == 20


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"{}", None),
        ('{"ü":"\\ud83d\\ude00","n":-1.5e-7}'.encode(), None),
        (b' {"a":{"b":1},"c":{"b":2}} \r', None),
        (b'{"a":"\xff"}', DataProblem.NOT_UTF8),
        (b"{not json}", DataProblem.NOT_JSON),
        (b'{"id":1}{"id":2}', DataProblem.NOT_JSON),
        (b'{"a":NaN}', DataProblem.NOT_JSON),
        (b"{'a':1}", DataProblem.NOT_JSON),
        (b'{"a":' + b"9" * 5000 + b"}", DataProblem.NOT_JSON),
        (b"[1]", DataProblem.NOT_AN_OBJECT),
        (b"null", DataProblem.NOT_AN_OBJECT),
        (b'{"o":{"a":1,"\\u0061":2}}', DataProblem.DUPLICATE_NAME),
        (b'{"a":' + b"[" * 20_000 + b"]" * 20_000 + b"}", DataProblem.TOO_DEEP),
    ],
    ids=lambda value: value[:24] if isinstance(value, bytes) else "",
)
def test_a_line_that_is_not_a_record_has_a_reason(raw: bytes, problem: DataProblem | None) -> None:
    assert parse_record(raw) == (problem or json.loads(raw))


Rejected = list[list[dict[str, object]]]
"""Rejected lines by object."""


def read(body: bytes | None, size: int = 1) -> tuple[list[tuple[int, bytes, bool]], FileOutcome, Rejected]:
    """Read a file. Return its records, its outcome and its rejected lines."""
    s3 = MemoryS3()
    if body is not None:
        s3.versions["incoming/k", "v"] = body
    file = SourceFile("landing", "incoming/k", "v", size, "2026-01-02T03:04:05.678Z", "2026-01-02", "incoming/k#v")
    names: Names = {"a": {}, "b": {}, "o": {"x": {}}}
    reader = FileReader(file, s3, "lake", "rejected/00001", names)  # type: ignore[arg-type] # has the methods that it uses
    records = list(reader.read_records())
    rejected = [[json.loads(line) for line in s3.objects[key].splitlines()] for key in sorted(s3.objects)]
    assert all(key.startswith("rejected/00001-") for key in s3.objects)
    return records, reader.outcome, rejected


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (b'{"a":1}\n{}\n', FileOutcome("processed", "", 2, 0, 11)),
        (b'{"a":1}\n[]\n', FileOutcome("processed", "", 1, 1, 11)),
        (gzip.compress(b'{"a":1}\n{}', 0)[:-9], FileOutcome("processed", "damaged_gzip", 1, 1, 10)),
        (b"\n \n\t\n", FileOutcome("processed", "empty", 0, 0, 0)),
        (b"", FileOutcome("processed", "empty", 0, 0, 0)),
        (b"[]\nx\ny\n", FileOutcome("rejected", "no_good_line:not_json", 0, 3, 0)),
        (None, FileOutcome("superseded", "version_gone", 0, 0, 0)),
    ],
    ids=lambda value: value.reason or "no reason" if isinstance(value, FileOutcome) else "",
)
def test_each_file_ends_processed_rejected_or_superseded(body: bytes | None, outcome: FileOutcome) -> None:
    assert read(body)[1] == outcome


def test_a_file_above_a_limit_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(b"{}", 5 * 1024**3 + 1)[1] == FileOutcome("rejected", "too_large")
    monkeypatch.setattr(lines, "read_lines", lambda chunks: read_lines(chunks, max_lines=1))
    monkeypatch.setattr(lines, "CHUNK_BYTES", 4)
    assert read(b"x\n{}\n{}\n{}")[1] == FileOutcome("rejected", "too_large", rejected_rows=1)


def test_the_page_states_the_limits_of_a_file() -> None:
    gigabytes, unpacked, millions = (
        lines.MAX_FILE_BYTES / 1024**3,
        lines.MAX_CONTENT_BYTES / 1024**3,
        lines.MAX_LINES / 1e6,
    )
    page = (ROOT / "docs" / "ingestion.md").read_text(encoding="utf-8")
    assert f"More than {gigabytes:g} GiB, or unpacked more than {unpacked:g} GiB or {millions:g} million lines." in page


def test_rejected_lines_are_kept_with_position_reason_and_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "PART_BYTES", 150)
    records, _, rejected = read(b"{}\nno\n\n" + b"x" * (KEPT_BYTES + 1) + b"\n{}\n[]")
    assert [number for number, _, _ in records] == [1, 5]
    origin = {"file": "incoming/k", "version": "v"}
    raw = [base64.b64encode(content).decode() for content in (b"no", b"x" * KEPT_BYTES, b"[]")]
    assert rejected == [
        [
            {**origin, "line": 2, "reason": "not_json", "raw": raw[0], "whole": True},
            {**origin, "line": 4, "reason": "not_json", "raw": raw[1], "whole": False},
        ],
        [{**origin, "line": 6, "reason": "not_an_object", "raw": raw[2], "whole": True}],
    ], "an object above the maximum size is written, and further lines go into another"
    _, _, [[line]] = read(gzip.compress(b'{"a":1}\n{}', 0)[:-9])
    assert (line["line"], line["reason"], line["whole"]) == (2, "damaged_gzip", False)


def test_a_record_is_marked_if_it_has_a_name_that_is_no_column() -> None:
    complete = [b"{}", b'{"b":1,"a":{"c":1}}', b'{"o":{"x":{"y":1}}}', b'{"o":5}']
    others = [b'{"a":1,"c":null}', b'{"A":1}', b'{"o":{"x":1,"y":1}}']
    records, _, _ = read(b"\n".join([*complete, *others]))
    assert [raw for _, raw, is_marked in records if not is_marked] == complete
    assert [raw for _, raw, is_marked in records if is_marked] == others

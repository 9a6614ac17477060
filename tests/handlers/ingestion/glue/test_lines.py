"""Lines of a file: gzip is detected by the content, lines are numbered, and a line that is not a record has a reason."""

import base64
import gzip
import io
import json
import zlib
from decimal import Decimal
from hashlib import sha256

import pytest
from botocore.response import StreamingBody
from hypothesis import given
from hypothesis import strategies as st

from handlers.ingestion.glue import lines
from handlers.ingestion.glue.lines import (
    KEPT_BYTES,
    DataProblem,
    FileOutcome,
    FileReader,
    FileUnreadable,
    SourceFile,
    SourceLine,
    SourceRecord,
    open_content,
    parse_record,
    read_lines,
)
from local import ROOT
from tests.handlers.ingestion.conftest import NOW
from tests.handlers.ingestion.fake_cloud import Cloud, FakeS3
from tests.handlers.ingestion.ingestion_harness import open_gate

CONTENT = st.lists(st.binary(max_size=30).map(lambda raw: raw.replace(b"\n", b"")), max_size=20)
LOG = b"".join(
    b'{"id":%d,"digest":"%s"}\n' % (number, sha256(b"%d" % number).hexdigest().encode()) for number in range(999)
)
PACKED_LOG = gzip.compress(LOG)
DAMAGED = DataProblem.DAMAGED_GZIP


def lines_of(body: bytes, **limits: int) -> list[SourceLine]:
    """Return the lines of an object with this body."""
    return list(read_lines(open_content(StreamingBody(io.BytesIO(body), len(body))), **limits))


def expected_lines(content: bytes) -> list[SourceLine]:
    """Return the lines of uncompressed content that are not blank."""
    raw_lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    return [SourceLine(number, raw) for number, raw in enumerate(raw_lines, 1) if raw.strip()]


@given(CONTENT, st.sampled_from(["plain", "gzip", "members"]))
def test_lines_do_not_depend_on_compression(content: list[bytes], packing: str) -> None:
    body = b"{" + b"\n".join(content)  # so that it does not start like gzip
    packed = {
        "plain": body,
        "gzip": gzip.compress(body),
        "members": gzip.compress(body[:9]) + bytes(20) + gzip.compress(body[9:]) + bytes(20_000),
    }[packing]
    assert lines_of(packed) == expected_lines(body)


@given(st.integers(2, len(PACKED_LOG) - 1))
def test_of_a_gzip_file_that_is_cut_off_every_complete_line_is_read(position: int) -> None:
    complete, _, _ = zlib.decompressobj(31).decompress(PACKED_LOG[:position]).rpartition(b"\n")
    lines = expected_lines(complete)
    assert lines_of(PACKED_LOG[:position]) == [*lines, SourceLine(len(lines) + 1, b"", DAMAGED)]


@pytest.mark.parametrize(
    "damaged",
    [
        PACKED_LOG[:20_000] + bytes(64) + PACKED_LOG[20_064:],
        PACKED_LOG[:-8] + bytes(8),
        PACKED_LOG + b"garbage",
        PACKED_LOG + bytes(20_000) + b"garbage",
    ],
    ids=["content", "checksum", "other bytes at the end", "other bytes after zeros"],
)
def test_the_rest_of_a_damaged_gzip_file_is_one_line(damaged: bytes) -> None:
    *lines, last = lines_of(damaged)
    assert lines[:300] == expected_lines(LOG)[:300]
    assert last == SourceLine(lines[-1].number + 1, b"", DAMAGED)


@given(st.integers(1, 60))
def test_only_lines_that_are_too_long_are_rejected(length: int) -> None:
    found = lines_of(b"{}\n" + b"x" * length + b"\n[]\n" + b"y" * length, max_line_bytes=20)
    problem = DataProblem.TOO_LONG if length > 20 else None
    assert [(line.number, line.problem) for line in found] == [(1, None), (2, problem), (3, None), (4, problem)]
    assert found[2].raw == b"[]"


def test_of_a_line_above_8_mib_only_the_beginning_is_kept() -> None:
    longest = b"begins" + b"0" * (8 * 1024**2 - 6)
    complete, cut = lines_of(gzip.compress(longest + b"\n" + longest + b"0"))
    assert complete == SourceLine(1, longest)
    assert cut == SourceLine(2, longest[: 64 * 1024], DataProblem.TOO_LONG)


def test_a_byte_order_mark_is_not_part_of_the_first_line() -> None:
    assert lines_of(b"\xef\xbb\xbf{}\r\n{}") == [SourceLine(1, b"{}\r"), SourceLine(2, b"{}")]
    assert lines_of(b"\xef\xbb\xbf\n{}") == [SourceLine(2, b"{}")]


@pytest.mark.parametrize("limits", [{"max_content_bytes": 90}, {"max_lines": 30}])
def test_content_above_a_limit_makes_the_file_unreadable(limits: dict[str, int]) -> None:
    with pytest.raises(FileUnreadable):
        lines_of(gzip.compress(b"{}\n" * 40), **limits)
    assert len(lines_of(gzip.compress(b"{}\n" * 30), **limits)) == 30


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
        (b'{"a":1e' + b"9" * 50 + b"}", DataProblem.NOT_JSON),
        (b"[1]", DataProblem.NOT_AN_OBJECT),
        (b"null", DataProblem.NOT_AN_OBJECT),
        (b'{"o":{"a":1,"\\u0061":2}}', DataProblem.NOT_JSON),
        (b'{"a":' + b"[" * 20_000 + b"]" * 20_000 + b"}", DataProblem.NOT_JSON),
    ],
    ids=lambda value: value[:24] if isinstance(value, bytes) else "",
)
def test_a_line_that_is_not_a_record_has_a_reason(raw: bytes, problem: DataProblem | None) -> None:
    assert parse_record(raw) == (problem or json.loads(raw, parse_float=Decimal))


def read(body: bytes | None) -> tuple[list[SourceRecord], FileOutcome, list[list[dict[str, object]]]]:
    """Read a file. Return its records, its outcome, and its rejected lines by object."""
    cloud = Cloud(NOW)
    s3 = FakeS3(cloud, open_gate)
    if body is not None:
        cloud.versions["incoming/k", "v"] = body
    file = SourceFile("landing", "incoming/k", "v", "2026-01-02T03:04:05.678Z", "2026-01-02", "incoming/k#v")
    reader = FileReader(file, s3, "lake", "rejected/00001", {"a": "byte", "d": "decimal(9,2)"})  # type: ignore[arg-type] # has the methods that it uses
    records = list(reader.read_records())
    rejected = [[json.loads(line) for line in s3.objects[key].splitlines()] for key in sorted(s3.objects)]
    assert all(key.startswith("rejected/00001-") for key in s3.objects)
    return records, reader.outcome, rejected


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (b'{"a":1}\n{}\n', FileOutcome("processed", "", 2, 0, 11)),
        (b'{"a":1}\n[]\n', FileOutcome("processed", "", 1, 1, 11)),
        (gzip.compress(b'{"a":1}\n{}', 0)[:-9], FileOutcome("processed", "damaged_gzip", 1, 1, 9)),
        (b"\n \n\t\n", FileOutcome("processed", "empty", 0, 0, 0)),
        (b"", FileOutcome("processed", "empty", 0, 0, 0)),
        (b"[]\nx\ny\n", FileOutcome("rejected", "no_good_line:not_json", 0, 3, 0)),
        (None, FileOutcome("superseded", "version_gone", 0, 0, 0)),
    ],
    ids=lambda value: value.reason or "no reason" if isinstance(value, FileOutcome) else "",
)
def test_each_file_ends_processed_rejected_or_superseded(body: bytes | None, outcome: FileOutcome) -> None:
    assert read(body)[1] == outcome


@pytest.mark.parametrize(
    "number", ["1e-100000", '"1E+999999999"', '"1e99999,9"', "1" * 999 + ".5", '"-' + "1" * 999 + '"']
)
def test_a_decimal_with_which_spark_would_compute_for_hours_is_rejected(number: str) -> None:
    _, outcome, _ = read(b'{"d":%s}\n{"a":%s}' % (number.encode(), number.encode()))
    assert outcome == FileOutcome("processed", "", 1, 1, 14 + 2 * len(number))


def test_a_file_above_a_limit_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "read_lines", lambda content: read_lines(content, max_lines=3))
    assert read(b"x\n{}\n{}\n{}")[1] == FileOutcome("rejected", "too_large", rejected_rows=1)


def test_the_page_states_the_limits_of_a_file() -> None:
    unpacked, millions = lines.MAX_CONTENT_BYTES / 1024**3, lines.MAX_LINES / 1e6
    page = (ROOT / "docs" / "ingestion.md").read_text(encoding="utf-8")
    assert f"Unpacked more than {unpacked:g} GiB or {millions:.9g} million lines." in page


def test_rejected_lines_are_kept_with_position_reason_and_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "PART_BYTES", 150)
    records, _, rejected = read(b"{}\nno\n\n" + b"x" * (KEPT_BYTES + 1) + b"\n{}\n[]")
    assert [record.line for record in records] == [1, 5]
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


def test_a_record_names_the_columns_that_cannot_hold_its_values() -> None:
    records, _, _ = read(b'{"a":1}\n{"a":128}\n{"a":1,"b":1}')
    assert records == [
        SourceRecord(1, b'{"a":1}', [], is_complete=True),
        SourceRecord(2, b'{"a":128}', ["a"], is_complete=False),
        SourceRecord(3, b'{"a":1,"b":1}', [], is_complete=False),
    ]

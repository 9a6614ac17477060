"""First pass over a file: counts, the status of the file, rejected lines, and the shape of its records.

A rejected line is not a JSON record. The shape is the tree of all names in the records, with one node for each name.
"""

import base64
import gzip
import json
from typing import Any

import pytest

from handlers.ingestion.glue import file_scan as module
from handlers.ingestion.glue.file_list_and_result_json import SourceFile
from handlers.ingestion.glue.file_scan import MAX_FILE_BYTES, MAX_FILE_NODES, FileScan, scan_file
from handlers.ingestion.glue.json_line_parser import DataProblem
from handlers.ingestion.glue.json_schema_inference import MAX_NODES, count_nodes
from tests.handlers.ingestion.glue.memory_storage import MemoryStorage

KEY = "incoming/ü +%.ndjson"


def scan_body(body: bytes | None, size: int = 1, *, is_readable: bool = True) -> tuple[FileScan, list[dict[str, Any]]]:
    """Scan a file with this content, or a deleted version if it is None. Return the scan and the rejected lines."""
    storage, version = MemoryStorage(), (f"s3://landing/{KEY}", "v1")
    if body is not None:
        storage.versions[version] = body
    if not is_readable:
        storage.unreadable_versions.add(version)
    file = SourceFile("landing", KEY, "v1", size, "2026-01-02T03:04:05.678Z", "2026-01-02", f"{KEY}#v1")
    scan = scan_file(file, storage, "s3://lake/rejected/x/00003")
    contents = [storage.read(uri) for uri in storage.list_uris("s3://lake/")]
    return scan, [json.loads(line) for content in contents for line in content.splitlines()]


def file_result(scan: FileScan) -> tuple[str, str, int]:
    outcome = scan.outcome()
    return outcome.status, outcome.reason, outcome.rows


def test_rejected_lines_are_stored_with_line_number_and_reason() -> None:
    scan, rejected_lines = scan_body(b'{"a":1}\n\nno\n{"a":2}\n\xff\n[1]\n')
    assert [(item["line"], item["reason"], base64.b64decode(item["raw"])) for item in rejected_lines] == [
        (3, "not_json", b"no"),
        (5, "not_utf8", b"\xff"),
        (6, "not_an_object", b"[1]"),
    ]
    assert {(item["file"], item["version"], item["whole"]) for item in rejected_lines} == {(KEY, "v1", True)}
    assert file_result(scan) == ("processed", "", 2)
    assert scan.outcome().rejected_rows == 3


@pytest.mark.parametrize(
    "body", [b"", b"\n \n", gzip.compress(b"")], ids=["no bytes", "blank lines", "gzip without content"]
)
def test_an_empty_file_is_processed_without_rows(body: bytes) -> None:
    scan, rejected_lines = scan_body(body)
    assert file_result(scan) == ("processed", "empty", 0)
    assert not rejected_lines


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('{"a":"é"}\n{"b":"ü"}\n'.encode("latin-1"), "no_good_line:not_utf8"),
        ('{"a":1}\n{"b":2}\n'.encode("utf-16"), "no_good_line:not_json"),  # zero bytes are valid UTF-8
        (b"a,b\n1,2\n[]\n", "no_good_line:not_json"),
        (gzip.compress(b'{"a":1}\n')[:15], "no_good_line:damaged_gzip"),
    ],
    ids=["Latin-1", "UTF-16", "CSV", "truncated gzip"],
)
def test_a_file_without_any_record_is_rejected_with_the_most_common_reason(body: bytes, reason: str) -> None:
    scan, rejected_lines = scan_body(body)
    assert file_result(scan) == ("rejected", reason, 0)
    assert len(rejected_lines) == scan.outcome().rejected_rows > 0


def test_a_damaged_gzip_file_gives_every_line_before_the_damage_and_one_rejected_line() -> None:
    lines = b"".join(b'{"a":%d}\n' % number for number in range(1000))
    scan, rejected_lines = scan_body(gzip.compress(lines)[:-8])
    assert file_result(scan) == ("processed", "damaged_gzip", 1000)
    assert scan.outcome().rejected_rows == 1
    assert [(item["line"], item["reason"], item["raw"], item["whole"]) for item in rejected_lines] == [
        (1001, "damaged_gzip", "", False)
    ]


@pytest.mark.parametrize(
    ("body", "arguments", "expected"),
    [
        (None, {}, ("superseded", "version_gone", 0)),
        (b'{"a":1}\n', {"is_readable": False}, ("rejected", "sealed", 0)),
        (b'{"a":1}\n', {"size": MAX_FILE_BYTES + 1}, ("rejected", "too_large", 0)),
    ],
    ids=["deleted", "sealed", "above the size limit"],
)
def test_a_version_that_is_not_read_has_no_rows(
    body: bytes | None, arguments: dict[str, Any], expected: tuple[str, str, int]
) -> None:
    scan, rejected_lines = scan_body(body, **arguments)
    assert file_result(scan) == expected
    assert not rejected_lines


@pytest.mark.parametrize(
    "body",
    [b'{"a":1}\n' * 2000, b"\n" * 2000, b'{"a":"' + b"x" * 20_000 + b'"}'],
    ids=["records", "blank lines", "one long line"],
)
@pytest.mark.parametrize("is_gzip", [True, False], ids=["gzip", "plain"])
def test_a_file_with_too_much_content_is_rejected_before_it_is_read_completely(
    body: bytes, monkeypatch: pytest.MonkeyPatch, *, is_gzip: bool
) -> None:
    content = gzip.compress(body) if is_gzip else body
    scan, _ = scan_body(content)
    assert scan.unreadable is None
    monkeypatch.setattr(module, "MAX_LINES", 1999)
    monkeypatch.setattr(module, "MAX_CONTENT_BYTES", 20_000)
    scan, _ = scan_body(content)
    assert file_result(scan) == ("rejected", "too_large", 0)
    assert not scan.shape.names, "the file does not affect the columns"


def test_lines_rejected_before_a_file_exceeds_the_limit_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_LINES", 20)
    scan, rejected_lines = scan_body(b"bad\n" * 10 + b"{}\n" * 20)
    assert scan.outcome().reason == "too_large"
    assert scan.outcome().rejected_rows == len(rejected_lines) == 10


def test_many_rejected_lines_make_several_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PART_BYTES", 1000)
    scan, rejected_lines = scan_body(b"{}\n" + b"bad\n" * 50)
    assert scan.rejected[DataProblem.NOT_JSON] == 50
    assert [item["line"] for item in rejected_lines] == list(range(2, 52))


def test_a_rejected_line_does_not_affect_the_columns() -> None:
    scan, _ = scan_body(b'{"a":1}\n{"b":1,"c":1e999}\n')
    assert list(scan.shape.names) == ["a"]


def test_a_file_whose_objects_have_too_many_names_uses_little_memory_and_keeps_its_other_columns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "NODE_CHECK_BYTES", 10_000)
    node_counts: list[int] = []
    scan_line = module._scan_line

    def scan_line_and_count_nodes(line: Any, scan: FileScan, rejected: Any) -> None:
        scan_line(line, scan, rejected)
        node_counts.append(count_nodes(scan.shape))

    monkeypatch.setattr(module, "_scan_line", scan_line_and_count_nodes)
    records = (
        {"id": day, "o": {"x": 1}, "by": {f"d{day}": {f"c{number}": [1] for number in range(800)}}} for day in range(40)
    )
    scan, _ = scan_body(b"".join(json.dumps(record).encode() + b"\n" for record in records))
    assert scan.rows == 40
    # A record adds about 1,602 nodes, so the limit must be checked at least after every third record.
    assert max(node_counts) < MAX_FILE_NODES + 3 * 1602
    names = scan.shape.names
    assert (set(names), set(names["o"].names)) == ({"id", "o", "by"}, {"x"})
    assert count_nodes(names["by"]) < MAX_NODES


def test_a_file_with_fewer_names_than_the_limit_of_a_file_keeps_all_of_them() -> None:
    body = json.dumps({"by": {f"d{day}": {f"c{number}": 1 for number in range(600)} for day in range(15)}}).encode()
    scan, _ = scan_body(body + b"\n")
    assert count_nodes(scan.shape) == 2 + 15 * 601

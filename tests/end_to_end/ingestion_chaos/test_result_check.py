"""Tests of the chaos run's files and of its check, which must notice each kind of wrong result."""

import gzip
from typing import Any

import pytest

from handlers.ingestion.glue.file_list_and_result import SourceFile
from handlers.ingestion.glue.file_scan import scan_file
from tests.end_to_end.ingestion_chaos.result_check import find_wrong_results
from tests.end_to_end.ingestion_chaos.uploaded_files import (
    GZIP_DAMAGES,
    PLAIN_DAMAGES,
    ExpectedResult,
    UploadedFile,
    expected_result,
    generate_files,
)
from tests.handlers.ingestion.glue.memory_storage import MemoryStorage

pytestmark = pytest.mark.unit

VERSION = ("incoming/a", "v1")
ROWS = {1: {"id": 1, "text": "a"}, 3: {"id": 2, "text": "b"}}
"""Values of the rows of the expected file, by line. Line 2 is rejected."""
EXPECTED = {VERSION: ExpectedResult("processed", ROWS, 1)}


def record(**changes: Any) -> dict[str, Any]:
    item = {"object_key": "incoming/a", "version_id": "v1", "status": "processed", "rows": 2, "rejected_rows": 1}
    return {name: {"N" if isinstance(value, int) else "S": str(value)} for name, value in {**item, **changes}.items()}


def row(line: int, **changes: Any) -> dict[str, Any]:
    """Return a row of the lake. A row of line 2 has the values of line 1."""
    values = ROWS.get(line, ROWS[1])
    return {"_source_key": "incoming/a", "_source_version": "v1", "_source_line": line, **values, **changes}


@pytest.mark.parametrize(("value", "problems"), [(2**63 - 1, 1), (2**63, 0), ("1", 0)])
def test_a_damaged_id_is_compared_only_if_its_column_can_hold_it(value: Any, problems: int) -> None:
    expected = {VERSION: ExpectedResult("processed", {1: {"id": value, "text": "a"}}, 1)}
    found = find_wrong_results(expected, [record(rows=1)], [row(1, id=None)])
    assert len(found) == problems


def test_the_expected_result_is_not_wrong() -> None:
    assert find_wrong_results(EXPECTED, [record()], [row(3), row(1)]) == []


@pytest.mark.parametrize(
    ("records", "rows"),
    [
        ([], [row(1), row(3)]),
        ([record(), record()], [row(1), row(3)]),
        ([record(status="manifested")], [row(1), row(3)]),
        ([record(rows=1)], [row(1), row(3)]),
        ([record(rejected_rows=0)], [row(1), row(3)]),
        ([record(), record(version_id="v2")], [row(1), row(3)]),
        ([record()], [row(1)]),
        ([record()], [row(1), row(3), row(3)]),
        ([record()], [row(1), row(3), row(2)]),
        ([record()], [row(1), row(3, text="a")]),
    ],
    ids=[
        *("no record", "two records", "not final", "fewer rows counted", "fewer rejected lines", "unknown version"),
        *("lost row", "doubled row", "unknown row", "other content"),
    ],
)
def test_a_wrong_result_is_noticed(records: list[dict[str, Any]], rows: list[dict[str, Any]]) -> None:
    assert len(find_wrong_results(EXPECTED, records, rows)) == 1


def test_a_tenth_of_the_files_is_damaged_and_every_kind_of_damage_occurs() -> None:
    damaged = [file for file in generate_files(1000, 1, "incoming/") if file.damage]
    assert len(damaged) == 100
    assert {file.damage for file in damaged} == GZIP_DAMAGES.keys() | PLAIN_DAMAGES.keys()


def test_some_files_are_new_versions_of_a_key() -> None:
    assert len({file.key for file in generate_files(1000, 1, "incoming/")}) == 961, "39 files are new versions"


def test_a_seed_always_gives_the_same_files() -> None:
    assert generate_files(1000, 1, "incoming/") == generate_files(1000, 1, "incoming/")


@pytest.mark.parametrize("kind", ["", *PLAIN_DAMAGES, *GZIP_DAMAGES])
def test_the_expected_result_equals_that_of_the_jobs_first_reading(kind: str) -> None:
    """The Spark job reads each file twice. `scan_file` is the first reading."""
    files = [file for file in generate_files(600, 2, "incoming/") if file.damage == kind and file.body]
    for file in files[:60]:
        assert scan(file) == expected_counts(file), file.key


def expected_counts(file: UploadedFile) -> tuple[str, int, int]:
    result = expected_result(file)
    return result.status, len(result.rows), result.rejected_rows


def scan(file: UploadedFile) -> tuple[str, int, int]:
    storage = MemoryStorage()
    storage.versions["s3://landing/key", "v1"] = file.body
    source = SourceFile("landing", "key", "v1", len(file.body), "2026-01-02T03:04:05.678Z", "2026-01-02", "key#v1")
    outcome = scan_file(source, storage, "s3://lake/rejected/x").outcome()
    return outcome.status, outcome.rows, outcome.rejected_rows


def test_lines_before_a_wrong_checksum_are_expected() -> None:
    body = gzip.compress(b'{"id": 1}\n{"id": 2}\n')
    assert expected_counts(UploadedFile("a", body[:-8] + bytes(8))) == ("processed", 2, 1)

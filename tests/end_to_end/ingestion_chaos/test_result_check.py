"""Tests of the chaos run's files and of its check, which must notice each kind of wrong result."""

from typing import Any

import pytest

from handlers.ingestion.glue.lines import FileReader, SourceFile
from tests.end_to_end.ingestion_chaos.result_check import find_wrong_results
from tests.end_to_end.ingestion_chaos.uploaded_files import (
    GZIP_DAMAGES,
    PLAIN_DAMAGES,
    ExpectedResult,
    UploadedFile,
    expected_result,
    generate_files,
)
from tests.handlers.ingestion.glue.memory_s3 import MemoryS3

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


@pytest.mark.parametrize(("expected_id", "is_missing_id_wrong"), [(2**63 - 1, True), (2**63, False), ("1", False)])
def test_an_id_may_be_missing_from_the_lake_only_if_its_column_cannot_hold_it(
    expected_id: Any, *, is_missing_id_wrong: bool
) -> None:
    expected = {VERSION: ExpectedResult("processed", {1: {"id": expected_id, "text": "a"}}, 1)}
    problems = find_wrong_results(expected, [record(rows=1)], [row(1, id=None)])
    assert len(problems) == int(is_missing_id_wrong)


def test_the_expected_result_is_not_wrong() -> None:
    assert find_wrong_results(EXPECTED, [record()], [row(3), row(1)]) == []


ROWS_OF_LAKE = [row(1), row(3)]


@pytest.mark.parametrize(
    ("records", "rows"),
    [
        pytest.param([], ROWS_OF_LAKE, id="no record"),
        pytest.param([record(), record()], ROWS_OF_LAKE, id="two records"),
        pytest.param([record(status="manifested")], ROWS_OF_LAKE, id="status that is not final"),
        pytest.param([record(rows=1)], ROWS_OF_LAKE, id="wrong number of rows"),
        pytest.param([record(rejected_rows=0)], ROWS_OF_LAKE, id="wrong number of rejected lines"),
        pytest.param([record(), record(version_id="v2")], ROWS_OF_LAKE, id="unknown version"),
        pytest.param([record()], [row(1)], id="missing row"),
        pytest.param([record()], [row(1), row(3), row(3)], id="row twice"),
        pytest.param([record()], [row(1), row(3), row(2)], id="unknown row"),
        pytest.param([record()], [row(1), row(3, text="a")], id="other content"),
    ],
)
def test_a_wrong_result_is_noticed(records: list[dict[str, Any]], rows: list[dict[str, Any]]) -> None:
    assert len(find_wrong_results(EXPECTED, records, rows)) == 1


def test_a_tenth_of_the_files_is_damaged_and_every_damage_occurs_and_some_files_are_new_versions() -> None:
    files = generate_files(1000, 1, "incoming/")
    damages = [file.damage for file in files if file.damage]
    assert len(damages) == 100
    assert set(damages) == GZIP_DAMAGES.keys() | PLAIN_DAMAGES.keys()
    assert len({file.key for file in files}) == 961, "39 files are new versions of another file's key"


@pytest.mark.parametrize("damage", ["", *PLAIN_DAMAGES, *GZIP_DAMAGES])
def test_the_expected_result_equals_that_of_the_jobs_reader(damage: str) -> None:
    files = [file for file in generate_files(600, 2, "incoming/") if file.damage == damage and file.body]
    for file in files[:60]:
        expected = expected_result(file)
        assert read(file) == (expected.status, len(expected.rows), expected.rejected_rows), file.key


def read(file: UploadedFile) -> tuple[str, int, int]:
    s3 = MemoryS3()
    s3.versions["key", "v1"] = file.body
    source = SourceFile("landing", "key", "v1", len(file.body), "2026-01-02T03:04:05.678Z", "2026-01-02", "key#v1")
    reader = FileReader(source, s3, "lake", "rejected/x")  # type: ignore[arg-type] # has the methods that it uses
    rows = len(list(reader.read_records()))
    assert rows == reader.outcome.rows
    return reader.outcome.status, rows, reader.outcome.rejected_rows

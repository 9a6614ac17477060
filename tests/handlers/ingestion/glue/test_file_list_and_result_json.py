"""Documents that the handlers and the Spark job exchange: the list of a manifest's files, and the result of a run.

The handlers and the job read and write them with different code.
"""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from handlers.ingestion.files import ListedFile
from handlers.ingestion.glue.file_list_and_result_json import (
    FileList,
    FileOutcome,
    SourceFile,
    add_published_files,
    format_result,
    parse_file_list,
    published_file_keys,
    reported_file_keys,
)
from handlers.ingestion.glue.json_to_parquet_columns import WidenedColumn
from handlers.ingestion.manifests import Manifest, RunResult

FILE_FIELDS: dict[str, Any] = {
    "bucket": "landing",
    "version_id": "v1",
    "size": 3,
    "arrived_at": "2026-01-02T03:04:05.678Z",
    "date_prefix": "2026-01-02",
}


def list_document(*keys: str, manifest_id: str = "m") -> bytes:
    files = tuple(ListedFile(key=key, file_key=f"{key}#v1", **FILE_FIELDS) for key in keys)
    manifest = Manifest(manifest_id=manifest_id, created_at=datetime(2026, 1, 2, tzinfo=UTC), files=files)
    return manifest.model_dump_json(by_alias=True).encode()


def test_the_job_reads_the_list_that_the_handlers_write() -> None:
    key = "incoming/ü %+.ndjson"
    file = SourceFile(key=key, file_key=f"{key}#v1", **FILE_FIELDS)
    assert parse_file_list(list_document(key)) == FileList("m", (file,))
    assert file.uri == f"s3://landing/{key}"


def test_the_handlers_read_the_result_that_the_job_writes() -> None:
    outcomes = [FileOutcome("k#v", "2026-01-02", "rejected", "no_good_line:not_json", 0, 3)]
    widened = [WidenedColumn("a", ("long", "text"), "string")]
    result = RunResult.model_validate_json(format_result("m", "r", outcomes, widened))
    assert (result.manifest_id, result.run_id) == ("m", "r")
    (result_file,) = result.files
    assert result_file.model_dump() == {
        "file_key": "k#v",
        "date_prefix": "2026-01-02",
        "status": "rejected",
        "reason": "no_good_line:not_json",
        "rows": 0,
        "rejected_rows": 3,
    }


def test_names_that_would_leave_their_folder_in_the_lake_are_refused() -> None:
    with pytest.raises(ValueError, match="manifestId"):
        parse_file_list(list_document("a", manifest_id="../m"))
    document = json.loads(list_document("a"))
    document["files"][0]["datePrefix"] = "2026-01-02/x"
    with pytest.raises(ValueError, match="date"):
        parse_file_list(json.dumps(document).encode())


def test_a_redrive_also_processes_the_files_for_which_the_earlier_run_published_something() -> None:
    claimed_list = parse_file_list(list_document("a", "b", "c"))
    confirmed_list = FileList("m", claimed_list.files[:1])
    outcomes = [FileOutcome("b#v1", "d", "processed", rows=2), FileOutcome("c#v1", "d", "rejected")]
    result = format_result("m", "r", outcomes, [])
    assert reported_file_keys(result) == {"b#v1", "c#v1"}
    assert published_file_keys(result) == {"b#v1"}, "c has neither rows nor rejected lines"
    files = add_published_files(confirmed_list, claimed_list, published_file_keys(result)).files
    assert [file.key for file in files] == ["a", "b"]
    assert add_published_files(claimed_list, None, published_file_keys(result)) == claimed_list, (
        "all published files are listed"
    )
    assert add_published_files(confirmed_list, None, published_file_keys(None)) == confirmed_list, (
        "there is no earlier result"
    )


def test_a_rejected_file_with_stored_rejected_lines_counts_as_published() -> None:
    outcomes = [FileOutcome("a#v1", "d", "rejected", "no_good_line:not_json", rejected_rows=2)]
    assert published_file_keys(format_result("m", "r", outcomes, [])) == {"a#v1"}


def test_a_run_that_would_remove_published_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="1 files that an earlier run"):
        add_published_files(FileList("m", ()), None, frozenset({"b#v1"}))

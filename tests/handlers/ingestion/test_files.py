"""Files: keys of their records, admission, and the conditional changes of their status in moto's DynamoDB.

A file is `pending` until a manifest (a list of files) takes it. From then on, only this manifest changes it.
"""

import json
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import boto3
import pytest

from handlers.common.records import deserialize_item
from handlers.ingestion.files import (
    ArrivedFile,
    FileRejection,
    FileResult,
    FileStatus,
    FileTable,
    ListedFile,
    parse_arrived_files,
)
from tests.document_samples import read_code_block
from tests.handlers.ingestion.conftest import MotoAws
from tests.handlers.ingestion.s3_messages import body, record

NOW = datetime(2026, 1, 3, 12, tzinfo=UTC)
ARRIVED = NOW - timedelta(minutes=1)
LIMIT = 5 * 1024**3
CHANGES = ("take", "take failed", "fail", *("processed", "rejected", "superseded"))
"""Changes of a file that a manifest requests: `take`, `fail`, or the result of a run."""
OUTCOMES = {
    FileStatus.PENDING: {"take": "manifested", "take failed": "manifested", "fail": "failed"},
    FileStatus.MANIFESTED: {"fail": "failed"} | {status: status for status in CHANGES[3:]},
    FileStatus.FAILED: {"take failed": "manifested"} | {status: status for status in CHANGES[3:]},
}
"""Status after each change that applies, by the status before. All other changes change nothing."""


def arrived_file(key: str = "incoming/a", size: int = 1, **values: Any) -> ArrivedFile:
    values = {"bucket": "landing", "version_id": "v1", "etag": "e", "arrived": ARRIVED, **values}
    return ArrivedFile.model_validate({"key": key, "size": size, **values})


@pytest.fixture
def table(aws: MotoAws) -> FileTable:
    return FileTable(boto3.resource("dynamodb").Table(aws.table), 400, lambda: NOW)


def listed(file: ArrivedFile, open_since: str = "") -> ListedFile:
    names = {"bucket": file.bucket, "object_key": file.key, "version_id": file.version_id, "size": file.size}
    arrived_at = file.arrived.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return ListedFile(
        date_prefix=file.arrival_date, file_key=file.sort_key, arrived_at=arrived_at, open_since=open_since, **names
    )


def change(table: FileTable, file: ListedFile, manifest_id: str, requested: str) -> FileStatus | None:
    if requested.startswith("take"):
        return table.take(file, manifest_id, from_failed=requested == "take failed")
    if requested == "fail":
        return table.fail(file, manifest_id, "WHY")
    values: Any = {"file_key": file.file_key, "date_prefix": file.date_prefix, "status": requested, "rows": 3}
    return table.record_result(FileResult(**values, reason="WHY"), manifest_id)


# Keys and admission


def test_each_version_is_a_separate_file_under_the_utc_date_of_its_event() -> None:
    older_record, newer_record = record(eventTime="2026-01-02T23:30:00-02:00"), record()
    newer_record["s3"]["object"]["versionId"] = "v2"
    assert [(file.arrival_date, file.sort_key) for file in parse_arrived_files(body(older_record, newer_record))] == [
        ("2026-01-03", "incoming/a.ndjson#v1"),
        ("2026-01-02", "incoming/a.ndjson#v2"),
    ]


def test_a_key_that_cannot_be_a_record_key_is_hashed_with_its_version() -> None:
    for key in ("k" * 1022, "ü" * 511):
        file = arrived_file(key)
        assert (file.sort_key[:7], len(file.sort_key), file.key) == ("sha256:", 7 + 64, key)
    for key in ("k" * 1021, "k" + "ü" * 510):
        assert arrived_file(key).sort_key == f"{key}#v1"


def test_only_listed_suffixes_are_accepted_in_upper_or_lower_case() -> None:
    for name in ("a.ndjson", "a.NDJSON", "a.json.gz", "a.b.JsonL", "ü 日.ndjson.GZ", ".jsonl"):
        assert arrived_file(f"incoming/{name}").find_rejection(LIMIT) is None
    for name in ("a", "a.csv", "a.ndjson.zip", "ndjson", "a.ndjson/"):
        assert arrived_file(f"incoming/{name}").find_rejection(LIMIT) is FileRejection.SUFFIX_NOT_ALLOWED


def test_a_file_has_at_least_one_byte_and_at_most_the_limit() -> None:
    rejections = {0: FileRejection.EMPTY, 1: None, LIMIT: None, LIMIT + 1: FileRejection.TOO_LARGE}
    assert {size: arrived_file("a.json", size).find_rejection(LIMIT) for size in rejections} == rejections


# Table


def test_a_pending_file_has_everything_that_a_manifest_lists_and_is_listed_oldest_first(table: FileTable) -> None:
    seconds = iter(range(100))
    table = FileTable(table.table, 400, lambda: NOW + timedelta(seconds=next(seconds)))
    for name in "cab":
        assert table.track(arrived_file(f"incoming/{name}"))
    assert table.list_pending(2) == [
        listed(arrived_file("incoming/c"), "2026-01-03T12:00:00.000Z"),
        listed(arrived_file("incoming/a"), "2026-01-03T12:00:02.000Z"),
    ]
    assert len(table.list_pending(1000)) == 3


def test_a_file_changes_only_as_its_status_allows_and_only_for_its_manifest(table: FileTable, aws: MotoAws) -> None:
    for status, requested in product(FileStatus, CHANGES):
        file = arrived_file(f"incoming/{status}/{requested}")
        table.track(file, FileRejection.EMPTY if status is FileStatus.REJECTED else None)
        key = {"date_prefix": file.arrival_date, "file_key": file.sort_key}
        owner = {} if status is FileStatus.PENDING else {"manifest_id": "M1"}
        table.table.put_item(Item={**table.table.get_item(Key=key)["Item"], **owner, "status": status})
        is_free = status is FileStatus.PENDING
        assert change(table, listed(file), "M2", "processed") is None
        if not is_free:
            assert change(table, listed(file), "M2", requested) is None
        assert table.table.get_item(Key=key)["Item"]["status"] == status, "another manifest changes nothing"
        expected = OUTCOMES.get(status, {}).get(requested, status)
        returned = change(table, listed(file), "M1", requested)
        assert table.table.get_item(Key=key)["Item"]["status"] == expected, (status, requested)
        assert returned == (None if is_free and expected is FileStatus.PENDING else expected), (status, requested)


def test_the_page_shows_an_item_of_the_table(table: FileTable, aws: MotoAws) -> None:
    example = json.loads("\n".join(read_code_block("docs/ingestion.md", "the item counts the rows")))
    table = FileTable(table.table, 400, lambda: datetime.fromisoformat(example["tracked_at"]))
    same = {name: example[name] for name in ("bucket", "version_id", "etag")}
    file = arrived_file(
        example["object_key"], example["size"], arrived=datetime.fromisoformat(example["arrived_at"]), **same
    )
    table.track(file)
    [item] = map(deserialize_item, aws.records().values())
    opened = {"open_shard": "pending", "open_since": example["tracked_at"], "status": "pending"}
    changed = {"manifest_id", "reason", "rows", "rejected_rows"}
    assert item == {name: value for name, value in example.items() if name not in changed} | opened
    change(table, listed(file), example["manifest_id"], "take")
    rows = {"rows": example["rows"], "rejected_rows": example["rejected_rows"]}
    table.record_result(FileResult(**dict(listed(file)), status="processed", **rows), example["manifest_id"])
    [item] = map(deserialize_item, aws.records().values())
    assert item == example


def test_a_deleted_record_is_never_created_again(table: FileTable, aws: MotoAws) -> None:
    assert [change(table, listed(arrived_file()), "M1", requested) for requested in CHANGES] == [None] * len(CHANGES)
    assert aws.records() == {}


def test_the_record_of_a_file_is_also_found_under_the_day_before_or_after(table: FileTable) -> None:
    """The command `announce` has the date of S3's list, and S3's notification may give a file another date."""
    for days in (-2, -1, 0, 1, 2):
        table.track(arrived_file(f"incoming/{days}", arrived=ARRIVED + timedelta(days=days)))
        assert table.has_record(arrived_file(f"incoming/{days}")) is (abs(days) < 2)

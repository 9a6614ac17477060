"""File table: each change of a file's status has a condition, in moto's DynamoDB and in the in-memory fake.

A file is `pending`, then `claimed` for a manifest (a list of files), then `manifested` while a run processes it, until
it has the result of the run. A redrive is a later execution of the same manifest. The index of open files is divided
into shards, so that writes do not all go to one partition.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from handlers.ingestion.arrived_files import ArrivedFile
from handlers.ingestion.file_table import FileTable
from handlers.ingestion.manifest_documents import FileResult, ListedFile
from handlers.ingestion.status_transitions import FileStatus
from handlers.ingestion.table_keys_and_updates import RecordId, get_text, query_open_items
from tests.handlers.ingestion.fake_cloud import client_error
from tests.handlers.ingestion.ingestion_harness import ALLOWED_TRANSITIONS

ARRIVED = datetime(2026, 1, 3, 11, 59, tzinfo=UTC)


class Clock:
    """Clock that is one second later at each reading, so that files have different ages."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 3, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


def new_table(dynamodb: Any, **options: Any) -> FileTable:
    return FileTable(dynamodb, "files", 400, Clock(), **options)


@pytest.fixture
def table(dynamodb: Any) -> FileTable:
    return new_table(dynamodb)


def file(name: str = "a", arrived: datetime = ARRIVED) -> ArrivedFile:
    return ArrivedFile(bucket="landing", key=f"incoming/{name}", version_id="v1", size=1, etag="e", arrived=arrived)


def track_files(table: FileTable, *names: str) -> list[RecordId]:
    """Create records of files with the status `pending`. Return the ids of the records."""
    assert all(table.track(file(name)) for name in names)
    return [RecordId("2026-01-03", file(name).sort_key) for name in names]


def file_result(record_id: RecordId, status: Any, reason: str = "") -> FileResult:
    return FileResult(
        file_key=record_id.file_key, date_prefix=record_id.date_prefix, status=status, reason=reason, rows=3
    )


def read_item(dynamodb: Any, record_id: RecordId) -> dict[str, Any]:
    return dict(dynamodb.get_item(TableName="files", Key=record_id.key, ConsistentRead=True)["Item"])


def test_pending_files_are_listed_oldest_first_across_shards(table: FileTable) -> None:
    ids = track_files(table, *"abcdefgh")
    assert [file.id for file in table.list_pending(100)] == ids
    assert [file.id for file in table.list_pending(3)] == ids[:3]
    assert [file.id for file in table.list_pending(3, skip=set(ids[:2]))] == ids[2:5]


def test_pending_files_are_spread_over_all_shards(dynamodb: Any) -> None:
    table = new_table(dynamodb, open_shards=4)
    ids = track_files(table, *(str(number) for number in range(40)))
    shards = {get_text(read_item(dynamodb, record_id), "open_shard") for record_id in ids}
    assert shards == {f"pending#{number}" for number in range(4)}


def test_files_in_shards_that_are_no_longer_written_are_listed_with_read_all_shards(dynamodb: Any) -> None:
    track_files(new_table(dynamodb, open_shards=16), *(str(number) for number in range(40)))
    assert len(new_table(dynamodb, open_shards=1).list_pending(100)) < 40
    assert len(new_table(dynamodb, open_shards=1, read_all_shards=True).list_pending(100)) == 40


def test_long_lists_are_read_page_by_page(table: FileTable, dynamodb: Any) -> None:
    ids = track_files(table, *(str(number) for number in range(9)))
    shards = [query_open_items(dynamodb, "files", f"pending#{shard}", page_size=2) for shard in range(2)]
    assert {RecordId.from_item(item) for shard in shards for item in shard} == set(ids)


def request_status(table: FileTable, record_id: RecordId, status: FileStatus) -> None:
    """Request a status for a file of manifest M1, for the manifest's first redrive."""
    match status:
        case FileStatus.PENDING:
            table.release(record_id, "M1")
        case FileStatus.CLAIMED:
            table.claim(record_id, "M1")
        case FileStatus.MANIFESTED:
            table.mark_manifested(record_id, "M1", redrive=1)
        case _:
            table.record_result(file_result(record_id, status), "M1", redrive=1)


@pytest.mark.parametrize("status", FileStatus)
def test_a_status_changes_only_to_the_statuses_that_may_follow_it(
    table: FileTable, dynamodb: Any, status: FileStatus
) -> None:
    (pending_id,) = track_files(table, "pending")
    pending_item = read_item(dynamodb, pending_id)
    for requested in FileStatus:
        record_id = RecordId(pending_id.date_prefix, f"{pending_id.file_key}-{requested}")
        changes = {"file_key": record_id.file_key, "status": status, "manifest_id": "M1"}
        item = pending_item | {name: {"S": value} for name, value in changes.items()}
        dynamodb.put_item(TableName="files", Item=item, ConditionExpression="attribute_not_exists(file_key)")
        request_status(table, record_id, requested)
        may_follow = requested in ALLOWED_TRANSITIONS.get(status, set())
        assert get_text(read_item(dynamodb, record_id), "status") == (requested if may_follow else status), requested


def test_a_file_is_claimed_for_one_manifest_only(table: FileTable) -> None:
    (record_id,) = track_files(table, "a")
    claimed_record = table.claim(record_id, "M1")
    assert claimed_record is not None
    assert claimed_record.listed_file == ListedFile(
        bucket="landing",
        key="incoming/a",
        version_id="v1",
        size=1,
        arrived_at="2026-01-03T11:59:00.000Z",
        date_prefix="2026-01-03",
        file_key="incoming/a#v1",
    )
    assert table.claim(record_id, "M2") is None
    assert table.claim(record_id, "M1") == claimed_record, "a repeated claim returns the same record"
    assert table.list_pending(10) == []


def test_a_released_file_is_unchanged(table: FileTable, dynamodb: Any) -> None:
    first, second = track_files(table, "a", "b")
    before = read_item(dynamodb, first)
    table.claim(first, "M1")
    assert table.release(first, "M1")
    assert read_item(dynamodb, first) == before
    assert [file.id for file in table.list_pending(10)] == [first, second], "the file is at its former position"


def test_only_the_manifests_own_claim_can_be_released_or_marked(table: FileTable) -> None:
    (record_id,) = track_files(table, "a")
    table.claim(record_id, "M1")
    assert not table.release(record_id, "M2")
    record = table.mark_manifested(record_id, "M2")
    assert record is not None
    assert (record.status, record.manifest_id) == (FileStatus.CLAIMED, "M1")


def test_a_manifested_file_is_no_longer_open_and_cannot_be_released_or_claimed(table: FileTable, dynamodb: Any) -> None:
    (record_id,) = track_files(table, "a")
    table.claim(record_id, "M1")
    for _ in range(2):
        record = table.mark_manifested(record_id, "M1")
        assert record is not None
        assert record.status is FileStatus.MANIFESTED
    assert not table.release(record_id, "M1")
    assert table.claim(record_id, "M2") is None
    assert "open_shard" not in read_item(dynamodb, record_id)


@pytest.mark.parametrize("status", ["processed", "rejected", "superseded", "failed"])
def test_the_result_of_a_file_is_written_once(table: FileTable, dynamodb: Any, status: str) -> None:
    (record_id,) = track_files(table, "a")
    table.claim(record_id, "M1")
    table.mark_manifested(record_id, "M1")
    table.record_result(file_result(record_id, status, "WHY"), "M1")
    before = read_item(dynamodb, record_id)
    assert (get_text(before, "status"), get_text(before, "reason"), before["rows"]["N"]) == (status, "WHY", "3")
    for later_status in ("processed", "rejected", "superseded", "failed"):
        record = table.record_result(file_result(record_id, later_status, "OTHER"), "M1")
        assert record is not None
        assert record.status == status
    assert table.mark_manifested(record_id, "M1") is not None
    assert table.claim(record_id, "M2") is None
    assert read_item(dynamodb, record_id) == before


def test_only_a_redrive_marks_a_failed_file_as_manifested(table: FileTable, dynamodb: Any) -> None:
    (record_id,) = track_files(table, "a")
    table.claim(record_id, "M1")
    table.record_result(file_result(record_id, "failed", "WHY"), "M1")
    record = table.mark_manifested(record_id, "M1", redrive=1)
    assert record is not None
    assert record.status is FileStatus.MANIFESTED
    assert "reason" not in read_item(dynamodb, record_id)


def test_a_late_call_of_an_earlier_execution_changes_nothing(table: FileTable, dynamodb: Any) -> None:
    (record_id,) = track_files(table, "a")
    table.claim(record_id, "M1")
    table.mark_manifested(record_id, "M1")
    table.record_result(file_result(record_id, "failed"), "M1")
    table.mark_manifested(record_id, "M1", redrive=1)
    before = read_item(dynamodb, record_id)
    table.record_result(file_result(record_id, "failed"), "M1")
    assert read_item(dynamodb, record_id) == before, "the redrive has already marked the file as manifested"
    table.record_result(file_result(record_id, "failed"), "M1", redrive=1)
    before = read_item(dynamodb, record_id)
    table.mark_manifested(record_id, "M1", redrive=1)
    assert read_item(dynamodb, record_id) == before, "the redrive has already failed"
    table.record_result(file_result(record_id, "failed"), "M1", redrive=2)
    before = read_item(dynamodb, record_id)
    table.mark_manifested(record_id, "M1", redrive=2)
    assert read_item(dynamodb, record_id) == before, "the second redrive has failed before it marked the file"


def test_a_deleted_record_is_never_created_again(table: FileTable, dynamodb: Any) -> None:
    record_id = RecordId("2026-01-03", "incoming/gone#v1")
    assert table.claim(record_id, "M1") is None
    assert table.mark_manifested(record_id, "M1") is None
    assert table.record_result(file_result(record_id, "processed"), "M1") is None
    assert not table.release(record_id, "M1")
    assert "Item" not in dynamodb.get_item(TableName="files", Key=record_id.key)


@pytest.mark.parametrize("days", [-2, -1, 0, 1, 2])
def test_the_check_of_adjacent_dates_finds_a_version_one_day_away_and_no_further(
    table: FileTable, dynamodb: Any, days: int
) -> None:
    assert table.track(file(arrived=ARRIVED + timedelta(days=days)))
    assert table.track(file(), check_adjacent_dates=True) is (abs(days) == 2)
    key = RecordId("2026-01-03", "incoming/a#v1").key
    assert ("Item" in dynamodb.get_item(TableName="files", Key=key, ConsistentRead=True)) is (abs(days) != 1)


def test_a_transaction_conflict_raises_an_error(dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse_for_conflict(**_: Any) -> None:
        raise client_error("TransactionCanceledException", "x", CancellationReasons=[{"Code": "TransactionConflict"}])

    monkeypatch.setattr(dynamodb, "transact_write_items", refuse_for_conflict)
    with pytest.raises(Exception, match="TransactionCanceled"):
        new_table(dynamodb).track(file(), check_adjacent_dates=True)

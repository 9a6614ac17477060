"""Manifest builder: it tracks each version of a file once, returns only failed messages, and creates full manifests.

To track a file means to create its record in the table, with the status `pending`. A manifest is a list of files, here
of three, for which the builder starts a workflow execution. The builder first claims (reserves) the files. A flush also
puts files into a manifest that is not full. The sweeper completes what a builder leaves unfinished. A gate is a
function that is called before and after each AWS call, and can raise an error.
"""

from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from handlers.common.events import BatchFailures
from handlers.common.ids import ulid
from tests.handlers.ingestion.conftest import NOW
from tests.handlers.ingestion.fake_cloud import Cloud, Gate
from tests.handlers.ingestion.ingestion_harness import TIMEOUT, FaultGate, IngestionHarness, announce

MANIFEST_ID = ulid(NOW, 1)
NO_FAILURES: BatchFailures = {"batchItemFailures": []}


def failing_gate(harness: IngestionHarness, call: str, *, after_start: bool = False) -> Gate:
    """Return a gate at which all calls of an operation fail, or only those after the start of an execution."""

    def gate(point: str) -> None:
        if point == f"before {call}" and (harness.cloud.executions or not after_start):
            raise ReadTimeoutError(endpoint_url=call)

    return gate


def test_a_file_is_tracked_as_pending_with_everything_needed_to_read_it(harness: IngestionHarness) -> None:
    assert harness.builder().handle(announce("a")) == NO_FAILURES
    (item,) = harness.cloud.files().values()
    assert item.pop("open_shard")["S"] in {"pending#0", "pending#1"}
    assert item == {
        "date_prefix": {"S": "2026-01-02"},
        "file_key": {"S": "incoming/a.ndjson#v1"},
        "status": {"S": "pending"},
        "open_since": {"S": "2026-01-02T12:00:10.123Z"},
        "bucket": {"S": "landing"},
        "object_key": {"S": "incoming/a.ndjson"},
        "version_id": {"S": "v1"},
        "size": {"N": "3"},
        "etag": {"S": "e"},
        "arrived_at": {"S": "2026-01-02T12:00:00.000Z"},
        "tracked_at": {"S": "2026-01-02T12:00:10.123Z"},
        "ttl": {"N": str(int(NOW.timestamp()) + 400 * 86_400)},
        "schemaVersion": {"N": "1"},
    }


def test_a_retried_message_tracks_the_file_once_and_does_not_change_its_status(harness: IngestionHarness) -> None:
    harness.files_per_manifest = 1
    harness.builder().handle(announce("a") * 2)
    before = dict(harness.cloud.items)
    assert harness.statuses() == ["manifested"]
    for _ in range(2):
        assert harness.builder().handle(announce("a")) == NO_FAILURES
    assert harness.cloud.items == before


def test_only_the_failed_messages_of_a_batch_are_delivered_again(harness: IngestionHarness) -> None:
    messages = [*announce("a"), {"messageId": "bad", "body": "not json"}, *announce("b")]
    failures = harness.builder(FaultGate(1, TIMEOUT)).handle(messages)
    assert failures == {"batchItemFailures": [{"itemIdentifier": "a"}, {"itemIdentifier": "bad"}]}
    assert [key[1] for key in harness.cloud.files()] == ["incoming/b.ndjson#v1"]


def test_a_file_that_cannot_be_processed_is_rejected_with_its_reason(harness: IngestionHarness) -> None:
    harness.files_per_manifest = 1
    assert harness.builder().handle(announce("a", size=0)) == NO_FAILURES
    (item,) = harness.cloud.files().values()
    assert (item["status"]["S"], item["reason"]["S"]) == ("rejected", "EMPTY")
    assert "open_shard" not in item, "a rejected file is not open"
    assert not harness.cloud.executions


@pytest.mark.parametrize(
    "changes",
    [{"eventName": "ObjectCreated:CompleteMultipartUpload"}, {"eventTime": "2026-01-02T11:30:00.000Z"}],
    ids=["multipart", "late"],
)
def test_a_late_or_multipart_file_is_not_tracked_again_under_an_adjacent_date(
    harness: IngestionHarness, changes: dict[str, Any]
) -> None:
    """The version may have been recorded after an announcement with the date in S3's list, or in S3's notification."""
    recorded_key = ("2026-01-01", "incoming/a.ndjson#v1")
    harness.cloud.put(recorded_key, {"file_key": {"S": recorded_key[1]}, "status": {"S": "processed"}})
    assert harness.builder().handle(announce("a", **changes)) == NO_FAILURES
    assert list(harness.cloud.items) == [recorded_key]


def test_a_full_manifest_is_listed_started_and_recorded_and_its_files_are_marked(harness: IngestionHarness) -> None:
    harness.builder().handle(announce("a", "b", "c", "d"))
    manifest = harness.documents().read(MANIFEST_ID)
    assert manifest is not None
    assert harness.waiting_executions == [manifest.execution_name]
    record = harness.cloud.manifests()["2026-01-02", f"MANIFEST#{MANIFEST_ID}"]
    assert record["execution_arn"]["S"].endswith(f":{manifest.execution_name}")
    assert (record["status"]["S"], record["file_count"]["N"]) == ("running", "3")
    listed_keys = {file.file_key for file in manifest.files}
    assert {key[1]: item["status"]["S"] for key, item in harness.cloud.files().items()} == {
        f"incoming/{name}.ndjson#v1": "manifested" if f"incoming/{name}.ndjson#v1" in listed_keys else "pending"
        for name in "abcd"
    }


@pytest.mark.parametrize(
    ("sizes", "files_in_manifest"),
    [
        ([4, 4, 3], 2),
        ([4, 4, 2], 3),
        ([11, 1, 1], 1),  # the first file alone exceeds the limit
        ([1, 11, 1], 1),
    ],
)
def test_a_manifest_does_not_exceed_the_size_limit_and_the_other_files_keep_their_position(
    harness: IngestionHarness, sizes: list[int], files_in_manifest: int
) -> None:
    harness.manifest_bytes = 10
    for number, size in enumerate(sizes):
        harness.builder().track_files(announce(str(number), size=size))
        harness.cloud.advance_time(1)
    before = harness.cloud.files()
    harness.builder().create_manifests()
    other_files = len(sizes) - files_in_manifest
    assert harness.statuses() == ["manifested"] * files_in_manifest + ["pending"] * other_files
    after = harness.cloud.files()
    assert [after[key] == before[key] for key in before] == [False] * files_in_manifest + [True] * other_files


@pytest.mark.parametrize(
    ("max_bytes", "manifests"), [(10**9, 2), (6, 3)], ids=["three files per manifest", "two files per manifest"]
)
def test_a_backlog_becomes_several_manifests_in_one_invocation(
    harness: IngestionHarness, max_bytes: int, manifests: int
) -> None:
    harness.manifest_bytes = max_bytes
    harness.builder().handle(announce(*"abcdefg"))
    assert sorted(harness.statuses()) == ["manifested"] * 6 + ["pending"]
    assert len(harness.cloud.executions) == manifests


def test_a_builder_that_flushes_at_once_puts_every_file_into_a_manifest(harness: IngestionHarness) -> None:
    builder = replace(harness.builder(), flush_at_once=True)
    builder.handle(announce("a", "b", "c", "d"))
    assert (harness.statuses(), len(harness.cloud.executions)) == (["manifested"] * 4, 2)
    builder.handle(announce("e"))
    assert harness.statuses() == ["manifested"] * 5


def test_a_flush_continues_with_the_other_files_if_another_builder_claims_the_oldest(harness: IngestionHarness) -> None:
    builder = harness.builder()
    builder.track_files(announce("a"))
    harness.cloud.advance_time(1)
    builder.track_files(announce("b"))
    oldest = harness.table().list_pending(1)[0]

    def claim_oldest_for_another_builder(point: str) -> None:
        if point == "before UpdateItem":
            harness.table().claim(oldest.id, "another builder's manifest")

    replace(harness.builder(claim_oldest_for_another_builder), flush_at_once=True).create_manifests()
    assert harness.statuses() == ["claimed", "manifested"]


def test_a_refused_start_changes_no_record_and_is_repeated_with_the_next_batch(harness: IngestionHarness) -> None:
    harness.builder().track_files(announce("a", "b", "c"))
    before = dict(harness.cloud.items)
    harness.cloud.next_starts.append("refused")
    assert harness.builder().handle([]) == NO_FAILURES
    assert harness.cloud.items == before, "the records are unchanged, with position and age"
    harness.builder().handle([])
    assert harness.statuses() == ["manifested"] * 3
    assert len(harness.cloud.executions) == 1


def test_after_a_start_with_unknown_outcome_the_files_stay_claimed_for_the_sweeper(harness: IngestionHarness) -> None:
    harness.cloud.next_starts.append("lost")
    assert harness.builder().handle(announce("a", "b", "c")) == NO_FAILURES, (
        "the files are tracked, so no message must be delivered again"
    )
    assert harness.statuses() == ["claimed"] * 3


def test_an_execution_that_already_exists_counts_as_started(harness: IngestionHarness) -> None:
    harness.cloud.next_starts.append("exists")
    harness.builder().handle(announce("a", "b", "c"))
    assert harness.manifest()["status"] == "running"


def test_a_manifest_record_that_cannot_be_written_is_logged_and_fails_no_message(
    capsys: pytest.CaptureFixture[str],
) -> None:
    harness = IngestionHarness(Cloud(NOW), "ERROR")
    gate = failing_gate(harness, "UpdateItem", after_start=True)
    assert harness.builder(gate).handle(announce("a", "b", "c")) == NO_FAILURES
    assert len(harness.cloud.executions) == 1
    assert harness.statuses() == ["claimed"] * 3, (
        "the sweeper finds claimed files, but manifested files only through their manifest's record"
    )
    assert '"manifest_record_failed"' in capsys.readouterr().out


@pytest.mark.parametrize("call", ["UpdateItem", "PutObject"], ids=["while claiming files", "while writing the list"])
def test_an_error_before_the_start_fails_no_message_and_leaves_the_files_pending(
    harness: IngestionHarness, call: str
) -> None:
    assert harness.builder(failing_gate(harness, call)).handle(announce("a", "b", "c")) == NO_FAILURES
    assert harness.statuses() == ["pending"] * 3
    assert not harness.cloud.executions

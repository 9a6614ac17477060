"""Manifest builder: it tracks each version of a file once, returns only failed messages, and creates full manifests.

A manifest is a list of files, here of three, for which the builder starts a workflow execution before it takes them.
"""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.common.events import BatchFailures
from handlers.common.ids import ulid
from handlers.ingestion.files import ListedFile
from handlers.ingestion.manifest_creation import group_files
from handlers.ingestion.manifest_s3_keys import first_list_key
from handlers.ingestion.manifests import Manifest
from tests.handlers.ingestion.conftest import NOW
from tests.handlers.ingestion.fake_cloud import Cloud, arn
from tests.handlers.ingestion.ingestion_harness import TIMEOUT, FaultGate, IngestionHarness, announce

MANIFEST_ID = ulid(NOW, 1)
NO_FAILURES: BatchFailures = {"batchItemFailures": []}


def test_a_retried_message_tracks_the_file_once(capsys: pytest.CaptureFixture[str]) -> None:
    harness = IngestionHarness(Cloud(NOW), "INFO")
    harness.manifest_bytes = 3
    harness.builder(flush_at_once=True).handle(announce("a") * 2)
    before = dict(harness.cloud.items)
    assert harness.statuses() == ["manifested"]
    assert harness.builder().handle(announce("a")) == NO_FAILURES
    assert harness.cloud.items == before
    lines = [line for line in capsys.readouterr().out.splitlines() if "file_already_tracked" in line]
    assert [json.loads(line)["level"] for line in lines] == ["INFO"] * 2, "a repeated message is not an error"


def test_step_functions_always_starts_before_manifest_creation(harness: IngestionHarness) -> None:
    """Then the manifest gets its record, which names the execution, and only then the files become `manifested`."""
    states: list[tuple[bool, bool, bool]] = []

    def gate(_: str) -> None:
        is_taken = "manifested" in harness.statuses()
        states.append((bool(harness.cloud.executions), bool(harness.cloud.manifests()), is_taken))

    harness.builder(gate).handle(announce("a", "b", "c", "d"))
    assert list(dict.fromkeys(states)) == [tuple(step < done for step in range(3)) for done in range(4)]
    assert harness.waiting_executions == [MANIFEST_ID]
    record = harness.cloud.manifests()["2026-01-02", f"MANIFEST#{MANIFEST_ID}"]
    assert (record["status"], record["execution_arn"], record["file_count"]) == ("running", arn(MANIFEST_ID), 3)
    manifest = harness.manifests().documents.read(first_list_key(MANIFEST_ID), Manifest)
    assert manifest is not None
    assert [file.object_key for file in manifest.files] == [f"incoming/{name}.ndjson" for name in "abc"]
    assert harness.statuses() == ["manifested"] * 3 + ["pending"]


def test_only_messages_that_fail_are_delivered_again_and_not_those_with_a_rejected_file(
    harness: IngestionHarness,
) -> None:
    messages = [*announce("a"), {"messageId": "bad", "body": "not json"}, *announce("b", size=1001)]
    failures = harness.builder(FaultGate(1, TIMEOUT)).handle(messages)
    assert failures == {"batchItemFailures": [{"itemIdentifier": "a"}, {"itemIdentifier": "bad"}]}
    [((_, key), item)] = harness.cloud.files().items()
    assert (key, item["status"], item["reason"]) == ("incoming/b.ndjson#v1", "rejected", "TOO_LARGE")
    assert "open_shard" not in item, "a rejected file is not open"


@given(st.lists(st.integers(1, 12)), st.integers(1, 4))
def test_groups_keep_the_order_and_the_limits_and_only_the_last_has_room(sizes: list[int], max_files: int) -> None:
    names = dict.fromkeys(("bucket", "object_key", "version_id", "arrived_at", "date_prefix", "open_since"), "")
    pending = [ListedFile(file_key=str(number), size=size, **names) for number, size in enumerate(sizes)]
    groups = group_files(pending, max_files, 10)
    assert [file for group in groups for file in group] == pending
    for number, group in enumerate(groups):
        group_bytes = sum(file.size for file in group)
        assert len(group) <= max_files
        assert group_bytes <= 10 or len(group) == 1
        if number + 1 < len(groups):
            assert len(group) == max_files or group_bytes + groups[number + 1][0].size > 10


@pytest.mark.parametrize(("max_bytes", "pending_count"), [(10**9, 34 - 10 * 3), (6, 34 - 10 * 2)])
def test_one_invocation_creates_at_most_ten_manifests_of_a_backlog(
    harness: IngestionHarness, max_bytes: int, pending_count: int
) -> None:
    harness.manifest_bytes = max_bytes
    harness.builder().handle(announce(*map(str, range(34))))
    assert harness.statuses().count("pending") == pending_count
    assert len(harness.cloud.executions) == 10


def test_a_flush_continues_if_another_builder_takes_the_oldest_file(harness: IngestionHarness) -> None:
    harness.builder().handle(announce("a", "b"))
    (oldest, _) = harness.manifests().files.list_pending(2)

    def take_oldest(point: str) -> None:
        if point == "before PutObject":
            harness.manifests().files.take(oldest, "another manifest", from_failed=False)

    harness.builder(take_oldest, flush_at_once=True).handle([])
    assert harness.statuses() == ["manifested"] * 2
    assert len(harness.cloud.executions) == 2, "the first execution gets no part of the other manifest's files"


@pytest.mark.parametrize(
    ("call", "event", "executions"), [("UpdateItem", "manifest_record_failed", 1), ("Query", "building_failed", 0)]
)
def test_a_manifest_that_cannot_be_recorded_or_created_is_logged_and_fails_no_message(
    call: str, event: str, executions: int, capsys: pytest.CaptureFixture[str]
) -> None:
    harness = IngestionHarness(Cloud(NOW), "ERROR")

    def refuse_call(point: str) -> None:
        if point == f"before {call}":
            raise TIMEOUT

    assert harness.builder(refuse_call).handle(announce("a", "b", "c")) == NO_FAILURES
    assert len(harness.cloud.executions) == executions
    assert harness.statuses() == ["pending"] * 3, "the sweeper finds manifested files only through their manifest"
    assert f'"{event}"' in capsys.readouterr().out

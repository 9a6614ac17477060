"""Reconciliation, the daily comparison of the landing bucket with the file table.

It tracks (records in the table) versions whose notification was lost, and tracks no version twice.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import md5
from typing import Any

import pytest

from handlers.ingestion.arrived_files import ArrivedFile
from handlers.ingestion.file_admission import AdmissionRules
from handlers.ingestion.sweeper.reconciliation import (
    LandingBucket,
    ListingPosition,
    Reconciler,
    ReconciliationCounts,
    ReconciliationProgress,
    ReconciliationState,
)
from tests.handlers.ingestion.conftest import MotoAws
from tests.handlers.ingestion.fake_cloud import Cloud, FakeDynamoDB
from tests.handlers.ingestion.ingestion_harness import IngestionHarness, open_gate

NOW = datetime(2026, 1, 10, 1, 0, tzinfo=UTC)


class FakeLandingBucket:
    """Replacement for `LandingBucket` with these pages. Each page takes some seconds of the cloud's time."""

    def __init__(self, pages: list[list[ArrivedFile]], cloud: Cloud, seconds: float = 0) -> None:
        self.pages, self.cloud, self.seconds = pages, cloud, seconds
        self.listed_pages: list[int] = []

    def list_page(self, start: ListingPosition | None) -> tuple[list[ArrivedFile], ListingPosition | None]:
        number = int(start.version_id) if start else 0
        self.listed_pages.append(number)
        self.cloud.advance_time(self.seconds)
        is_last = number + 1 >= len(self.pages)
        return self.pages[number], None if is_last else ListingPosition("incoming/ü", str(number + 1))


def version(name: str, age: timedelta, **changes: Any) -> ArrivedFile:
    """Return a version of a file that arrived this time before `NOW`."""
    values = {"bucket": "landing", "version_id": "v1", "size": 1, "etag": "e", "arrived": NOW - age, **changes}
    return ArrivedFile(key=f"incoming/{name}.ndjson", **values)


@pytest.fixture
def cloud() -> Cloud:
    return Cloud(NOW)


def reconciler(cloud: Cloud, bucket: Any) -> Reconciler:
    harness = IngestionHarness(cloud)
    return Reconciler(
        harness.table(),
        bucket,
        ReconciliationState(harness.clients(open_gate).dynamodb, "files"),
        AdmissionRules.from_setting(".ndjson", 10),
        **harness.shared,
        look_back=timedelta(days=2),
        budget=timedelta(seconds=60),
    )


HOUR = timedelta(hours=1)


def test_a_version_without_notification_is_tracked_and_counted(cloud: Cloud) -> None:
    tracked_version, lost_version = version("tracked", 5 * HOUR), version("lost", 5 * HOUR)
    too_large = version("large", 5 * HOUR, size=11)
    IngestionHarness(cloud).table().track(tracked_version)
    counts = reconciler(cloud, FakeLandingBucket([[tracked_version, lost_version], [too_large]], cloud)).start()
    assert counts == ReconciliationCounts(checked=3, missing=2)
    statuses = {key[1]: item["status"]["S"] for key, item in cloud.files().items()}
    assert statuses == {
        "incoming/tracked.ndjson#v1": "pending",
        "incoming/lost.ndjson#v1": "pending",
        "incoming/large.ndjson#v1": "rejected",
    }


@pytest.mark.parametrize("days", [-1, 1])
def test_a_version_recorded_under_an_adjacent_date_is_not_tracked_again(cloud: Cloud, days: int) -> None:
    """S3's list has the start of a multipart upload, and its notification the end. Around midnight the dates differ."""
    listed_version = version("parts", 3 * HOUR)
    IngestionHarness(cloud).table().track(version("parts", 3 * HOUR - timedelta(days=days)))
    assert reconciler(cloud, FakeLandingBucket([[listed_version]], cloud)).start() == ReconciliationCounts(
        checked=1, missing=0
    )
    assert len(cloud.files()) == 1


def test_versions_that_are_too_young_or_too_old_are_ignored(cloud: Cloud) -> None:
    too_young, too_old = version("young", HOUR / 2), version("old", timedelta(days=2, minutes=1))
    assert reconciler(cloud, FakeLandingBucket([[too_young, too_old]], cloud)).start() == ReconciliationCounts()
    assert not cloud.files()


def test_a_large_bucket_is_compared_in_several_invocations(cloud: Cloud) -> None:
    bucket = FakeLandingBucket([[version(str(number), 5 * HOUR)] for number in range(5)], cloud, seconds=31)
    reconciliation = reconciler(cloud, bucket)
    assert [reconciliation.start().missing, *(reconciliation.resume().missing for _ in range(3))] == [2, 2, 1, 0]
    assert bucket.listed_pages == [0, 1, 2, 3, 4]
    assert len(cloud.files()) == 5


def test_a_second_start_continues_the_current_reconciliation(cloud: Cloud) -> None:
    bucket = FakeLandingBucket([[], [], []], cloud, seconds=61)
    for _ in range(2):
        reconciler(cloud, bucket).start()
    assert bucket.listed_pages == [0, 1]


def test_days_without_reconciliation_are_included_in_the_next_one(cloud: Cloud) -> None:
    reconciler(cloud, FakeLandingBucket([[]], cloud)).start()
    cloud.advance_time(5 * 86_400)
    lost_version = version("lost", timedelta(days=-1))
    assert reconciler(cloud, FakeLandingBucket([[lost_version]], cloud)).start().missing == 1


def test_of_two_concurrent_reconciliations_only_one_can_store_its_progress(cloud: Cloud) -> None:
    client: Any = FakeDynamoDB(cloud, open_gate)
    state = ReconciliationState(client, "files")
    before = ReconciliationProgress(started=NOW, since=NOW, pages=0, position=None, done=False)
    assert state.put(before, None)
    after = replace(before, pages=1, position=ListingPosition("a", "1"))
    assert state.put(after, before)
    assert not state.put(after, before)
    assert state.get() == after


def test_a_real_bucket_is_listed_version_by_version_and_page_by_page(aws: MotoAws) -> None:
    for key in ("incoming/a b+ü%.ndjson", "incoming/b.ndjson", "incoming/b.ndjson", "elsewhere/c.ndjson"):
        aws.s3.put_object(Bucket="landing", Key=key, Body=b"{}")
    aws.s3.delete_object(Bucket="landing", Key="incoming/b.ndjson")
    for page_size in (1000, 2):
        landing = LandingBucket(aws.s3, "landing", "incoming/", page_size)
        listed_files, position = landing.list_page(None)
        while position is not None:
            files, position = landing.list_page(position)
            listed_files += files
        assert sorted(file.key for file in listed_files) == ["incoming/a b+ü%.ndjson", *["incoming/b.ndjson"] * 2]
        assert len({file.version_id for file in listed_files}) == 3
        assert {(file.size, file.etag) for file in listed_files} == {(2, md5(b"{}", usedforsecurity=False).hexdigest())}
        assert all(file.arrived <= datetime.now(UTC) for file in listed_files)

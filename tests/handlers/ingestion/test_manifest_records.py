"""Manifest records: the status of a manifest (a list of files) and its workflow execution.

The first caller creates the record. An ended manifest begins again only by a redrive, a new execution after a failure.
"""

from datetime import timedelta
from typing import Any

import pytest

from handlers.common.ids import ulid
from handlers.ingestion.manifest_records import ManifestRecords, record_id
from handlers.ingestion.status_transitions import ManifestStatus
from tests.handlers.ingestion.conftest import NOW
from tests.handlers.ingestion.fake_cloud import arn

MANIFEST_ID = ulid(NOW, 7)
FIRST_EXECUTION, REDRIVE_EXECUTION = arn(f"{MANIFEST_ID}-{'0' * 16}"), arn(f"{MANIFEST_ID}-{'0' * 16}-r1")
LATER = NOW + timedelta(hours=1)


@pytest.fixture
def records(dynamodb: Any) -> ManifestRecords:
    return ManifestRecords(dynamodb, "files", 400, lambda: NOW)


def status(records: ManifestRecords) -> str:
    record = records.get(MANIFEST_ID)
    assert record is not None
    return record.status


def test_a_record_is_found_by_the_manifest_id_and_a_repeated_begin_changes_nothing(
    records: ManifestRecords, dynamodb: Any
) -> None:
    assert records.get(MANIFEST_ID) is None
    assert records.begin(MANIFEST_ID, FIRST_EXECUTION, 200)
    before = dynamodb.get_item(TableName="files", Key=record_id(MANIFEST_ID).key)["Item"]
    assert records.begin(MANIFEST_ID, FIRST_EXECUTION, 200)
    assert dynamodb.get_item(TableName="files", Key=record_id(MANIFEST_ID).key)["Item"] == before
    assert (status(records), record_id(MANIFEST_ID).date_prefix) == ("running", "2026-01-02")


@pytest.mark.parametrize("end", [ManifestStatus.PROCESSED, ManifestStatus.FAILED])
def test_a_late_builder_does_not_reopen_an_ended_manifest(records: ManifestRecords, end: ManifestStatus) -> None:
    records.begin(MANIFEST_ID, FIRST_EXECUTION, 200)
    assert records.end(MANIFEST_ID, FIRST_EXECUTION, end, {"processed": 200})
    assert not records.begin(MANIFEST_ID, FIRST_EXECUTION, 200)
    assert status(records) == end
    assert records.begin(MANIFEST_ID, REDRIVE_EXECUTION, 200, redrive=1) is (end is ManifestStatus.FAILED), (
        "only a failed manifest can be redriven"
    )


def test_running_manifests_are_found_by_age_and_ended_manifests_are_not(records: ManifestRecords) -> None:
    records.begin(MANIFEST_ID, FIRST_EXECUTION, 200)
    assert records.list_running(NOW) == []
    assert records.list_running(LATER) == [(MANIFEST_ID, FIRST_EXECUTION)]
    records.end(MANIFEST_ID, FIRST_EXECUTION, ManifestStatus.PROCESSED, {})
    assert records.list_running(LATER) == []


def test_after_a_redrive_the_first_execution_cannot_change_the_manifest(records: ManifestRecords) -> None:
    records.begin(MANIFEST_ID, FIRST_EXECUTION, 200)
    assert not records.begin(MANIFEST_ID, REDRIVE_EXECUTION, 200, redrive=1), "only a failed manifest can be redriven"
    records.end(MANIFEST_ID, FIRST_EXECUTION, ManifestStatus.FAILED, {}, "WHY")
    assert records.begin(MANIFEST_ID, REDRIVE_EXECUTION, 200, redrive=1)
    assert not records.end(MANIFEST_ID, FIRST_EXECUTION, ManifestStatus.FAILED, {}, "WHY")
    assert not records.begin(MANIFEST_ID, FIRST_EXECUTION, 200)
    assert status(records) == "running"
    assert records.list_running(LATER) == [(MANIFEST_ID, REDRIVE_EXECUTION)]

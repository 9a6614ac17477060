"""Arrived files: the keys of their records in the file table."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.ingestion.arrived_files import MAX_SORT_KEY_BYTES, ArrivedFile, parse_arrived_files
from tests.handlers.ingestion.s3_messages import body, record


def arrived_file(key: str = "incoming/a.ndjson", size: int = 1) -> ArrivedFile:
    arrived = datetime(2026, 1, 2, 12, tzinfo=UTC)
    return ArrivedFile(bucket="landing", key=key, version_id="v1", size=size, etag="e", arrived=arrived)


def test_each_version_is_a_separate_file_under_the_utc_date_of_its_event() -> None:
    older_record, newer_record = record(eventTime="2026-01-02T23:30:00-02:00"), record()
    newer_record["s3"]["object"]["versionId"] = "v2"
    assert [(file.arrival_date, file.sort_key) for file in parse_arrived_files(body(older_record, newer_record))] == [
        ("2026-01-03", "incoming/a.ndjson#v1"),
        ("2026-01-02", "incoming/a.ndjson#v2"),
    ]


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200))
def test_every_key_gives_a_short_record_key(key: str) -> None:
    assert len(arrived_file(key * 6).sort_key.encode()) <= MAX_SORT_KEY_BYTES


@pytest.mark.parametrize(
    "key", ["k" * 1022, "MANIFEST#1", "sha256:x"], ids=["too long", "like the key of a manifest", "like a hash"]
)
def test_a_key_that_cannot_be_a_record_key_is_hashed_with_its_version(key: str) -> None:
    file = arrived_file(key)
    assert (file.sort_key[:7], len(file.sort_key), file.key) == ("sha256:", 7 + 64, key)
    assert arrived_file("k" * 1021).sort_key == "k" * 1021 + "#v1"

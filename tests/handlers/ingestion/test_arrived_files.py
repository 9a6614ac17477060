"""Arrived files: parsing of S3 notifications with any key, record keys, and admission rules."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.common.aws.s3_notifications import InvalidEvent
from handlers.ingestion.arrived_files import (
    MAX_SORT_KEY_BYTES,
    AdmissionRules,
    ArrivedFile,
    FileRejection,
    arrived_files,
)
from handlers.ingestion.environment_bases import ALLOWED_SUFFIXES
from tests.handlers.ingestion.s3_messages import body, record

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


@given(st.text(min_size=1, max_size=200).filter(lambda key: "\x00" not in key and key.encode("utf-8", "ignore")))
def test_every_key_is_decoded_to_the_uploaded_key(key: str) -> None:
    key = key.encode("utf-8", "ignore").decode() or "a"
    (file,) = arrived_files(body(record(key)))
    assert file.key == key
    assert len(file.file_key.encode()) <= MAX_SORT_KEY_BYTES


def test_the_partition_is_the_utc_date_of_the_event() -> None:
    (file,) = arrived_files(body(record(eventTime="2026-01-02T23:30:00-02:00")))
    assert file.date_prefix == "2026-01-03"


def test_each_version_is_a_separate_file() -> None:
    older, newer = record(), record()
    newer["s3"]["object"]["versionId"] = "v2"
    first, second = arrived_files(body(older, newer))
    assert (first.file_key, second.file_key) == ("incoming/a.ndjson#v1", "incoming/a.ndjson#v2")


def test_a_key_too_long_for_the_table_is_hashed_with_its_version() -> None:
    key = "incoming/" + "k" * (1024 - len("incoming/"))
    (file,) = arrived_files(body(record(key)))
    assert file.file_key.startswith("sha256:")
    assert len(file.file_key) == len("sha256:") + 64
    assert file.key == key


def test_files_of_an_unversioned_bucket_have_the_version_null() -> None:
    plain = record()
    del plain["s3"]["object"]["versionId"]
    (file,) = arrived_files(body(plain))
    assert file.version_id == "null"


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent"}),
        body(record(eventName="ObjectRemoved:Delete")),
        body(),
    ],
)
def test_test_events_and_other_events_announce_no_file(text: str) -> None:
    assert list(arrived_files(text)) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not json",
        "[]",
        "1",
        "{}",
        '{"Records": 3}',
        '{"Records": [{}]}',
        '{"Records": ["x"]}',
        pytest.param("[" * 100_000, id="too deep"),
        pytest.param('{"Records": [], "more": ' + "1" * 5000 + "}", id="too long a number"),
    ],
)
def test_a_message_that_is_not_a_notification_is_refused(text: str) -> None:
    with pytest.raises(InvalidEvent):
        list(arrived_files(text))


def test_an_error_does_not_quote_the_message() -> None:
    with pytest.raises(InvalidEvent) as error:
        list(arrived_files(json.dumps({"Records": [{"s3": {"object": {"key": "canary"}}}]})))
    assert "canary" not in str(error.value)


LIMIT = 5 * 1024**3


def refused(suffixes: str, key: str, size: int = 1) -> FileRejection | None:
    file = ArrivedFile(bucket="landing", key=key, version_id="v1", size=size, etag="e", arrived=NOON)
    return AdmissionRules.from_setting(suffixes, LIMIT).find_rejection(file)


def test_suffixes_are_compared_without_case_and_others_are_rejected() -> None:
    for name in ("a.ndjson", "a.NDJSON", "a.json.gz", "a.b.JsonL", "ü 日.ndjson.GZ", ".jsonl"):
        assert refused(ALLOWED_SUFFIXES, f"incoming/{name}") is None
    for name in ("a", "a.csv", "a.ndjson.zip", "ndjson", "a.ndjson/"):
        assert refused(ALLOWED_SUFFIXES, f"incoming/{name}") is FileRejection.SUFFIX_NOT_ALLOWED
        assert refused(" , ", name) is None, "an empty list allows all suffixes"


@pytest.mark.parametrize(
    ("size", "refusal"), [(0, FileRejection.EMPTY), (1, None), (LIMIT, None), (LIMIT + 1, "TOO_LARGE")]
)
def test_a_file_has_at_least_one_byte_and_at_most_the_limit(size: int, refusal: str | None) -> None:
    assert refused("", "a", size) == refusal

"""Tests of the events that functions receive: the values that are read from them, refused events, and redeliveries by SQS."""

import json
from datetime import UTC, datetime
from typing import Any
from unittest.mock import Mock

import pytest

from handlers.common.events import (
    OBJECT_CREATED,
    S3_SOURCE,
    InvalidEvent,
    NotifiedObject,
    is_later,
    parse_new_objects,
    parse_object_created_event,
    process_batch,
)
from handlers.common.logging import EventLog
from tests.handlers.ingestion.s3_messages import body, record


def test_only_failed_messages_are_redelivered_and_the_log_counts_them(capsys: pytest.CaptureFixture[str]) -> None:
    process = Mock(side_effect=["valid", InvalidEvent("canary"), "valid", RuntimeError("canary"), "ignored"])
    messages = [{"messageId": f"id {number}", "body": f"body {number}"} for number in range(5)]
    answer: Any = process_batch(messages, process, EventLog("DEBUG"), event_kind="video")
    failed = [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]
    assert failed == ["id 1", "id 3"]
    process.assert_called_with("body 4")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line.get("error_type") for line in lines] == ["InvalidEvent", "RuntimeError", None]
    assert (lines[-1]["message"], lines[-1]["records"]) == ("video_batch", 5)
    assert (lines[-1]["ignored"], lines[-1]["failed"]) == (1, 2)
    assert "canary" not in json.dumps(lines)


def event(source: str = S3_SOURCE, detail_type: str = OBJECT_CREATED, bucket: str = "our-bucket", **fields: Any) -> str:
    detail = {"bucket": {"name": bucket}, "object": {"key": "canary/a b+c%20", "size": 0, **fields}}
    return json.dumps({"source": source, "detail-type": detail_type, "detail": detail})


def test_an_event_of_the_bus_has_the_key_unchanged_and_the_version() -> None:
    detail = parse_object_created_event(event(**{"version-id": "v.1"}), "our-bucket")
    assert (detail.key, detail.size, detail.version_id) == ("canary/a b+c%20", 0, "v.1")
    assert parse_object_created_event(event(), "our-bucket").version_id == "null", "the bucket has no versions"


@pytest.mark.parametrize(
    "text",
    [
        *("", "[" * 100_000, "{}", event(source="another"), event(detail_type="Object Deleted")),
        *(event(bucket="canary"), event(size="canary"), event(key="\ud800"), event(**{"version-id": "canary canary"})),
    ],
    ids=range(9),
)
def test_another_event_of_the_bus_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(?!.*canary)"):
        parse_object_created_event(text, "our-bucket")


def test_a_notification_has_all_fields_of_its_object_with_the_key_decoded_once() -> None:
    parts = record("a b+100% a%2Fb", eventName="ObjectCreated:CompleteMultipartUpload")
    del parts["s3"]["object"]["versionId"]
    parts["s3"]["object"] |= {"sequencer": "0055AED6DCD90281E5", "size": 0}
    arrived = datetime(2026, 1, 2, 23, 30, tzinfo=UTC)
    fields: dict[str, Any] = {"bucket": "landing", "etag": "e", "arrived": arrived}
    assert parse_new_objects(body(record("\u6771\n"), parts)) == [
        NotifiedObject(**fields, key="\u6771\n", size=3, version_id="v1"),
        NotifiedObject(**fields, key="a b+100% a%2Fb", size=0, version_id="null", sequencer="0055AED6DCD90281E5"),
    ]


def event_without_size(kind: str) -> str:
    changed = record(eventName=kind)
    del changed["s3"]["object"]["size"]
    return body(changed)


def test_test_events_and_other_events_announce_no_object() -> None:
    test_event = json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent"})
    for text in (test_event, event_without_size("ObjectRemoved:Delete"), body()):
        assert parse_new_objects(text) == []


@pytest.mark.parametrize(
    "text",
    [
        *("", "{}", '{"Records": [{}]}', "[" * 100_000, event_without_size("ObjectCreated:Put")),
        json.dumps({"Records": [{"s3": {"object": {"key": "canary"}}}]}),
    ],
    ids=range(6),
)
def test_a_message_that_is_not_a_notification_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises((ValueError, KeyError), match=r"^(?!.*canary)"):
        parse_new_objects(text)


def test_events_are_ordered_by_the_values_of_their_sequencers() -> None:
    assert is_later("10", "9")
    assert not is_later("0055AED6DC", "0055AED6DC")
    assert not is_later("9", "10")

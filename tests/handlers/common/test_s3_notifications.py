"""Tests of the parser for S3 notifications."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from handlers.common.events import InvalidEvent, NewObject, parse_new_objects
from tests.handlers.ingestion.s3_messages import body, record


def test_an_object_is_parsed_with_all_its_fields() -> None:
    (new_object,) = parse_new_objects(body(record("lectures/a b")))
    arrived = datetime(2026, 1, 2, 23, 30, tzinfo=UTC)
    assert new_object == NewObject(
        bucket="landing", key="lectures/a b", version_id="v1", size=3, etag="e", arrived=arrived, in_parts=False
    )


def test_a_multipart_upload_and_an_unversioned_bucket_are_recognised() -> None:
    event = record(eventName="ObjectCreated:CompleteMultipartUpload")
    del event["s3"]["object"]["versionId"]
    (new_object,) = parse_new_objects(body(event))
    assert (new_object.in_parts, new_object.version_id) == (True, "null")


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200))
@example("a b+100% a%2Fb")
def test_every_key_is_decoded_once(key: str) -> None:
    (new_object,) = parse_new_objects(body(record(key)))
    assert new_object.key == key


def test_objects_before_an_invalid_record_are_yielded() -> None:
    new_objects = parse_new_objects(json.dumps({"Records": [record("a"), {}]}))
    assert next(new_objects).key == "a"
    with pytest.raises(InvalidEvent):
        next(new_objects)


def event_without_size(kind: str) -> str:
    event = record(eventName=kind)
    del event["s3"]["object"]["size"]
    return body(event)


@pytest.mark.parametrize(
    "text",
    [json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent"}), event_without_size("ObjectRemoved:Delete"), body()],
)
def test_test_events_and_other_events_announce_no_object(text: str) -> None:
    assert list(parse_new_objects(text)) == []


@pytest.mark.parametrize(
    "text",
    [
        *("", "not json", "[]", "1", "{}", '{"Records": 3}', '{"Records": [{}]}', '{"Records": ["x"]}'),
        pytest.param("[" * 100_000, id="too deep"),
        pytest.param('{"Records": [], "more": ' + "1" * 5000 + "}", id="too long a number"),
        pytest.param(event_without_size("ObjectCreated:Put"), id="without a size"),
        json.dumps({"Records": [{"s3": {"object": {"key": "canary"}}}]}),
    ],
)
def test_a_message_that_is_not_a_notification_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(InvalidEvent) as caught:
        list(parse_new_objects(text))
    assert "canary" not in str(caught.value)


@given(
    st.recursive(st.none() | st.integers() | st.text(), lambda part: st.lists(part) | st.dictionaries(st.text(), part))
)
def test_any_json_is_parsed_or_refused(message: object) -> None:
    for text in (json.dumps(message), json.dumps({"Records": message}), json.dumps({"Records": [message]})):
        try:
            assert not list(parse_new_objects(text))
        except InvalidEvent:
            continue

"""Tests of the parser for S3 notifications."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.common.aws.s3_notifications import InvalidEvent, NewObject, parse_new_objects
from tests.handlers.ingestion.s3_messages import body, record


def test_an_object_is_parsed_with_all_its_fields() -> None:
    (one,) = parse_new_objects(body(record("lectures/a b")))
    arrived = datetime(2026, 1, 2, 23, 30, tzinfo=UTC)
    assert one == NewObject(
        bucket="landing", key="lectures/a b", version_id="v1", size=3, etag="e", arrived=arrived, in_parts=False
    )


def test_a_multipart_upload_is_recognised() -> None:
    (one,) = parse_new_objects(body(record(eventName="ObjectCreated:CompleteMultipartUpload")))
    assert one.in_parts


@pytest.mark.parametrize("key", ["a b", "a+b", "100%", "ü/日本.MOV", "a%2Fb", "a\nb"])
def test_awkward_keys_are_decoded_once(key: str) -> None:
    (one,) = parse_new_objects(body(record(key)))
    assert one.key == key


def test_objects_before_an_invalid_record_are_yielded() -> None:
    found = parse_new_objects(json.dumps({"Records": [record("a"), {}]}))
    assert next(found).key == "a"
    with pytest.raises(InvalidEvent):
        next(found)


def test_a_new_object_without_a_size_is_refused_and_a_removed_one_needs_none() -> None:
    lacking, removed = record(), record(eventName="ObjectRemoved:Delete")
    del lacking["s3"]["object"]["size"], removed["s3"]["object"]["size"]
    assert list(parse_new_objects(body(removed))) == []
    with pytest.raises(InvalidEvent):
        list(parse_new_objects(body(lacking)))


@given(
    st.recursive(st.none() | st.integers() | st.text(), lambda some: st.lists(some) | st.dictionaries(st.text(), some))
)
def test_any_json_is_parsed_or_refused(message: object) -> None:
    for text in (json.dumps(message), json.dumps({"Records": message}), json.dumps({"Records": [message]})):
        try:
            assert not list(parse_new_objects(text))
        except InvalidEvent:
            continue

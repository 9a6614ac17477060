"""What S3 announces, parsed: whatever the key looks like, and whatever else is in the queue."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.common.aws.s3_notifications import NewObject, NotAnEvent, new_objects
from tests.handlers.ingestion.s3_messages import body, record


def test_an_object_comes_with_all_that_is_said_of_it() -> None:
    (one,) = new_objects(body(record("lectures/a b")))
    arrived = datetime(2026, 1, 2, 23, 30, tzinfo=UTC)
    assert one == NewObject(
        bucket="landing", key="lectures/a b", version_id="v1", size=3, etag="e", arrived=arrived, in_parts=False
    )


def test_an_upload_in_parts_says_so() -> None:
    (one,) = new_objects(body(record(eventName="ObjectCreated:CompleteMultipartUpload")))
    assert one.in_parts


@pytest.mark.parametrize("key", ["a b", "a+b", "100%", "ü/日本.MOV", "a%2Fb", "a\nb"])
def test_awkward_keys_are_decoded_once(key: str) -> None:
    (one,) = new_objects(body(record(key)))
    assert one.key == key


def test_objects_before_a_bad_record_are_given() -> None:
    found = new_objects(json.dumps({"Records": [record("a"), {}]}))
    assert next(found).key == "a"
    with pytest.raises(NotAnEvent):
        next(found)


def test_a_new_object_without_a_size_is_refused_and_a_removed_one_needs_none() -> None:
    lacking, removed = record(), record(eventName="ObjectRemoved:Delete")
    del lacking["s3"]["object"]["size"], removed["s3"]["object"]["size"]
    assert list(new_objects(body(removed))) == []
    with pytest.raises(NotAnEvent):
        list(new_objects(body(lacking)))


@given(
    st.recursive(st.none() | st.integers() | st.text(), lambda some: st.lists(some) | st.dictionaries(st.text(), some))
)
def test_whatever_json_comes_is_an_event_or_refused(message: object) -> None:
    for text in (json.dumps(message), json.dumps({"Records": message}), json.dumps({"Records": [message]})):
        try:
            assert not list(new_objects(text))
        except NotAnEvent:
            continue

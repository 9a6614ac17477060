"""Tests of the parser for S3 events of EventBridge's default bus."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.common.events import (
    OBJECT_CREATED,
    S3_SOURCE,
    InvalidEvent,
    ObjectCreatedDetail,
    parse_object_created_event,
)


def event(source: str = S3_SOURCE, detail_type: str = OBJECT_CREATED, bucket: str = "our-bucket", **fields: Any) -> str:
    detail = {"bucket": {"name": bucket}, "object": {"key": "canary/a b+c%20", "size": 1, **fields}}
    return json.dumps({"source": source, "detail-type": detail_type, "detail": detail})


def test_a_created_object_is_parsed_with_its_key_unchanged() -> None:
    detail = parse_object_created_event(event(**{"version-id": "v.1"}), "our-bucket")
    assert (detail.key, detail.size, detail.version_id) == ("canary/a b+c%20", 1, "v.1")


def test_an_object_in_an_unversioned_bucket_has_the_null_version() -> None:
    assert parse_object_created_event(event(), "our-bucket").version_id == "null"


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[" * 100_000,
        "9" * 100_000,
        "[]",
        "{}",
        event(source="another"),
        event(detail_type="Object Deleted"),
        event(bucket="canary"),
        event(size=-1),
        event(size="canary"),
        event(key=None),
        event(key="\ud800"),
        event(**{"version-id": "canary canary"}),
    ],
)
def test_another_event_is_refused_and_not_quoted(body: str) -> None:
    with pytest.raises(InvalidEvent) as caught:
        parse_object_created_event(body, "our-bucket")
    assert "canary" not in str(caught.value)


@given(st.recursive(st.none() | st.integers() | st.text(), lambda values: st.dictionaries(st.text(), values)))
def test_any_detail_is_parsed_or_refused(detail: Any) -> None:
    for body in (
        json.dumps(detail),
        json.dumps({"source": S3_SOURCE, "detail-type": OBJECT_CREATED, "detail": detail}),
    ):
        with contextlib.suppress(InvalidEvent):
            assert isinstance(parse_object_created_event(body, "our-bucket"), ObjectCreatedDetail)

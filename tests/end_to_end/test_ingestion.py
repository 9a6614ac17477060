"""Ingestion's intake, driven from outside: the handler runs from the deployed zip, with its own role."""

import json
from typing import Any

import pytest

from tests.end_to_end.conftest import Platform, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("platform")]


def items(platform: Platform, key: str) -> list[dict[str, Any]]:
    found = platform.client("dynamodb").scan(TableName=platform.id("ingestion-files-table"))["Items"]
    return [one for one in found if one["object_key"]["S"] == key]


def drop(platform: Platform, key: str, body: bytes = b'{"a": 1}\n') -> str:
    bucket = platform.outputs["frontend"]["ingestion"]["bucket"]
    answer = platform.client("s3").put_object(Bucket=bucket, Key=key, Body=body)
    return str(answer["VersionId"])


def waiting(platform: Platform, queue: str) -> dict[str, int]:
    answer = platform.client("sqs").get_queue_attributes(
        QueueUrl=platform.id(queue),
        AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
    )
    return {name: int(value) for name, value in answer["Attributes"].items()}


def test_a_dropped_file_is_tracked_once_as_pending(platform: Platform) -> None:
    version = drop(platform, "incoming/one file+ü.ndjson")
    [item] = eventually(lambda: items(platform, "incoming/one file+ü.ndjson") or None, "the file's record")
    assert item["status"] == {"S": "pending"}
    assert item["version_id"] == {"S": version}
    assert item["size"] == {"N": "9"}


def test_a_file_outside_the_prefix_is_left_alone(platform: Platform) -> None:
    drop(platform, "elsewhere/two.ndjson")
    drop(platform, "incoming/after-two.ndjson")
    eventually(lambda: items(platform, "incoming/after-two.ndjson") or None, "the later file's record")
    assert items(platform, "elsewhere/two.ndjson") == []


def test_a_repeated_delivery_tracks_the_file_once(platform: Platform) -> None:
    drop(platform, "incoming/three.ndjson")
    [first] = eventually(lambda: items(platform, "incoming/three.ndjson") or None, "the file's record")
    record = {
        "eventName": "ObjectCreated:Put",
        "eventTime": first["arrived_at"]["S"],
        "s3": {
            "bucket": {"name": first["bucket"]["S"]},
            "object": {"key": "incoming/three.ndjson", "size": 9, "versionId": first["version_id"]["S"]},
        },
    }
    queue = platform.id("ingestion-intake-queue")
    platform.client("sqs").send_message(QueueUrl=queue, MessageBody=json.dumps({"Records": [record]}))
    eventually(
        lambda: True if not any(waiting(platform, "ingestion-intake-queue").values()) else None, "an empty queue"
    )
    assert items(platform, "incoming/three.ndjson") == [first], "nothing was added, and nothing was written over"


def test_a_message_that_is_no_event_is_given_back_and_parked(platform: Platform) -> None:
    sqs = platform.client("sqs")
    queue = platform.id("ingestion-intake-queue")
    before = waiting(platform, "ingestion-intake-dlq-queue")
    sqs.send_message(QueueUrl=queue, MessageBody="not JSON at all")
    eventually(
        lambda: waiting(platform, "ingestion-intake-queue")["ApproximateNumberOfMessagesNotVisible"] or None,
        "the message, refused and hidden until its next attempt",
    )
    assert waiting(platform, "ingestion-intake-dlq-queue") == before, "it has attempts left"

"""Tests of the class through which the meetings functions read and write small objects in S3."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from handlers.meetings.meeting_bucket import MeetingBucket
from tests.credentials import credentials
from tests.handlers.scripted_clients import stubbed

BUCKET, KEY = "recordings", "summaries/canary.json"


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    credentials(monkeypatch)
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket=BUCKET)
        yield s3


def test_an_object_is_read_up_to_one_byte_more_than_the_limit(client: Any) -> None:
    bucket = MeetingBucket(client, BUCKET)
    assert bucket.read(KEY, 10) is None
    bucket.write(KEY, "ä")
    assert bucket.read(KEY, 10) == "ä".encode()
    assert client.head_object(Bucket=BUCKET, Key=KEY)["ContentType"] == "application/json"
    bucket.write(KEY, "0123456789")
    assert bucket.read(KEY, 5) == b"012345", "the extra byte shows the caller that the object is too long"


def test_write_new_does_not_replace_an_existing_object(client: Any) -> None:
    bucket = MeetingBucket(client, BUCKET)
    assert bucket.write_new(KEY, "first")
    assert not bucket.write_new(KEY, "second")
    assert bucket.read(KEY, 10) == b"first"


@pytest.mark.parametrize(("code", "status"), [("AccessDenied", 403), ("ConditionalRequestConflict", 409)])
def test_other_errors_of_s3_pass(code: str, status: int) -> None:
    for operation in ("get_object", "put_object"):
        with stubbed("s3") as (client, stubber):
            stubber.add_client_error(operation, code, "", status)
            bucket = MeetingBucket(client, BUCKET)
            with pytest.raises(ClientError, match=code):
                bucket.read(KEY, 10) if operation == "get_object" else bucket.write_new(KEY, "x")

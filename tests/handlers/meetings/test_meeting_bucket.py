"""Tests of the class through which the meetings functions read and write small objects in S3."""

import io
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ReadTimeoutError
from moto import mock_aws

from handlers.meetings.meeting_bucket import MeetingBucket
from handlers.meetings.summary_errors import StorageFailed
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


@pytest.mark.parametrize(
    ("code", "status", "cause"),
    [
        ("AccessDenied", 403, "refused"),
        ("ConditionalRequestConflict", 409, "unavailable"),
    ],
)
def test_s3_errors_raise_storage_failed(code: str, status: int, cause: str) -> None:
    for operation in ("get_object", "put_object"):
        with stubbed("s3") as (client, stubber):
            stubber.add_client_error(operation, code, f"no access to {KEY}", status)
            bucket = MeetingBucket(client, BUCKET)
            with pytest.raises(StorageFailed, match=f"^{cause}$") as caught:
                bucket.read(KEY, 10) if operation == "get_object" else bucket.write(KEY, "x")
        assert caught.value.__context__ is None, "the original error contains the key"


def test_an_interrupted_download_raises_storage_failed() -> None:
    class InterruptedBody(io.BytesIO):
        def read(self, _size: int | None = -1, /) -> bytes:
            raise ReadTimeoutError(endpoint_url=KEY)

    class Client:
        def get_object(self, **_: str) -> dict[str, Any]:
            return {"Body": InterruptedBody()}

    client: Any = Client()
    with pytest.raises(StorageFailed, match=r"^timed_out$"):
        MeetingBucket(client, BUCKET).read(KEY, 10)

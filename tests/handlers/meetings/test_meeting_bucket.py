"""Tests of the S3 gateway for small objects."""

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
        made = boto3.client("s3", region_name="us-east-1")
        made.create_bucket(Bucket=BUCKET)
        yield made


def test_an_object_is_read_back_up_to_a_limit_and_one_extra_byte(client: Any) -> None:
    bucket = MeetingBucket(client, BUCKET)
    assert bucket.read(KEY, 10) is None
    bucket.write(KEY, "ä")
    assert bucket.read(KEY, 10) == "ä".encode()
    assert client.head_object(Bucket=BUCKET, Key=KEY)["ContentType"] == "application/json"
    bucket.write(KEY, "0123456789")
    assert bucket.read(KEY, 5) == b"012345"


def test_the_second_write_of_a_new_object_is_refused(client: Any) -> None:
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
        with stubbed("s3") as (stub, stubber):
            stubber.add_client_error(operation, code, f"not {KEY}", status)
            bucket = MeetingBucket(stub, BUCKET)
            with pytest.raises(StorageFailed, match=f"^{cause}$") as caught:
                bucket.read(KEY, 10) if operation == "get_object" else bucket.write(KEY, "x")
        assert caught.value.__context__ is None


def test_an_interrupted_body_raises_storage_failed() -> None:
    class Broken(io.BytesIO):
        def read(self, _size: int | None = -1, /) -> bytes:
            raise ReadTimeoutError(endpoint_url=KEY)

    class Client:
        def get_object(self, **_: str) -> dict[str, Any]:
            return {"Body": Broken()}

    client: Any = Client()
    with pytest.raises(StorageFailed, match=r"^timed_out$"):
        MeetingBucket(client, BUCKET).read(KEY, 10)

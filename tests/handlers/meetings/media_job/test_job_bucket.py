"""Tests of the class through which the media job accesses S3: downloads are repeated, and failed uploads leave nothing.

Each uploaded file has a recipe in its metadata, a text that describes how the file was made. By the recipe, a later job
recognises a file that it need not make again.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from handlers.meetings.media_job.job_bucket import JobBucket, JobObjectGone, ObjectTooLong, StoredMedia
from handlers.meetings.media_job.job_termination import JobTerminated
from tests.handlers.client_events import at_event
from tests.handlers.meetings.media_job.job_harness import BUCKET, JobHarness

MIN_PART_BYTES = 5 * 1024 * 1024
DATA = bytes(range(256)) * 4000
RECIPE, FFMPEG_MS = "1 a recipe", 1234
"""Metadata of an uploaded file: its recipe, and the time that ffmpeg took to make the file."""


@pytest.fixture
def bucket(harness: JobHarness) -> JobBucket:
    return JobBucket(harness.s3, BUCKET, harness.termination, MIN_PART_BYTES)


def test_an_interrupted_download_is_repeated(harness: JobHarness, bucket: JobBucket, tmp_path: Path) -> None:
    harness.s3.put_object(Bucket=BUCKET, Key="k", Body=bytes(2 * MIN_PART_BYTES))
    broken_ranges: list[str] = []

    def break_connection(http_response: Any, parsed: dict[str, Any], **_: Any) -> None:
        if len(broken_ranges) < 2:
            broken_ranges.append(parsed["ContentRange"])
            parsed["Body"] = BrokenBody()

    with at_event(harness.s3, "after-call.s3.GetObject", break_connection):
        bucket.download("k", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == bytes(2 * MIN_PART_BYTES)
    assert len(broken_ranges) == 2


class BrokenBody:
    """A response body whose connection breaks."""

    def read(self, *_: Any) -> bytes:
        raise ReadTimeoutError(endpoint_url="https://s3")


def test_an_object_replaced_during_the_download_raises_object_gone(
    harness: JobHarness, bucket: JobBucket, tmp_path: Path
) -> None:
    data = bytes(2 * MIN_PART_BYTES)
    harness.s3.put_object(Bucket=BUCKET, Key="k", Body=data)
    new_bodies = iter([data[:-1] + b"1"])

    def replace_once(**_: Any) -> None:
        for body in new_bodies:
            harness.s3.put_object(Bucket=BUCKET, Key="k", Body=body)

    with at_event(harness.s3, "before-call.s3.GetObject", replace_once), pytest.raises(JobObjectGone):
        bucket.download("k", tmp_path / "file")
    harness.s3.delete_object(Bucket=BUCKET, Key="k")
    with pytest.raises(JobObjectGone):
        bucket.download("k", tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_small_objects_have_a_size_limit_and_may_be_missing(harness: JobHarness, bucket: JobBucket) -> None:
    assert bucket.read("k", 10) is None
    assert bucket.find("k") is None
    harness.s3.put_object(Bucket=BUCKET, Key="k", Body=b"0123456789")
    assert bucket.read("k", 10) == b"0123456789"
    with pytest.raises(ObjectTooLong):
        bucket.read("k", 9)


def test_an_access_denied_error_does_not_count_as_a_missing_object(harness: JobHarness, bucket: JobBucket) -> None:
    """Without permission to list the bucket, S3 answers 403 for missing objects. This must not count as a missing
    chunk.
    """

    def raise_forbidden(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "403", "Message": "Forbidden"}}, "HeadObject")

    with at_event(harness.s3, "before-call.s3.HeadObject", raise_forbidden), pytest.raises(ClientError):
        bucket.find("k")


@pytest.mark.parametrize("size", [1, MIN_PART_BYTES, MIN_PART_BYTES + 1])
def test_an_uploaded_file_has_its_recipe_in_the_metadata(
    harness: JobHarness, bucket: JobBucket, tmp_path: Path, size: int
) -> None:
    path = tmp_path / "file"
    path.write_bytes(DATA[:256] * (size // 256) + DATA[: size % 256])
    bucket.upload("k", path, "video/mp4", RECIPE, FFMPEG_MS)
    assert harness.read_object("k") == path.read_bytes()
    assert bucket.find("k") == StoredMedia(size, RECIPE, FFMPEG_MS)
    assert harness.s3.head_object(Bucket=BUCKET, Key="k")["ContentType"] == "video/mp4"
    bucket.download("k", tmp_path / "downloaded")
    assert (tmp_path / "downloaded").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("interruption", ["UploadPart", "CompleteMultipartUpload", "connection error"])
def test_an_interrupted_upload_leaves_no_parts(
    harness: JobHarness, bucket: JobBucket, tmp_path: Path, interruption: str
) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(3 * MIN_PART_BYTES))

    def interrupt(params: dict[str, Any], **_: Any) -> None:
        if interruption != "connection error":
            harness.termination.request()
        elif params["query_string"].get("partNumber") == 2:
            raise ReadTimeoutError(endpoint_url="https://s3")
        if interruption == "CompleteMultipartUpload":
            raise JobTerminated

    operation = "UploadPart" if interruption == "connection error" else interruption
    interrupted_call = at_event(harness.s3, f"before-call.s3.{operation}", interrupt)
    with interrupted_call, pytest.raises((JobTerminated, ReadTimeoutError)):
        bucket.upload("k", path, "video/mp4", RECIPE, FFMPEG_MS)
    assert (harness.multipart_uploads(), harness.keys("")) == ([], [])


def test_no_request_is_sent_after_a_termination_request(harness: JobHarness, bucket: JobBucket, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x")
    harness.termination.request()
    requests: list[Callable[[], object]] = [
        lambda: bucket.read("k", 1),
        lambda: bucket.find("k"),
        lambda: bucket.write("k", b"x"),
        lambda: bucket.download("k", path),
        lambda: bucket.upload("k", path, "video/mp4", RECIPE, FFMPEG_MS),
    ]
    for request in requests:
        with pytest.raises(JobTerminated):
            request()

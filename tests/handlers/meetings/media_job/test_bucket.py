"""Objects in ranges that may break off, and uploads in parts that never stay half done."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from botocore.response import StreamingBody

from handlers.meetings.media_job import bucket as module
from handlers.meetings.media_job.bucket import Bucket, Found, Gone, TooLong
from handlers.meetings.media_job.stopping import Stopped, Stopping
from tests.handlers.meetings.media_job.stage import BUCKET, Stage

LEAST_PART = 5 * 1024 * 1024
DATA = bytes(range(256)) * 4000


@pytest.fixture
def bucket(stage: Stage) -> Bucket:
    return Bucket(stage.s3, BUCKET, stage.stopping, LEAST_PART)


@contextmanager
def before(s3: Any, call: str, act: Any) -> Iterator[None]:
    """Acts before each such call."""
    event = f"before-call.s3.{call}"
    s3.meta.events.register(event, act, unique_id="act")
    try:
        yield
    finally:
        s3.meta.events.unregister(event, unique_id="act")


def found(bucket: Bucket, key: str) -> Found:
    there = bucket.find(key)
    assert there is not None
    return there


def test_an_object_is_read_in_ranges(stage: Stage, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RANGE", 100_000)
    stage.s3.put_object(Bucket=BUCKET, Key="k", Body=DATA)
    ranges: list[str] = []
    with before(stage.s3, "GetObject", lambda params, **_: ranges.append(params["headers"]["Range"])):
        assert b"".join(bucket.pieces("k", found(bucket, "k"))) == DATA
    assert len(ranges) == 11
    assert (ranges[0], ranges[-1]) == ("bytes=0-99999", f"bytes=1000000-{len(DATA) - 1}")


class Breaking(io.BytesIO):
    """An answer that breaks off in the middle."""

    def __init__(self, data: bytes, after: int) -> None:
        super().__init__(data)
        self._left = after

    def read(self, size: int | None = -1, /) -> bytes:
        if not self._left:
            raise ReadTimeoutError(endpoint_url="https://s3")
        given = super().read(min(self._left, size or 0))
        self._left -= len(given)
        return given


class BreakingClient:
    """Gives so many bytes an answer, and then none for ever."""

    def __init__(self, after: int, until: int = 10**9) -> None:
        self.after, self.until = after, until
        self.asked: list[str] = []

    def get_object(self, *, Range: str, **_: Any) -> dict[str, Any]:  # noqa: N803 - S3's word
        self.asked.append(Range)
        start, end = (int(one) for one in Range.removeprefix("bytes=").split("-"))
        body = DATA[start : end + 1]
        after = self.after if start < self.until else 0
        return {"Body": StreamingBody(Breaking(body, after), len(body))}


def test_an_answer_that_breaks_off_goes_on_from_there_until_one_gives_nothing_more() -> None:
    one = Found(size=len(DATA), etag="e", recipe="", ffmpeg_ms=0)
    client = BreakingClient(after=300_000)
    assert b"".join(Bucket(client, "b", Stopping()).pieces("k", one)) == DATA  # type: ignore[arg-type]
    assert client.asked == [f"bytes={start}-{len(DATA) - 1}" for start in (0, 300_000, 600_000, 900_000)]
    client = BreakingClient(after=300_000, until=600_000)
    with pytest.raises(ReadTimeoutError):
        list(Bucket(client, "b", Stopping()).pieces("k", one))  # type: ignore[arg-type]
    assert len(client.asked) == 2 + module.BREAKS


def test_an_object_that_is_replaced_meanwhile_is_not_mixed_with_what_it_was(stage: Stage, bucket: Bucket) -> None:
    stage.s3.put_object(Bucket=BUCKET, Key="k", Body=DATA)
    before_it = found(bucket, "k")
    stage.s3.put_object(Bucket=BUCKET, Key="k", Body=DATA[::-1])
    with pytest.raises(Gone):
        list(bucket.pieces("k", before_it))
    stage.s3.delete_object(Bucket=BUCKET, Key="k")
    with pytest.raises(Gone):
        list(bucket.pieces("k", before_it))


def test_small_objects_are_bounded_and_may_be_missing(stage: Stage, bucket: Bucket) -> None:
    assert bucket.read("k", 10) is None
    assert bucket.find("k") is None
    stage.s3.put_object(Bucket=BUCKET, Key="k", Body=b"0123456789")
    assert bucket.read("k", 10) == b"0123456789"
    with pytest.raises(TooLong):
        bucket.read("k", 9)


def test_what_may_not_be_read_is_no_missing_object() -> None:
    """Without the right to list, S3 answers 403 for what is not there: that must not pass for a chunk that is missing."""

    class Refusing:
        def head_object(self, **_: Any) -> None:
            raise ClientError({"Error": {"Code": "403", "Message": "Forbidden"}}, "HeadObject")

    with pytest.raises(ClientError):
        Bucket(Refusing(), "b", Stopping()).find("k")  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [1, LEAST_PART, LEAST_PART + 1, 3 * LEAST_PART])
def test_a_file_is_uploaded_whole_with_what_it_is_made_from(
    stage: Stage, bucket: Bucket, tmp_path: Path, size: int
) -> None:
    path = tmp_path / "file"
    path.write_bytes(DATA[:256] * (size // 256) + DATA[: size % 256])
    bucket.upload("k", path, "video/mp4", "1 a recipe", 1234)
    assert stage.body("k") == path.read_bytes()
    assert found(bucket, "k") == Found(size, found(bucket, "k").etag, "1 a recipe", 1234)
    assert stage.s3.head_object(Bucket=BUCKET, Key="k")["ContentType"] == "video/mp4"
    bucket.download("k", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("call", ["UploadPart", "CompleteMultipartUpload", "a failure"])
def test_an_upload_that_is_stopped_or_fails_leaves_nothing(
    stage: Stage, bucket: Bucket, tmp_path: Path, call: str
) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(3 * LEAST_PART))

    def stop(params: dict[str, Any], **_: Any) -> None:
        if call != "a failure":
            stage.stopping.now()
        elif params["query_string"].get("partNumber") == 2:
            raise ReadTimeoutError(endpoint_url="https://s3")
        if call == "CompleteMultipartUpload":
            raise Stopped

    stopped_at = "UploadPart" if call == "a failure" else call
    with before(stage.s3, stopped_at, stop), pytest.raises((Stopped, ReadTimeoutError)):
        bucket.upload("k", path, "video/mp4", "1 a recipe", 1)
    assert (stage.pending(), stage.keys("")) == ([], [])

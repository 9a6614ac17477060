"""Tests of uploads: parallel chunks with checksums, and continuation after an interruption.

A recording consists of files, the chunks. The client uploads `complete.json`, the list of the chunks, after them.
`content` is a hash that identifies the recording. An upload reports how many chunks it sent, and how many it kept because
an earlier upload had sent them.
"""

import base64
import hashlib
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from clients.meetings import ChunkRefused, ExchangeUnavailable, MeetingsClient, NewMeeting, Uploaded, UploadInterrupted
from clients.meetings import recording_upload as module
from clients.meetings.recording_upload import chunk_name
from handlers.common.time_and_ids import ulid
from handlers.meetings.s3_keys import MeetingId, parse_upload_key
from handlers.meetings.upload_completion_file import Chunk, CompleteFile
from tests.clients.meetings.fake_backend import Backend
from tests.handlers.meetings.exchange_harness import LOCATION

CHUNK_COUNT = 6
CHUNKS = [f"{number:05d}.webm" for number in range(CHUNK_COUNT)]
"""Names of the uploaded chunks."""
MEETING = NewMeeting(
    title=" Weekly ",
    started_at=datetime(2026, 1, 31, 13, 30, tzinfo=timezone(timedelta(hours=1))),
    participants=("Ann", "Bob"),
    tags=("team",),
    meeting_id=ulid.ulid(datetime(2026, 1, 31, tzinfo=UTC), 7),
)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"part {number}.webm" for number in range(CHUNK_COUNT)]
    for number, path in enumerate(paths):
        path.write_bytes(f"chunk {number}".encode() * 1000)
    return paths


def uploaded_meeting(client: MeetingsClient) -> MeetingId:
    return MeetingId(client.user, MEETING.meeting_id)


def names(puts: list[str]) -> list[str]:
    return [put.rpartition("/")[2] for put in puts]


def test_chunks_are_uploaded_below_the_users_prefix_and_complete_json_last(backend: Backend, files: list[Path]) -> None:
    """Each chunk has its checksum, which the backend verifies."""
    client = backend.create_client()
    uploaded = client.upload(MEETING, files)
    assert names(backend.put_keys) == [*CHUNKS, "complete.json"]
    for key in backend.put_keys:
        parsed_key = parse_upload_key(key)
        assert parsed_key is not None, "the backend must accept the key"
        assert parsed_key.meeting == uploaded_meeting(client)
    assert (uploaded.meeting_id, uploaded.sent, uploaded.kept) == (MEETING.meeting_id, CHUNK_COUNT, 0)
    body = backend.read_object(uploaded_meeting(client).upload_key("complete.json"))
    assert b'"schemaVersion":1' in body, "the fields have their public names"
    complete = CompleteFile.model_validate_json(body, strict=True)
    assert complete == CompleteFile(
        schema_version=1,
        title="Weekly",
        started_at="2026-01-31T12:30:00.000Z",
        participants=("Ann", "Bob"),
        tags=("team",),
        chunks=tuple(
            Chunk(name=name, bytes=path.stat().st_size, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
            for name, path in zip(CHUNKS, files, strict=True)
        ),
    )
    assert uploaded.content == complete.content
    for key in backend.put_keys:
        head = backend.s3.head_object(Bucket=LOCATION.bucket_name, Key=key, ChecksumMode="ENABLED")
        assert head["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(backend.read_object(key)).digest()).decode()


def test_chunks_are_sent_in_parallel(backend: Backend, files: list[Path]) -> None:
    barrier = threading.Barrier(CHUNK_COUNT)

    def wait_for_all_chunks(key: str) -> None:
        if not key.endswith(".json"):
            barrier.wait(10)  # raises an error unless all chunks are sent at the same time

    backend.before_put = wait_for_all_chunks
    backend.create_client(workers=CHUNK_COUNT).upload(MEETING, files)
    assert sorted(names(backend.put_keys)[:-1]) == CHUNKS
    assert names(backend.put_keys)[-1] == "complete.json"


# Interruptions


UNREACHABLE = EndpointConnectionError(endpoint_url="https://s3")
DENIED = ClientError({"Error": {"Code": "AccessDenied"}}, "PutObject")
WITHOUT_CREDENTIALS = ExchangeUnavailable("UNAVAILABLE", "no")


def fail_at(name: str, error: Exception = UNREACHABLE) -> Any:
    """Return a function for `Backend.before_put` that raises an error at the upload of this object."""

    def fail(key: str) -> None:
        if key.endswith(name):
            raise error

    return fail


@pytest.mark.parametrize(
    ("failed_chunk", "error"), [(0, UNREACHABLE), (3, DENIED), (CHUNK_COUNT - 1, WITHOUT_CREDENTIALS)]
)
def test_an_interrupted_upload_continues_where_it_stopped(
    backend: Backend, files: list[Path], failed_chunk: int, error: Exception
) -> None:
    backend.before_put = fail_at(CHUNKS[failed_chunk], error)
    client = backend.create_client()
    with pytest.raises(UploadInterrupted, match="Upload again") as raised:
        client.upload(MEETING, files)
    assert (raised.value.meeting_id, raised.value.__cause__) == (MEETING.meeting_id, error)
    assert names(backend.put_keys) == CHUNKS[:failed_chunk], (
        "after a failure, neither another chunk nor complete.json may be sent"
    )
    backend.before_put, backend.put_keys = lambda _: None, []
    uploaded = backend.create_client().upload(MEETING, files)
    assert names(backend.put_keys) == [*CHUNKS[failed_chunk:], "complete.json"]
    assert (uploaded.sent, uploaded.kept) == (CHUNK_COUNT - failed_chunk, failed_chunk)


def test_repeating_an_upload_sends_only_complete_json_and_returns_the_same_content(
    backend: Backend, files: list[Path]
) -> None:
    backend.before_put = fail_at("complete.json")
    with pytest.raises(UploadInterrupted):
        backend.create_client(workers=4).upload(MEETING, files)
    backend.before_put, backend.put_keys = lambda _: None, []
    first = backend.create_client().upload(MEETING, files)
    assert names(backend.put_keys) == ["complete.json"]
    second = backend.create_client().upload(MEETING, files)
    assert second == first == Uploaded(MEETING.meeting_id, first.content, sent=0, kept=CHUNK_COUNT)


@pytest.mark.parametrize("case", ["other bytes", "cut off", "without a hash", "archived", "in parts"])
def test_an_existing_object_that_differs_is_sent_again(backend: Backend, files: list[Path], case: str) -> None:
    client = backend.create_client()
    client.upload(MEETING, files)
    key, chunk = uploaded_meeting(client).upload_key(CHUNKS[2]), files[2].read_bytes()
    put: dict[str, Any] = {"Bucket": LOCATION.bucket_name, "Key": key}
    match case:
        case "other bytes":
            backend.s3.put_object(**put, Body=b"x" * len(chunk), ChecksumAlgorithm="SHA256")
        case "cut off":
            backend.s3.put_object(**put, Body=chunk[:-1], ChecksumAlgorithm="SHA256")
        case "without a hash":
            backend.s3.put_object(**put, Body=chunk, ChecksumAlgorithm="CRC32")
        case "archived":
            backend.s3.put_object(**put, Body=chunk, ChecksumAlgorithm="SHA256", StorageClass="GLACIER")
        case "in parts":
            upload_id = backend.s3.create_multipart_upload(**put)["UploadId"]
            part = backend.s3.upload_part(**put, UploadId=upload_id, PartNumber=1, Body=chunk)["ETag"]
            parts = {"Parts": [{"PartNumber": 1, "ETag": part}]}
            backend.s3.complete_multipart_upload(**put, UploadId=upload_id, MultipartUpload=parts)
    backend.put_keys.clear()
    uploaded = client.upload(MEETING, files)
    assert names(backend.put_keys) == [CHUNKS[2], "complete.json"]
    assert (uploaded.sent, backend.read_object(key)) == (1, chunk)


def test_size_and_md5_are_used_if_the_listing_has_no_checksum_algorithm() -> None:
    """The MD5 hash of an object is its ETag."""
    listed: Any = {"Key": "k", "Size": 5, "ETag": '"abc"'}
    assert module._to_stored_object(listed) == module.StoredObject(5, "abc", is_usable=True)


def test_chunks_of_another_user_with_the_same_meeting_id_are_not_used(backend: Backend, files: list[Path]) -> None:
    backend.create_client().upload(MEETING, files)
    backend.subject = "bob"
    assert backend.create_client().upload(MEETING, files).sent == CHUNK_COUNT


def test_all_pages_of_existing_chunks_are_read(
    backend: Backend, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "2")
    backend.create_client().upload(MEETING, files)
    assert backend.create_client().upload(MEETING, files).kept == CHUNK_COUNT


# Uploads during the recording


def test_chunks_are_sent_during_the_recording_with_renewed_credentials(backend: Backend, tmp_path: Path) -> None:
    client = backend.create_client()

    def record_chunks() -> Iterator[Path]:
        for number in range(5):
            path = tmp_path / f"{number}.webm"
            path.write_bytes(b"sound" * (number + 1))
            yield path
            assert backend.sent_puts.acquire(timeout=10), "the chunk is sent before the next chunk exists"
            backend.advance(minutes=50)

    client.user  # noqa: B018 - the first access exchanges the login token for AWS credentials
    assert client.upload(MEETING, record_chunks()).sent == 5
    # The first request lists the existing objects. The last request uploads complete.json after 250 minutes.
    assert backend.used_access_keys == [f"AKIDEXAMPLE{number:04d}" for number in (1, 1, 2, 3, 4, 5, 6)]
    assert backend.exchange_count == len(backend.tokens) == 6


def test_an_exception_of_the_chunk_iterator_is_passed_on(backend: Backend, files: list[Path]) -> None:
    def record_chunks() -> Iterator[Path]:
        yield files[0]
        raise LookupError("the microphone is gone")

    with pytest.raises(LookupError, match="microphone"):
        backend.create_client().upload(MEETING, record_chunks())
    assert "complete.json" not in names(backend.put_keys)


# Invalid chunks and meetings


def test_invalid_chunks_are_refused_and_the_upload_is_not_completed(
    backend: Backend, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = backend.create_client()
    with pytest.raises(ChunkRefused, match="at least one"):
        client.upload(MEETING, [])
    monkeypatch.setattr(module, "MAX_CHUNKS", 3)
    with pytest.raises(ChunkRefused, match="3 chunks"):
        client.upload(MEETING, files)
    files[1].write_bytes(b"")
    with pytest.raises(ChunkRefused, match=r"part 1\.webm has 0 bytes"):
        client.upload(MEETING, files[:2])
    files[1].unlink()
    with pytest.raises(FileNotFoundError, match=r"part 1\.webm"):
        client.upload(MEETING, files[:2])
    assert "complete.json" not in names(backend.put_keys)


@given(st.integers(0, 4999), st.text(max_size=20))
def test_the_backend_accepts_the_chunk_name_of_every_file(number: int, file_name: str) -> None:
    Chunk(name=chunk_name(number, Path(file_name.replace("\0", ""))), bytes=1, sha256="0" * 64)


@pytest.mark.parametrize(
    ("file_name", "suffix"),
    [("a b.webm", ".webm"), ("x.Mp4", ".Mp4"), ("a.b/c", ""), ("../x.we bm", ""), ("x.verylongsuffix", "")],
)
def test_a_chunk_name_keeps_only_a_valid_suffix_of_the_file_name(file_name: str, suffix: str) -> None:
    assert chunk_name(7, Path(file_name)) == f"00007{suffix}"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param("started_at", datetime(2026, 1, 31), id="no time zone"),  # noqa: DTZ001 - on purpose
        pytest.param("titel", "x", id="unknown field"),
    ],
)
def test_an_invalid_meeting_is_refused_before_anything_is_sent(field: str, value: Any) -> None:
    with pytest.raises(ValidationError, match=field):
        NewMeeting.model_validate({"title": "t", "started_at": datetime.now(UTC), field: value})

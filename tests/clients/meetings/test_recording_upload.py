"""Tests of uploads: parallel chunks with checksums, and continuation after an interruption."""

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

COUNT = 6
MEETING = NewMeeting(
    title=" Weekly ",
    started_at=datetime(2026, 1, 31, 13, 30, tzinfo=timezone(timedelta(hours=1))),
    participants=("Ann", "Bob"),
    tags=("team",),
    meeting_id=ulid.ulid(datetime(2026, 1, 31, tzinfo=UTC), 7),
)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"part {number}.webm" for number in range(COUNT)]
    for number, path in enumerate(paths):
        path.write_bytes(f"chunk {number}".encode() * 1000)
    return paths


def uploaded_meeting(client: MeetingsClient) -> MeetingId:
    return MeetingId(client.user, MEETING.meeting_id)


def names(puts: list[str]) -> list[str]:
    return [put.rpartition("/")[2] for put in puts]


CHUNKS = [f"{number:05d}.webm" for number in range(COUNT)]


def test_chunks_are_uploaded_below_the_users_prefix_and_complete_json_last(backend: Backend, files: list[Path]) -> None:
    """Each chunk has its checksum, which the backend verifies."""
    client = backend.client()
    uploaded = client.upload(MEETING, files)
    assert names(backend.puts) == [*CHUNKS, "complete.json"]
    read = [parse_upload_key(put) for put in backend.puts]
    assert [item and item.meeting for item in read] == [uploaded_meeting(client)] * len(read), (
        "the backend accepts every key"
    )
    assert (uploaded.meeting_id, uploaded.sent, uploaded.kept) == (MEETING.meeting_id, COUNT, 0)
    body = backend.content(uploaded_meeting(client).upload_key("complete.json"))
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
    for key in backend.puts:
        head = backend.s3.head_object(Bucket=LOCATION.bucket_name, Key=key, ChecksumMode="ENABLED")
        assert head["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(backend.content(key)).digest()).decode()


def test_chunks_are_sent_in_parallel(backend: Backend, files: list[Path]) -> None:
    barrier = threading.Barrier(COUNT)

    def wait_for_all_chunks(key: str) -> None:
        if not key.endswith(".json"):
            barrier.wait(10)  # raises an error unless all chunks are sent at the same time

    backend.before_put = wait_for_all_chunks
    backend.client(workers=COUNT).upload(MEETING, files)
    assert sorted(names(backend.puts)[:-1]) == CHUNKS
    assert names(backend.puts)[-1] == "complete.json"


# Interruptions


UNREACHABLE = EndpointConnectionError(endpoint_url="https://s3")
DENIED = ClientError({"Error": {"Code": "AccessDenied"}}, "PutObject")
WITHOUT_CREDENTIALS = ExchangeUnavailable("UNAVAILABLE", "no")


def failing_at(name: str, error: Exception = UNREACHABLE) -> Any:
    def fail(key: str) -> None:
        if key.endswith(name):
            raise error

    return fail


@pytest.mark.parametrize(("at", "error"), [(0, UNREACHABLE), (3, DENIED), (COUNT - 1, WITHOUT_CREDENTIALS)])
def test_an_interrupted_upload_continues_where_it_stopped(
    backend: Backend, files: list[Path], at: int, error: Exception
) -> None:
    backend.before_put = failing_at(CHUNKS[at], error)
    client = backend.client()
    with pytest.raises(UploadInterrupted, match="Upload again") as raised:
        client.upload(MEETING, files)
    assert (raised.value.meeting_id, raised.value.__cause__) == (MEETING.meeting_id, error)
    assert names(backend.puts) == CHUNKS[:at], "after a failure, neither another chunk nor complete.json may be sent"
    backend.before_put, backend.puts = lambda _: None, []
    uploaded = backend.client().upload(MEETING, files)
    assert names(backend.puts) == [*CHUNKS[at:], "complete.json"]
    assert (uploaded.sent, uploaded.kept) == (COUNT - at, at)


def test_repeating_an_upload_sends_only_complete_json_and_gives_the_same_content(
    backend: Backend, files: list[Path]
) -> None:
    backend.before_put = failing_at("complete.json")
    with pytest.raises(UploadInterrupted):
        backend.client(workers=4).upload(MEETING, files)
    backend.before_put, backend.puts = lambda _: None, []
    first = backend.client().upload(MEETING, files)
    assert names(backend.puts) == ["complete.json"]
    second = backend.client().upload(MEETING, files)
    assert second == first == Uploaded(MEETING.meeting_id, first.content, sent=0, kept=COUNT)


@pytest.mark.parametrize("case", ["other bytes", "cut off", "without a hash", "archived", "in parts"])
def test_an_existing_object_that_differs_is_sent_again(backend: Backend, files: list[Path], case: str) -> None:
    client = backend.client()
    client.upload(MEETING, files)
    key, good = uploaded_meeting(client).upload_key(CHUNKS[2]), files[2].read_bytes()
    put: dict[str, Any] = {"Bucket": LOCATION.bucket_name, "Key": key}
    match case:
        case "other bytes":
            backend.s3.put_object(**put, Body=b"x" * len(good), ChecksumAlgorithm="SHA256")
        case "cut off":
            backend.s3.put_object(**put, Body=good[:-1], ChecksumAlgorithm="SHA256")
        case "without a hash":
            backend.s3.put_object(**put, Body=good, ChecksumAlgorithm="CRC32")
        case "archived":
            backend.s3.put_object(**put, Body=good, ChecksumAlgorithm="SHA256", StorageClass="GLACIER")
        case "in parts":
            begun = backend.s3.create_multipart_upload(**put)["UploadId"]
            part = backend.s3.upload_part(**put, UploadId=begun, PartNumber=1, Body=good)["ETag"]
            parts = {"Parts": [{"PartNumber": 1, "ETag": part}]}
            backend.s3.complete_multipart_upload(**put, UploadId=begun, MultipartUpload=parts)
    backend.puts.clear()
    uploaded = client.upload(MEETING, files)
    assert names(backend.puts) == [CHUNKS[2], "complete.json"]
    assert (uploaded.sent, backend.content(key)) == (1, good)


def test_without_a_listed_checksum_algorithm_size_and_md5_are_compared() -> None:
    listed: Any = {"Key": "k", "Size": 5, "ETag": '"abc"'}
    assert module._to_stored_object(listed) == module.StoredObject(5, "abc", is_usable=True)


def test_chunks_of_another_user_with_the_same_meeting_id_are_not_used(backend: Backend, files: list[Path]) -> None:
    backend.client().upload(MEETING, files)
    backend.subject = "bob"
    assert backend.client().upload(MEETING, files).sent == COUNT


def test_all_pages_of_existing_chunks_are_read(
    backend: Backend, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "2")
    backend.client().upload(MEETING, files)
    assert backend.client().upload(MEETING, files).kept == COUNT


# Uploads during the recording


def test_chunks_are_sent_during_the_recording_with_renewed_credentials(backend: Backend, tmp_path: Path) -> None:
    client = backend.client()

    def recorded() -> Iterator[Path]:
        for number in range(5):
            path = tmp_path / f"{number}.webm"
            path.write_bytes(b"sound" * (number + 1))
            yield path
            assert backend.sent_puts.acquire(timeout=10), "the chunk is sent before the next chunk exists"
            backend.advance(minutes=50)

    client.user  # noqa: B018 - exchanges
    assert client.upload(MEETING, recorded()).sent == 5
    # The first request lists the existing objects. The last request uploads complete.json after 250 minutes.
    assert backend.signed_with == [f"AKIDEXAMPLE{number:04d}" for number in (1, 1, 2, 3, 4, 5, 6)]
    assert backend.exchanges == len(backend.tokens) == 6


def test_an_exception_of_the_chunk_iterator_is_passed_on(backend: Backend, files: list[Path]) -> None:
    def recorded() -> Iterator[Path]:
        yield files[0]
        raise LookupError("the microphone is gone")

    with pytest.raises(LookupError, match="microphone"):
        backend.client().upload(MEETING, recorded())
    assert "complete.json" not in names(backend.puts)


# Invalid chunks and meetings


def test_invalid_chunks_are_refused_and_the_upload_is_not_completed(
    backend: Backend, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = backend.client()
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
    assert "complete.json" not in names(backend.puts)


@given(st.integers(0, 4999), st.text(max_size=20))
def test_chunk_names_are_valid_for_the_backend_for_any_file_name(number: int, name: str) -> None:
    Chunk(name=chunk_name(number, Path(name.replace("\0", ""))), bytes=1, sha256="0" * 64)
    kept = {"a b.webm": ".webm", "a.b/c": "", "x.Mp4": ".Mp4", "../x.we bm": "", "x.verylongsuffix": ""}
    assert {item: chunk_name(7, Path(item)) for item in kept} == {entry: f"00007{end}" for entry, end in kept.items()}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("started_at", datetime(2026, 1, 31)),  # noqa: DTZ001 - without its zone, on purpose
        ("titel", "x"),
    ],
)
def test_an_invalid_meeting_is_refused_before_anything_is_sent(field: str, value: Any) -> None:
    with pytest.raises(ValidationError, match=field):
        NewMeeting.model_validate({"title": "t", "started_at": datetime.now(UTC), field: value})

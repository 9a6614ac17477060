"""Upload of a recording: its files (chunks) in parallel, then `complete.json`, the list of the chunks.

The arrival of `complete.json` completes the upload. Each chunk is one PutObject request with a SHA-256 checksum, which
S3 verifies.

When an upload is repeated, a chunk is not sent again if the bucket has an object with its size, and with its MD5 as the
ETag. In a bucket with a KMS key the ETag is not the MD5, so all chunks are sent again. An object is also replaced if
the listing names a storage class other than STANDARD, or checksum algorithms without SHA-256, because this client did
not write it.
"""

import base64
import hashlib
import os
import re
import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import ValidationError

from clients.meetings.client_errors import ChunkRefused, MeetingsError, UploadInterrupted
from clients.meetings.upload_models import NewMeeting, Uploaded
from clients.meetings.user_credentials import UserAccess
from handlers.meetings.s3_keys import COMPLETE_FILE_NAME, MeetingId
from handlers.meetings.upload_completion_file import MAX_CHUNKS, Chunk

if TYPE_CHECKING:
    from types_boto3_s3.type_defs import ObjectTypeDef

BLOCK_BYTES = 1024 * 1024
"""Size of the blocks in which files are read to hash them."""
SHA256: Final = "SHA256"
STANDARD: Final = "STANDARD"
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,8}", re.ASCII)


@dataclass(frozen=True)
class StoredObject:
    """An object that the bucket already has below the meeting's upload prefix."""

    size: int
    """Size in bytes."""
    etag: str
    """ETag without its quotation marks."""
    is_usable: bool
    """False if the object is not from this client (see the module docstring)."""


class _UploadStopped(Exception):
    """A chunk was not uploaded, because another chunk had failed before."""


@dataclass(frozen=True)
class _FileDigest:
    """Size and hashes of a file."""

    size: int
    """Size in bytes."""
    sha256: bytes
    md5: str
    """Hexadecimal digits, as in an ETag."""


@dataclass(frozen=True)
class _UploadedChunk:
    """A chunk that is in the bucket."""

    chunk: Chunk
    sent: bool
    """False if the bucket already had it."""


class RecordingUpload:
    """Upload of one recording. `run` may be called once."""

    def __init__(self, access: UserAccess, meeting: NewMeeting, workers: int) -> None:
        self._s3 = access.s3
        self._bucket = access.bucket
        self._meeting = meeting
        self._meeting_id = MeetingId(access.user, meeting.meeting_id)
        self._workers = workers
        self._failed = threading.Event()

    def run(self, files: Iterable[str | os.PathLike[str]]) -> Uploaded:
        """Upload the chunks and then `complete.json`. The order of the files is the order of the chunks.

        Raises ChunkRefused or UploadInterrupted, and OSError if a file cannot be read.
        """
        try:
            uploaded_chunks = self._upload_all(files, self._list_objects())
            complete = self._meeting.to_complete_file([uploaded.chunk for uploaded in uploaded_chunks])
            body = complete.model_dump_json(by_alias=True).encode()
            self._s3.put_object(
                Bucket=self._bucket,
                Key=self._meeting_id.upload_key(COMPLETE_FILE_NAME),
                Body=body,
                ContentType="application/json",
                ChecksumAlgorithm=SHA256,
                ChecksumSHA256=_base64(hashlib.sha256(body).digest()),
            )
        except ChunkRefused:
            raise
        except (BotoCoreError, ClientError, MeetingsError) as error:
            raise UploadInterrupted(self._meeting.meeting_id) from error
        sent = sum(uploaded.sent for uploaded in uploaded_chunks)
        return Uploaded(self._meeting.meeting_id, complete.content, sent, len(uploaded_chunks) - sent)

    def _list_objects(self) -> dict[str, StoredObject]:
        """Return the objects below the meeting's upload prefix, by the rest of their keys."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=self._meeting_id.upload_prefix
        )
        return {
            item["Key"].removeprefix(self._meeting_id.upload_prefix): _to_stored_object(item)
            for page in pages
            for item in page.get("Contents", ())
        }

    def _upload_all(
        self, files: Iterable[str | os.PathLike[str]], existing: Mapping[str, StoredObject]
    ) -> list[_UploadedChunk]:
        """Upload each file when the iterable yields it. After the first failure, no further upload is started."""
        pool = ThreadPoolExecutor(self._workers)
        futures: list[Future[_UploadedChunk]] = []
        try:
            for number, file in enumerate(files):
                if self._failed.is_set():
                    break
                if number == MAX_CHUNKS:
                    raise ChunkRefused(f"A recording must have at most {MAX_CHUNKS} chunks.")
                path = Path(file)
                name = chunk_name(number, path)
                futures.append(pool.submit(self._upload_chunk, path, name, existing.get(name)))
            wait(futures, return_when=FIRST_EXCEPTION)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
        for future in futures:
            error = None if future.cancelled() else future.exception()
            if error is not None and not isinstance(error, _UploadStopped):
                raise error
        if not futures:
            raise ChunkRefused("A recording must have at least one chunk.")
        return [future.result() for future in futures]

    def _upload_chunk(self, path: Path, name: str, existing: StoredObject | None) -> _UploadedChunk:
        if self._failed.is_set():
            raise _UploadStopped
        try:
            digest = _hash_file(path)
            chunk = _to_chunk(path, name, digest)
            if (
                existing is not None
                and existing.is_usable
                and (existing.size, existing.etag) == (digest.size, digest.md5)
            ):
                return _UploadedChunk(chunk, sent=False)
            with path.open("rb") as file:
                self._s3.put_object(
                    Bucket=self._bucket,
                    Key=self._meeting_id.upload_key(name),
                    Body=file,
                    ChecksumAlgorithm=SHA256,
                    ChecksumSHA256=_base64(digest.sha256),
                )
        except BaseException:
            self._failed.set()
            raise
        return _UploadedChunk(chunk, sent=True)


def chunk_name(number: int, path: Path) -> str:
    """Return the object name of a chunk: its number, so that a repeated upload uses the same name, and its suffix."""
    return f"{number:05d}{path.suffix if _SUFFIX.fullmatch(path.suffix) else ''}"


def _to_stored_object(listed: "ObjectTypeDef") -> StoredObject:
    # If the listing names no checksum algorithm or no storage class, the default makes the object usable.
    has_checksum = SHA256 in listed.get("ChecksumAlgorithm", [SHA256])
    is_usable = has_checksum and listed.get("StorageClass", STANDARD) == STANDARD
    return StoredObject(listed["Size"], listed["ETag"].strip('"'), is_usable)


def _hash_file(path: Path) -> _FileDigest:
    sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            sha256.update(block)
            md5.update(block)
            size += len(block)
    return _FileDigest(size, sha256.digest(), md5.hexdigest())


def _to_chunk(path: Path, name: str, digest: _FileDigest) -> Chunk:
    try:
        return Chunk(name=name, bytes=digest.size, sha256=digest.sha256.hex())
    except ValidationError:
        raise ChunkRefused(f"{path} has {digest.size} bytes. A chunk must have from 1 byte to 5 GiB.") from None


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()

"""Uploads the chunks of a recording, several at once, and says at the end that it is whole.

Each chunk is one PUT that S3 refuses unless the bytes have the promised SHA-256. What a bucket already has is not sent
again: it has the right size and the MD5 of the file, which S3 lists as the object's ETag. (In a bucket encrypted with a
KMS key an ETag is something else: there everything is sent again, and nothing wrong is kept.) An object that was stored
without a SHA-256, or into an archive where nobody reads it, is not ours, and is sent again too.
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
from clients.meetings.user_credentials import Opened
from handlers.meetings.complete_file import MAX_CHUNKS, Chunk
from handlers.meetings.s3_keys import COMPLETE_FILE_NAME, MeetingId

if TYPE_CHECKING:
    from types_boto3_s3.type_defs import ObjectTypeDef

BLOCK = 1024 * 1024
SHA256: Final = "SHA256"
STANDARD: Final = "STANDARD"
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,8}", re.ASCII)


@dataclass(frozen=True)
class There:
    """An object that the bucket has."""

    size: int
    etag: str
    ours: bool
    """Whether it was stored as it is here: S3 has compared it with a SHA-256 when it came, or does not say, and it can be read."""


class _Stopped(Exception):
    """Another chunk had failed before this one was begun."""


@dataclass(frozen=True)
class _Hashed:
    """What a file is."""

    size: int
    sha256: bytes
    md5: str


@dataclass(frozen=True)
class _Done:
    """A chunk that is in the bucket."""

    chunk: Chunk
    sent: bool


class Upload:
    """One upload of one meeting."""

    def __init__(self, access: Opened, meeting: NewMeeting, workers: int) -> None:
        self._s3 = access.s3
        self._bucket = access.bucket
        self._meeting = meeting
        self._place = MeetingId(access.user, meeting.meeting_id)
        self._workers = workers
        self._failed = threading.Event()

    def run(self, files: Iterable[str | os.PathLike[str]]) -> Uploaded:
        """Uploads the files, in their order, as they come; raises ChunkRefused or UploadInterrupted."""
        try:
            done = self._all(files, self._there())
            complete = self._meeting.complete([one.chunk for one in done])
            content = complete.model_dump_json(by_alias=True).encode()
            self._s3.put_object(
                Bucket=self._bucket,
                Key=self._place.upload_key(COMPLETE_FILE_NAME),
                Body=content,
                ContentType="application/json",
                ChecksumAlgorithm=SHA256,
                ChecksumSHA256=_base64(hashlib.sha256(content).digest()),
            )
        except ChunkRefused:
            raise
        except (BotoCoreError, ClientError, MeetingsError) as error:
            raise UploadInterrupted(self._meeting.meeting_id) from error
        sent = sum(one.sent for one in done)
        return Uploaded(self._meeting.meeting_id, complete.content, sent, len(done) - sent)

    def _there(self) -> dict[str, There]:
        """What the bucket has of this meeting, by name."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=self._place.upload_prefix
        )
        return {
            one["Key"].removeprefix(self._place.upload_prefix): _there(one)
            for page in pages
            for one in page.get("Contents", ())
        }

    def _all(self, files: Iterable[str | os.PathLike[str]], there: Mapping[str, There]) -> list[_Done]:
        """All chunks; after the first that fails, no other is begun."""
        pool = ThreadPoolExecutor(self._workers)
        begun: list[Future[_Done]] = []
        try:
            for number, file in enumerate(files):
                if self._failed.is_set():
                    break
                if number == MAX_CHUNKS:
                    raise ChunkRefused(f"a recording has {MAX_CHUNKS} chunks at the most")
                path = Path(file)
                name = chunk_name(number, path)
                begun.append(pool.submit(self._one, path, name, there.get(name)))
            wait(begun, return_when=FIRST_EXCEPTION)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
        for one in begun:
            error = None if one.cancelled() else one.exception()
            if error is not None and not isinstance(error, _Stopped):
                raise error
        if not begun:
            raise ChunkRefused("a recording has at least one chunk")
        return [one.result() for one in begun]

    def _one(self, path: Path, name: str, there: There | None) -> _Done:
        if self._failed.is_set():
            raise _Stopped
        try:
            hashed = _hashed(path)
            chunk = _chunk(path, name, hashed)
            if there is not None and there.ours and (there.size, there.etag) == (hashed.size, hashed.md5):
                return _Done(chunk, sent=False)
            with path.open("rb") as content:
                self._s3.put_object(
                    Bucket=self._bucket,
                    Key=self._place.upload_key(name),
                    Body=content,
                    ChecksumAlgorithm=SHA256,
                    ChecksumSHA256=_base64(hashed.sha256),
                )
        except BaseException:
            self._failed.set()
            raise
        return _Done(chunk, sent=True)


def chunk_name(number: int, path: Path) -> str:
    """What a chunk is called in the bucket: by its place, which a file keeps when the upload is begun again."""
    return f"{number:05d}{path.suffix if _SUFFIX.fullmatch(path.suffix) else ''}"


def _there(one: "ObjectTypeDef") -> There:
    ours = SHA256 in one.get("ChecksumAlgorithm", [SHA256]) and one.get("StorageClass", STANDARD) == STANDARD
    return There(one["Size"], one["ETag"].strip('"'), ours)


def _hashed(path: Path) -> _Hashed:
    sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    with path.open("rb") as content:
        while block := content.read(BLOCK):
            sha256.update(block)
            md5.update(block)
            size += len(block)
    return _Hashed(size, sha256.digest(), md5.hexdigest())


def _chunk(path: Path, name: str, hashed: _Hashed) -> Chunk:
    try:
        return Chunk(name=name, bytes=hashed.size, sha256=hashed.sha256.hex())
    except ValidationError:
        raise ChunkRefused(f"{path} has {hashed.size} bytes: a chunk has from 1 byte to 5 GiB") from None


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()

"""Objects as the job needs them: read in ranges and only as they were looked at, written whole or in parts that never stay.

What is finished is an object that says in its metadata what it was made from (`recipe`), and how long ffmpeg took.
Uploads in parts are given up when the job ends before them; what kills it leaves to the bucket's lifecycle.
"""

import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError

from handlers.common.parallel import Parallel
from handlers.common.sealed import meant
from handlers.meetings.media_job.stopping import Stopping

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client
    from types_boto3_s3.type_defs import CompletedPartTypeDef

RANGE: Final = 32 * 1024 * 1024
"""Bytes of one request for a chunk."""
PIECE: Final = 256 * 1024
PART: Final = 16 * 1024 * 1024
"""Bytes of one part of an upload; there may be 10,000. As many as are sent at once are in memory."""
UPLOADS: Final = 4
BREAKS: Final = 5
"""How often an answer may break off before the next byte."""
GONE: Final = frozenset({"404", "NoSuchKey"})
BAD: Final = "400"
"""What S3 says to a question that has no answer with words: a key of the client's own, but credentials too."""
CHANGED: Final = frozenset({"412", "PreconditionFailed"})
RECIPE: Final = "recipe"
FFMPEG_MS: Final = "ffmpeg-ms"


class TooLong(Exception):
    """An object has more bytes than are read of one."""


class Gone(Exception):
    """An object is not there, or is another than was looked at."""


@dataclass(frozen=True)
class Found:
    """An object that was looked at."""

    size: int
    etag: str
    recipe: str
    ffmpeg_ms: int


class Bucket:
    """One bucket."""

    def __init__(self, client: "S3Client", name: str, stopping: Stopping, part: int = PART) -> None:
        self._client = client
        self._name = name
        self._stopping = stopping
        self._part = part
        self._senders = Parallel(UPLOADS)

    def read(self, key: str, limit: int) -> bytes | None:
        """A small object; none where it is not there."""
        self._stopping.check()
        try:
            answer = self._client.get_object(Bucket=self._name, Key=key)
        except ClientError as error:
            if _code(error) in GONE:
                return None
            raise meant(error) from None
        with closing(answer["Body"]) as body:
            if answer["ContentLength"] > limit:
                raise TooLong
            return body.read()

    def find(self, key: str) -> Found | None:
        """What there is of an object, without reading it."""
        self._stopping.check()
        try:
            answer = self._client.head_object(Bucket=self._name, Key=key)
        except ClientError as error:
            if _code(error) in GONE:
                return None
            if _code(error) == BAD:
                self._why(key)
            raise
        metadata = answer["Metadata"]
        took = metadata.get(FFMPEG_MS, "0")
        return Found(
            answer["ContentLength"], answer["ETag"], metadata.get(RECIPE, ""), int(took) if took.isdecimal() else 0
        )

    def pieces(self, key: str, found: Found) -> Iterator[bytes]:
        """The bytes of an object that was looked at; an answer that breaks off is asked for again from there on.

        Raises Gone where the object is no longer that one.
        """
        place, breaks = 0, 0
        while place < found.size:
            try:
                for piece in self._range(key, found, place):
                    place += len(piece)
                    breaks = 0
                    yield piece
            except (HTTPClientError, IncompleteReadError):
                breaks += 1
                if breaks > BREAKS:
                    raise

    def download(self, key: str, path: Path) -> None:
        """An object of ours as a file."""
        found = self.find(key)
        if found is None:
            raise Gone
        with path.open("wb") as file:
            for piece in self.pieces(key, found):
                file.write(piece)

    def write(self, key: str, body: bytes) -> None:
        """A small object: JSON."""
        self._stopping.check()
        self._client.put_object(Bucket=self._name, Key=key, Body=body, ContentType="application/json")

    def upload(self, key: str, path: Path, kind: str, recipe: str, ffmpeg_ms: int) -> None:
        """A file as an object: whole, or not at all."""
        self._stopping.check()
        metadata = {RECIPE: recipe, FFMPEG_MS: str(ffmpeg_ms)}
        size = path.stat().st_size
        if size <= self._part:
            body = path.read_bytes()
            self._client.put_object(Bucket=self._name, Key=key, Body=body, ContentType=kind, Metadata=metadata)
            return
        begun = self._client.create_multipart_upload(Bucket=self._name, Key=key, ContentType=kind, Metadata=metadata)
        upload = begun["UploadId"]
        try:
            parts = self._sent(key, upload, path, size)
            self._stopping.check()
            self._client.complete_multipart_upload(
                Bucket=self._name, Key=key, UploadId=upload, MultipartUpload={"Parts": parts}
            )
        except BaseException:
            # No part is on its way any more, so that none stays.
            self._client.abort_multipart_upload(Bucket=self._name, Key=key, UploadId=upload)
            raise

    def _why(self, key: str) -> None:
        """Asks again, in a way that is answered with a reason."""
        try:
            self._client.get_object(Bucket=self._name, Key=key, Range="bytes=0-0")
        except ClientError as error:
            raise meant(error) from None

    def _range(self, key: str, found: Found, start: int) -> Iterator[bytes]:
        self._stopping.check()
        end = min(start + RANGE, found.size) - 1
        try:
            answer = self._client.get_object(
                Bucket=self._name, Key=key, Range=f"bytes={start}-{end}", IfMatch=found.etag
            )
        except ClientError as error:
            if _code(error) in GONE | CHANGED:
                raise Gone from None
            raise meant(error) from None
        with closing(answer["Body"]) as body:
            for piece in body.iter_chunks(PIECE):
                self._stopping.check()
                yield piece

    def _sent(self, key: str, upload: str, path: Path, size: int) -> "list[CompletedPartTypeDef]":
        file = os.open(path, os.O_RDONLY)

        def send(number: int) -> "CompletedPartTypeDef":
            self._stopping.check()
            body = os.pread(file, self._part, (number - 1) * self._part)
            answer = self._client.upload_part(Bucket=self._name, Key=key, UploadId=upload, PartNumber=number, Body=body)
            return {"PartNumber": number, "ETag": answer["ETag"]}

        try:
            return self._senders.all(send, range(1, -(-size // self._part) + 1))
        finally:
            os.close(file)


def _code(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])

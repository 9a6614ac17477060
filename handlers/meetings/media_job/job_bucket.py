"""The bucket as the job uses it: small objects in memory, and files through boto3's transfer manager.

What is finished is an object that says in its metadata what it was made from (`recipe`), and how long ffmpeg took.
Transfers are cancelled when the job is told to stop. A cancelled upload leaves no parts; if the job is killed, the
bucket's lifecycle deletes them.
"""

import os
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError
from s3transfer.exceptions import S3DownloadFailedError
from s3transfer.futures import TransferFuture
from s3transfer.manager import TransferConfig, TransferManager

from handlers.common.aws.unreadable_objects import classify_read_error
from handlers.meetings.media_job.job_termination import Stopping

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

PART: Final = 16 * 1024 * 1024
"""Bytes of one part of a transfer. An upload may have 10,000 parts."""
TRANSFERS: Final = 8
"""Requests that send or fetch at once."""
QUEUED: Final = 100
"""Received pieces of 256 KB that wait for the disk, for each download."""
GONE: Final = frozenset({"404", "NoSuchKey"})
BAD: Final = "400"
"""What S3 says to a question that has no answer with words: a key of the client's own, but credentials too."""
RECIPE: Final = "recipe"
FFMPEG_MS: Final = "ffmpeg-ms"


class TooLong(Exception):
    """An object has more bytes than are read of one."""


class Gone(Exception):
    """An object is not there, or was replaced while it was read."""


@dataclass(frozen=True)
class Found:
    """An object that was looked at."""

    size: int
    recipe: str
    ffmpeg_ms: int


@dataclass(frozen=True)
class _Transfer:
    """A transfer that ends when the job does."""

    future: TransferFuture

    def kill(self) -> None:
        self.future.cancel()


class Bucket:
    """One bucket."""

    def __init__(self, client: "S3Client", name: str, stopping: Stopping, part: int = PART) -> None:
        self._client = client
        self._name = name
        self._stopping = stopping
        config = TransferConfig(
            multipart_threshold=part + 1,
            multipart_chunksize=part,
            max_request_concurrency=TRANSFERS,
            max_io_queue_size=QUEUED,
        )
        self._transfers = TransferManager(client, config)

    def read(self, key: str, limit: int) -> bytes | None:
        """A small object; none where it is not there."""
        self._stopping.check()
        try:
            answer = self._client.get_object(Bucket=self._name, Key=key)
        except ClientError as error:
            if _code(error) in GONE:
                return None
            raise classify_read_error(error) from None
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
            raise self._meaning(key, error) from None
        metadata = answer["Metadata"]
        took = metadata.get(FFMPEG_MS, "0")
        return Found(answer["ContentLength"], metadata.get(RECIPE, ""), int(took) if took.isdecimal() else 0)

    def download(self, key: str, path: Path) -> None:
        """An object as a file; raises Gone."""
        try:
            self._transfer(lambda: self._transfers.download(self._name, key, os.fspath(path)))
        except S3DownloadFailedError:
            raise Gone from None
        except ClientError as error:
            raise Gone if _code(error) in GONE else self._meaning(key, error) from None

    def write(self, key: str, body: bytes) -> None:
        """A small object: JSON."""
        self._stopping.check()
        self._client.put_object(Bucket=self._name, Key=key, Body=body, ContentType="application/json")

    def upload(self, key: str, path: Path, kind: str, recipe: str, ffmpeg_ms: int) -> None:
        """A file as an object: whole, or not at all."""
        more = {"ContentType": kind, "Metadata": {RECIPE: recipe, FFMPEG_MS: str(ffmpeg_ms)}}
        self._transfer(lambda: self._transfers.upload(os.fspath(path), self._name, key, more))

    def _transfer(self, begin: Callable[[], TransferFuture]) -> None:
        transfer = self._stopping.start(lambda: _Transfer(begin()))
        try:
            transfer.future.result()
        except CancelledError:
            self._stopping.check()
            raise
        finally:
            self._stopping.ended(transfer)

    def _meaning(self, key: str, error: ClientError) -> Exception:
        """What an error says; one without words is asked about again, in a way that is answered with a reason."""
        if _code(error) != BAD:
            return classify_read_error(error)
        try:
            self._client.get_object(Bucket=self._name, Key=key, Range="bytes=0-0")
        except ClientError as reason:
            return classify_read_error(reason)
        return error


def _code(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])

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

from handlers.common.aws.unreadable_objects import meant
from handlers.meetings.media_job.job_termination import JobTermination

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

PART_BYTES: Final = 16 * 1024 * 1024
"""Bytes of one part of a transfer. An upload may have 10,000 parts."""
MAX_REQUESTS: Final = 8
"""Requests that send or fetch at once."""
MAX_QUEUED_PIECES: Final = 100
"""Received pieces of 256 KB that wait for the disk, for each download."""
NOT_FOUND_CODES: Final = frozenset({"404", "NoSuchKey"})
BAD_REQUEST_CODE: Final = "400"
"""What S3 says to a question that has no answer with words: a key of the client's own, but credentials too."""
RECIPE_METADATA: Final = "recipe"
FFMPEG_MS_METADATA: Final = "ffmpeg-ms"


class ObjectTooLong(Exception):
    """An object has more bytes than are read of one."""


class ObjectGone(Exception):
    """An object is not there, or was replaced while it was read."""


@dataclass(frozen=True)
class StoredMedia:
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


class JobBucket:
    """One bucket."""

    def __init__(self, client: "S3Client", name: str, stopping: JobTermination, part: int = PART_BYTES) -> None:
        self._client = client
        self._name = name
        self._termination = stopping
        config = TransferConfig(
            multipart_threshold=part + 1,
            multipart_chunksize=part,
            max_request_concurrency=MAX_REQUESTS,
            max_io_queue_size=MAX_QUEUED_PIECES,
        )
        self._transfers = TransferManager(client, config)

    def read(self, key: str, limit: int) -> bytes | None:
        """A small object; none where it is not there."""
        self._termination.raise_if_requested()
        try:
            answer = self._client.get_object(Bucket=self._name, Key=key)
        except ClientError as error:
            if _error_code(error) in NOT_FOUND_CODES:
                return None
            raise meant(error) from None
        with closing(answer["Body"]) as body:
            if answer["ContentLength"] > limit:
                raise ObjectTooLong
            return body.read()

    def find(self, key: str) -> StoredMedia | None:
        """What there is of an object, without reading it."""
        self._termination.raise_if_requested()
        try:
            answer = self._client.head_object(Bucket=self._name, Key=key)
        except ClientError as error:
            if _error_code(error) in NOT_FOUND_CODES:
                return None
            raise self._classify(key, error) from None
        metadata = answer["Metadata"]
        took = metadata.get(FFMPEG_MS_METADATA, "0")
        return StoredMedia(
            answer["ContentLength"], metadata.get(RECIPE_METADATA, ""), int(took) if took.isdecimal() else 0
        )

    def download(self, key: str, path: Path) -> None:
        """An object as a file; raises Gone."""
        try:
            self._transfer(lambda: self._transfers.download(self._name, key, os.fspath(path)))
        except S3DownloadFailedError:
            raise ObjectGone from None
        except ClientError as error:
            raise ObjectGone if _error_code(error) in NOT_FOUND_CODES else self._classify(key, error) from None

    def write(self, key: str, body: bytes) -> None:
        """A small object: JSON."""
        self._termination.raise_if_requested()
        self._client.put_object(Bucket=self._name, Key=key, Body=body, ContentType="application/json")

    def upload(self, key: str, path: Path, kind: str, recipe: str, ffmpeg_ms: int) -> None:
        """A file as an object: whole, or not at all."""
        more = {"ContentType": kind, "Metadata": {RECIPE_METADATA: recipe, FFMPEG_MS_METADATA: str(ffmpeg_ms)}}
        self._transfer(lambda: self._transfers.upload(os.fspath(path), self._name, key, more))

    def _transfer(self, begin: Callable[[], TransferFuture]) -> None:
        transfer = self._termination.start(lambda: _Transfer(begin()))
        try:
            transfer.future.result()
        except CancelledError:
            self._termination.raise_if_requested()
            raise
        finally:
            self._termination.unregister(transfer)

    def _classify(self, key: str, error: ClientError) -> Exception:
        """What an error says; one without words is asked about again, in a way that is answered with a reason."""
        if _error_code(error) != BAD_REQUEST_CODE:
            return meant(error)
        try:
            self._client.get_object(Bucket=self._name, Key=key, Range="bytes=0-0")
        except ClientError as reason:
            return meant(reason)
        return error


def _error_code(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])

"""S3 gateway of the media job. Small objects are read and written in memory, and large objects as files.

Files are transferred with boto3's transfer manager. If the job has to end, running transfers are cancelled, and
multipart uploads are aborted. If the job is killed, the bucket's lifecycle deletes the uploaded parts.

The metadata of an output object contain its recipe, a text that describes how the object was made. So a later job can
recognise an object that it need not make again. The metadata also contain the time that ffmpeg took.
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

from handlers.common.aws import classify_read_error
from handlers.meetings.media_job.job_termination import JobTermination

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

PART_BYTES: Final = 16 * 1024 * 1024
"""Size of one part of a transfer. S3 allows 10,000 parts, so an output can have up to 156 GiB."""
MAX_REQUESTS: Final = 8
"""Concurrent requests of all transfers together."""
MAX_QUEUED_BLOCKS: Final = 100
"""Maximum number of received blocks of 256 KB that wait in memory for the disk, for all downloads together."""
NOT_FOUND_CODES: Final = frozenset({"404", "NoSuchKey"})
BAD_REQUEST_CODE: Final = "400"
"""Error code if S3 answers a HEAD request with status 400, without a reason. The user may have encrypted the object
with a key of their own, but the credentials may also be invalid.
"""
RECIPE_METADATA: Final = "recipe"
"""Metadata key of the recipe."""
FFMPEG_MS_METADATA: Final = "ffmpeg-ms"
"""Metadata key of the time that ffmpeg took, in milliseconds."""


class ObjectTooLong(Exception):
    """An object is larger than the caller accepts."""


class JobObjectGone(Exception):
    """An object does not exist, or was replaced during the download."""


@dataclass(frozen=True)
class StoredMedia:
    """Size and metadata of an object."""

    size: int
    recipe: str
    """Empty if the object has no recipe, for example an uploaded chunk."""
    ffmpeg_ms: int
    """Time that ffmpeg took to make the object, or 0."""


@dataclass(frozen=True)
class _Transfer:
    """A transfer that is cancelled when the job ends."""

    future: TransferFuture

    def kill(self) -> None:
        self.future.cancel()


class JobBucket:
    """Gateway to one bucket. Once the job has to end, every method raises JobTerminated."""

    def __init__(
        self, client: "S3Client", name: str, termination: JobTermination, part_bytes: int = PART_BYTES
    ) -> None:
        self._client = client
        self._name = name
        self._termination = termination
        config = TransferConfig(
            multipart_threshold=part_bytes + 1,
            multipart_chunksize=part_bytes,
            max_request_concurrency=MAX_REQUESTS,
            max_io_queue_size=MAX_QUEUED_BLOCKS,
        )
        self._transfers = TransferManager(client, config)

    def read(self, key: str, max_bytes: int) -> bytes | None:
        """Return a small object, or None if it does not exist. Raises ObjectTooLong or UnreadableObject."""
        self._termination.raise_if_requested()
        try:
            answer = self._client.get_object(Bucket=self._name, Key=key)
        except ClientError as error:
            if _error_code(error) in NOT_FOUND_CODES:
                return None
            raise classify_read_error(error) from None
        with closing(answer["Body"]) as body:
            if answer["ContentLength"] > max_bytes:
                raise ObjectTooLong
            return body.read()

    def find(self, key: str) -> StoredMedia | None:
        """Return size and metadata of an object, or None if it does not exist. Raises UnreadableObject."""
        self._termination.raise_if_requested()
        try:
            answer = self._client.head_object(Bucket=self._name, Key=key)
        except ClientError as error:
            if _error_code(error) in NOT_FOUND_CODES:
                return None
            raise self._classify(key, error) from None
        metadata = answer["Metadata"]
        milliseconds = metadata.get(FFMPEG_MS_METADATA, "0")
        return StoredMedia(
            answer["ContentLength"],
            metadata.get(RECIPE_METADATA, ""),
            int(milliseconds) if milliseconds.isdecimal() else 0,
        )

    def download(self, key: str, path: Path) -> None:
        """Download an object to a file. Raises JobObjectGone or UnreadableObject."""
        try:
            self._transfer(lambda: self._transfers.download(self._name, key, os.fspath(path)))
        except S3DownloadFailedError:
            raise JobObjectGone from None
        except ClientError as error:
            raise JobObjectGone if _error_code(error) in NOT_FOUND_CODES else self._classify(key, error) from None

    def write(self, key: str, body: bytes) -> None:
        self._termination.raise_if_requested()
        self._client.put_object(Bucket=self._name, Key=key, Body=body, ContentType="application/json")

    def upload(self, key: str, path: Path, content_type: str, recipe: str, ffmpeg_ms: int) -> None:
        """Upload a file with its recipe and ffmpeg's time."""
        extra_arguments = {
            "ContentType": content_type,
            "Metadata": {RECIPE_METADATA: recipe, FFMPEG_MS_METADATA: str(ffmpeg_ms)},
        }
        self._transfer(lambda: self._transfers.upload(os.fspath(path), self._name, key, extra_arguments))

    def _transfer(self, start: Callable[[], TransferFuture]) -> None:
        transfer = self._termination.start(lambda: _Transfer(start()))
        try:
            transfer.future.result()
        except CancelledError:
            self._termination.raise_if_requested()
            raise
        finally:
            self._termination.unregister(transfer)

    def _classify(self, key: str, error: ClientError) -> Exception:
        """Return UnreadableObject or the error itself. After a status 400, a GET request finds out the reason."""
        if _error_code(error) != BAD_REQUEST_CODE:
            return classify_read_error(error)
        try:
            self._client.get_object(Bucket=self._name, Key=key, Range="bytes=0-0")
        except ClientError as reason:
            return classify_read_error(reason)
        return error


def _error_code(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])

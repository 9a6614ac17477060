"""S3 gateway of the media job. JSON files are read and written in memory, and media as files.

A missing object, and an object that S3 refuses to return, are results and not failures, because the client uploads the
chunks, and may archive them or encrypt them with a key of its own. Other errors fail the job.
"""

import hashlib
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import BotoCoreError, ClientError

from handlers.common.unreadable_objects import UnreadableObject, classify_read_error
from handlers.meetings.complete_file import Chunk, ChunkProblem

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

PART_BYTES: Final = 16 * 1024 * 1024
"""Size of one part of an upload. S3 allows 10,000 parts, so an output can have up to 156 GiB."""
DOWNLOAD_ATTEMPTS: Final = 3
"""Attempts to download a chunk. botocore repeats a request, but not a response that breaks off."""
BLOCK_BYTES: Final = 256 * 1024


class ObjectTooLong(Exception):
    """An object is larger than the caller accepts."""


class JobBucket:
    """Gateway to one bucket."""

    def __init__(self, client: "S3Client", name: str) -> None:
        self._client = client
        self._name = name

    def read(self, key: str, max_bytes: int) -> bytes | None:
        """Return a small object, or None if it does not exist. Raises ObjectTooLong or UnreadableObject."""
        try:
            answer = self._client.get_object(Bucket=self._name, Key=key)
        except self._client.exceptions.NoSuchKey:
            return None
        except ClientError as error:
            raise classify_read_error(error) from None
        with closing(answer["Body"]) as body:
            if answer["ContentLength"] > max_bytes:
                raise ObjectTooLong
            return body.read()

    def list_keys(self, prefix: str) -> set[str]:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._name, Prefix=prefix)
        return {item["Key"] for page in pages for item in page.get("Contents", ())}

    def write(self, key: str, text: str) -> None:
        self._client.put_object(Bucket=self._name, Key=key, Body=text.encode(), ContentType="application/json")

    def upload(self, key: str, path: Path, content_type: str) -> None:
        """Upload a file, in parts if it is large. A failed upload leaves no parts."""
        config = TransferConfig(multipart_threshold=PART_BYTES + 1, multipart_chunksize=PART_BYTES)
        with path.open("rb") as file:
            self._client.upload_fileobj(file, self._name, key, ExtraArgs={"ContentType": content_type}, Config=config)

    def download_chunk(self, key: str, chunk: Chunk, path: Path) -> ChunkProblem | None:
        """Download a chunk to a file; return the problem if the object is not what `complete.json` states."""
        for attempt in range(1, DOWNLOAD_ATTEMPTS + 1):
            try:
                return self._download_chunk(key, chunk, path)
            except BotoCoreError:
                if attempt == DOWNLOAD_ATTEMPTS:
                    raise
        return None

    def _download_chunk(self, key: str, chunk: Chunk, path: Path) -> ChunkProblem | None:
        try:
            answer = self._client.get_object(Bucket=self._name, Key=key)
        except self._client.exceptions.NoSuchKey:
            return ChunkProblem.MISSING
        except ClientError as error:
            reason = classify_read_error(error)
            if isinstance(reason, UnreadableObject):
                return ChunkProblem.UNREADABLE
            raise
        digest = hashlib.sha256()
        with closing(answer["Body"]) as body, path.open("wb") as file:
            if answer["ContentLength"] != chunk.bytes:
                return ChunkProblem.SIZE
            while block := body.read(BLOCK_BYTES):
                digest.update(block)
                file.write(block)
        return None if digest.hexdigest() == chunk.sha256 else ChunkProblem.HASH

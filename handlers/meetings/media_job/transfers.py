"""Transfers of the media job: it downloads chunks, and uploads video and audio.

A chunk that is missing, or that S3 refuses to return, is a result and not a failure, because the client uploads the
chunks, and may archive them or encrypt them with a key of its own. Other errors fail the job.
"""

import hashlib
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import BotoCoreError, ClientError

from handlers.common.unreadable_objects import UNREADABLE_CODES
from handlers.meetings.complete_file import Chunk, ChunkProblem

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

PART_BYTES: Final = 16 * 1024 * 1024
"""Size of one part of an upload. S3 allows 10,000 parts, so an output can have up to 156 GiB."""
DOWNLOAD_ATTEMPTS: Final = 3
"""Attempts to download a chunk. botocore repeats a request, but not a response that breaks off."""
BLOCK_BYTES: Final = 256 * 1024


def upload_file(client: "S3Client", bucket: str, key: str, path: Path, content_type: str) -> None:
    """Upload a file, in parts if it is large. A failed upload leaves no parts."""
    config = TransferConfig(multipart_threshold=PART_BYTES + 1, multipart_chunksize=PART_BYTES)
    client.upload_file(str(path), bucket, key, ExtraArgs={"ContentType": content_type}, Config=config)


def download_chunk(client: "S3Client", bucket: str, key: str, chunk: Chunk, path: Path) -> ChunkProblem | None:
    """Download a chunk to a file; return the problem if the object is not what `complete.json` states."""
    for _ in range(DOWNLOAD_ATTEMPTS - 1):
        try:
            return _download_once(client, bucket, key, chunk, path)
        except BotoCoreError:
            continue
    return _download_once(client, bucket, key, chunk, path)


def _download_once(client: "S3Client", bucket: str, key: str, chunk: Chunk, path: Path) -> ChunkProblem | None:
    try:
        answer = client.get_object(Bucket=bucket, Key=key)
    except client.exceptions.NoSuchKey:
        return ChunkProblem.MISSING
    except ClientError as error:
        if error.response["Error"]["Code"] in UNREADABLE_CODES:
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

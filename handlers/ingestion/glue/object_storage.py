"""Object storage of the Spark job: S3, or a folder that replaces S3 in the benchmark of the job.

The job uses this module for all access to objects, except that on Glue, Spark itself writes the Parquet files. Spark
does not read the source files, because it cannot read a given version of an object.

Objects are named by s3:// URIs. The key in a URI is not URL-encoded. If the environment variable `POLYPHONY_OBJECTS`
names a folder, the URI `s3://<bucket>/<key>` is a file in this folder. Otherwise, it is an S3 object.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from handlers.common.unreadable_objects import UNREADABLE_CODES, UnreadableObject

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

CHUNK_BYTES = 1024 * 1024
FOLDER_VARIABLE = "POLYPHONY_OBJECTS"
"""Environment variable with the path of the folder that replaces S3."""
GONE_CODES = frozenset({"NoSuchKey", "NoSuchVersion", "404", "MethodNotAllowed"})
"""Error codes of S3 for an object that does not exist. `MethodNotAllowed` means that the version is a delete marker."""
KMS_KEY_CODES = frozenset(
    {"AccessDenied", "KMS.DisabledException", "KMS.KMSInvalidStateException", "KMS.NotFoundException"}
)
"""Error codes of S3 for an object whose KMS key the job cannot use. `AccessDenied` can also mean that the job's role
lacks a permission for the object."""
CHANGED_CODES = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"})
"""Error codes of S3 for a write with `If-Match` or `If-None-Match` whose condition is not true: the object has changed,
another request is changing it at this moment, or it was deleted. See "How to prevent object overwrites with conditional
writes" in the S3 User Guide (conditional-writes.html)."""
DELETE_BATCH_SIZE = 1000
"""Maximum number of objects that a DeleteObjects call deletes."""


class ObjectGone(Exception):
    """The object, or this version of it, does not exist."""


class ObjectChanged(Exception):
    """S3 refused a conditional write, because the object was changed, created or deleted since it was last read."""


class StorageFailed(Exception):
    """A request failed or was refused. The message has only operation and error code, or an exception's class, because
    the original message may contain the key.
    """


class ObjectStorage(Protocol):
    """Access to objects by URI. Each method raises StorageFailed if a request to S3 fails or is refused."""

    def read_chunks(self, uri: str, version: str) -> Iterator[bytes]:
        """Yield the content of a version in chunks.

        Raise ObjectGone if the version does not exist. Raise UnreadableObject if S3 refuses its content because of the
        way it was uploaded: with SSE-C, with a KMS key that the job cannot use, or into an archive class.
        """
        ...

    def read(self, uri: str) -> bytes:
        """Return the whole content of an object. Raise ObjectGone if it does not exist."""
        ...

    def read_end(self, uri: str, size: int) -> bytes:
        """Return the last `size` bytes of an object, or its whole content if it is smaller.

        The object must not be empty. Raise ObjectGone if it does not exist.
        """
        ...

    def put(self, uri: str, body: bytes) -> None: ...

    def find_etag(self, uri: str) -> str | None:
        """Return the ETag of an object's content, or None if the object does not exist."""
        ...

    def put_if_unchanged(self, uri: str, body: bytes, etag: str | None) -> None:
        """Replace the object that has this ETag, or create an object if `etag` is None.

        Raise ObjectChanged if the object has another ETag, no longer exists, or exists although `etag` is None.
        """
        ...

    def list_uris(self, prefix: str) -> list[str]:
        """Return the URIs that start with a prefix, sorted."""
        ...

    def delete(self, uris: Iterable[str]) -> None:
        """Delete objects of one bucket. An object that does not exist is no error."""
        ...


def split_uri(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def open_storage(uri: str) -> ObjectStorage:
    """Return the storage for s3:// URIs: S3, or the folder that replaces it."""
    if not uri.startswith("s3://"):
        raise ValueError("the URI of an object must start with s3://")
    folder = os.environ.get(FOLDER_VARIABLE)
    return FolderStorage(Path(folder)) if folder else S3Storage(_client())


@cache
def _client() -> "S3Client":
    # More attempts than boto3's default, because a run reads many files at the same time and S3 may throttle.
    attempts = int(os.environ.get("AWS_MAX_ATTEMPTS", "8"))
    config = Config(retries={"mode": "standard", "total_max_attempts": attempts}, max_pool_connections=16)
    return boto3.client("s3", config=config)


class S3Storage:
    def __init__(self, client: "S3Client") -> None:
        self._client = client

    def read_chunks(self, uri: str, version: str) -> Iterator[bytes]:
        bucket, key = split_uri(uri)
        try:
            response = self._client.get_object(Bucket=bucket, Key=key, VersionId=version)
            yield from response["Body"].iter_chunks(CHUNK_BYTES)
        except (ClientError, BotoCoreError) as error:
            code = _error_code(error)
            is_unreadable = code in UNREADABLE_CODES or (
                code in KMS_KEY_CODES and self._has_uploader_kms_key(bucket, key, version)
            )
            raise UnreadableObject if is_unreadable else _translate_error(error) from None

    def read(self, uri: str) -> bytes:
        bucket, key = split_uri(uri)
        with _translated_errors():
            return self._client.get_object(Bucket=bucket, Key=key)["Body"].read()

    def read_end(self, uri: str, size: int) -> bytes:
        bucket, key = split_uri(uri)
        with _translated_errors():
            return self._client.get_object(Bucket=bucket, Key=key, Range=f"bytes=-{size}")["Body"].read()

    def put(self, uri: str, body: bytes) -> None:
        bucket, key = split_uri(uri)
        with _translated_errors():
            self._client.put_object(Bucket=bucket, Key=key, Body=body)

    def find_etag(self, uri: str) -> str | None:
        bucket, key = split_uri(uri)
        try:
            with _translated_errors():
                return self._client.head_object(Bucket=bucket, Key=key)["ETag"]
        except ObjectGone:
            return None

    def put_if_unchanged(self, uri: str, body: bytes, etag: str | None) -> None:
        bucket, key = split_uri(uri)
        with _translated_errors():
            try:
                if etag is None:
                    self._client.put_object(Bucket=bucket, Key=key, Body=body, IfNoneMatch="*")
                else:
                    self._client.put_object(Bucket=bucket, Key=key, Body=body, IfMatch=etag)
            except ClientError as error:
                if _error_code(error) in CHANGED_CODES:
                    raise ObjectChanged from None
                raise

    def list_uris(self, prefix: str) -> list[str]:
        bucket, key = split_uri(prefix)
        with _translated_errors():
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key)
            return sorted(f"s3://{bucket}/{entry['Key']}" for page in pages for entry in page.get("Contents", []))

    def delete(self, uris: Iterable[str]) -> None:
        remaining = sorted(uris)
        while remaining:
            batch, remaining = remaining[:DELETE_BATCH_SIZE], remaining[DELETE_BATCH_SIZE:]
            bucket, _ = split_uri(batch[0])
            with _translated_errors():
                response = self._client.delete_objects(
                    Bucket=bucket, Delete={"Objects": [{"Key": split_uri(uri)[1]} for uri in batch], "Quiet": True}
                )
            if response.get("Errors"):
                raise StorageFailed(f"DeleteObjects: {response['Errors'][0].get('Code', '')}")

    def _has_uploader_kms_key(self, bucket: str, key: str, version: str) -> bool:
        """Return True if S3 refused GetObject because of a KMS key that the uploader chose.

        HeadObject needs the same permission for the object as GetObject, but none for the KMS key
        (https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html). So if HeadObject succeeds for an object
        with a KMS key, this key is the cause. If it fails, the job's role may lack the permission, so return False.
        Also return False if the bucket now encrypts with a KMS key by default, because the uploader may not have chosen
        the key.
        """
        try:
            metadata = self._client.head_object(Bucket=bucket, Key=key, VersionId=version)
            encryption = self._client.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]
        except (ClientError, BotoCoreError):
            return False
        defaults = [rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] for rule in encryption["Rules"]]
        return metadata.get("ServerSideEncryption", "").startswith("aws:kms") and defaults == ["AES256"]


class FolderStorage:
    """Objects as files `<bucket>/<key>` below a folder. Versions that `read_chunks` reads are files in `.versions`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def version_path(self, uri: str, version: str) -> Path:
        """Return the file of a version. Its name is a hash, because a key may be longer than a file name."""
        name = hashlib.sha256(f"{uri}#{version}".encode()).hexdigest()
        return self._root / ".versions" / name

    def read_chunks(self, uri: str, version: str) -> Iterator[bytes]:
        try:
            with self.version_path(uri, version).open("rb") as file:
                while chunk := file.read(CHUNK_BYTES):
                    yield chunk
        except FileNotFoundError:
            raise ObjectGone from None

    def read(self, uri: str) -> bytes:
        try:
            return self._path(uri).read_bytes()
        except FileNotFoundError:
            raise ObjectGone from None

    def read_end(self, uri: str, size: int) -> bytes:
        return self.read(uri)[-size:]

    def put(self, uri: str, body: bytes) -> None:
        path = self._path(uri)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)

    def find_etag(self, uri: str) -> str | None:
        try:
            return hashlib.sha256(self.read(uri)).hexdigest()
        except ObjectGone:
            return None

    def put_if_unchanged(self, uri: str, body: bytes, etag: str | None) -> None:
        # Not atomic, because nothing else writes to the folder during a benchmark.
        if self.find_etag(uri) != etag:
            raise ObjectChanged
        self.put(uri, body)

    def list_uris(self, prefix: str) -> list[str]:
        bucket, key = split_uri(prefix)
        base = self._root / bucket
        keys = (path.relative_to(base).as_posix() for path in base.rglob("*") if path.is_file())
        return sorted(f"s3://{bucket}/{name}" for name in keys if name.startswith(key))

    def delete(self, uris: Iterable[str]) -> None:
        for uri in uris:
            self._path(uri).unlink(missing_ok=True)

    def _path(self, uri: str) -> Path:
        bucket, key = split_uri(uri)
        return self._root / bucket / key


@contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise _translate_error(error) from None


def _translate_error(error: Exception) -> Exception:
    if isinstance(error, ClientError):
        code = _error_code(error)
        return ObjectGone() if code in GONE_CODES else StorageFailed(f"{error.operation_name}: {code}")
    return StorageFailed(type(error).__name__)


def _error_code(error: Exception) -> str:
    """Return S3's error code, or an empty string if S3 gave none."""
    return error.response.get("Error", {}).get("Code", "") if isinstance(error, ClientError) else ""

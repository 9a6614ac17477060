"""All of the job's access to objects. `resolve` is the one place that knows what an address stands for.

On Glue and against the emulator an s3:// address is S3, through boto3: Spark cannot read a tracked version, nor write
conditionally. Where `POLYPHONY_OBJECTS` names a folder, the same addresses are files below it, which benchmarks use.
Keys in an address stand as they are, never URL-encoded, so that any key is possible.
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

from handlers.common.aws.unreadable_objects import CODES, Sealed

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

CHUNK = 1024 * 1024
FOLDER = "POLYPHONY_OBJECTS"
GONE = frozenset({"NoSuchKey", "NoSuchVersion", "404", "MethodNotAllowed"})
"""Answers to reading what is no longer there; the last is given for a version that is a delete marker."""
DELETED_AT_ONCE = 1000


class ObjectGone(Exception):
    """The object, or this version of it, is not there."""


class StorageFailed(Exception):
    """Storage refused. S3's own message may name the key, which belongs in no log: this has operation and code only."""


class Storage(Protocol):
    """Objects by address."""

    def chunks(self, uri: str, version: str) -> Iterator[bytes]:
        """The content of a version, piece by piece."""
        ...

    def read(self, uri: str) -> bytes:
        """The content of an object, all at once."""
        ...

    def put(self, uri: str, body: bytes) -> None:
        """Writes an object: all of it or nothing."""
        ...

    def list_uris(self, prefix: str) -> list[str]:
        """The addresses below a prefix, sorted."""
        ...

    def delete(self, uris: Iterable[str]) -> None:
        """Removes objects; one that is not there is no error."""
        ...


def split(uri: str) -> tuple[str, str]:
    """Bucket and key of an address."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def open_storage(uri: str) -> Storage:
    """The storage that an address is in."""
    if not uri.startswith("s3://"):
        raise ValueError("only s3:// addresses are known")
    folder = os.environ.get(FOLDER)
    return FolderStorage(Path(folder)) if folder else Bucket(_client())


@cache
def _client() -> "S3Client":
    # Standard retries, more than the default: 200 files are read at once, and S3 may ask to slow down.
    attempts = int(os.environ.get("AWS_MAX_ATTEMPTS", "8"))
    config = Config(retries={"mode": "standard", "total_max_attempts": attempts}, max_pool_connections=16)
    return boto3.client("s3", config=config)


class Bucket:
    """S3."""

    def __init__(self, client: "S3Client") -> None:
        self._client = client

    def chunks(self, uri: str, version: str) -> Iterator[bytes]:
        bucket, key = split(uri)
        try:
            answer = self._client.get_object(Bucket=bucket, Key=key, VersionId=version)
            yield from answer["Body"].iter_chunks(CHUNK)
        except (ClientError, BotoCoreError) as error:
            raise Sealed if _code(error) in CODES else _translated(error) from None

    def read(self, uri: str) -> bytes:
        bucket, key = split(uri)
        with _asking():
            return self._client.get_object(Bucket=bucket, Key=key)["Body"].read()

    def put(self, uri: str, body: bytes) -> None:
        bucket, key = split(uri)
        with _asking():
            self._client.put_object(Bucket=bucket, Key=key, Body=body)

    def list_uris(self, prefix: str) -> list[str]:
        bucket, key = split(prefix)
        with _asking():
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key)
            return sorted(f"s3://{bucket}/{one['Key']}" for page in pages for one in page.get("Contents", []))

    def delete(self, uris: Iterable[str]) -> None:
        left = sorted(uris)
        while left:
            some, left = left[:DELETED_AT_ONCE], left[DELETED_AT_ONCE:]
            bucket, _ = split(some[0])
            with _asking():
                answer = self._client.delete_objects(
                    Bucket=bucket, Delete={"Objects": [{"Key": split(one)[1]} for one in some], "Quiet": True}
                )
            if answer.get("Errors"):
                raise StorageFailed(f"DeleteObjects: {answer['Errors'][0].get('Code', '')}")


class FolderStorage:
    """Files below a folder: `<bucket>/<key>`, and each version of a source object where `version_path` says."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def version_path(self, uri: str, version: str) -> Path:
        """Where a version is staged: by hash, because a key may be longer than a file's name."""
        name = hashlib.sha256(f"{uri}#{version}".encode()).hexdigest()
        return self._root / ".versions" / name

    def chunks(self, uri: str, version: str) -> Iterator[bytes]:
        try:
            with self.version_path(uri, version).open("rb") as file:
                while chunk := file.read(CHUNK):
                    yield chunk
        except FileNotFoundError:
            raise ObjectGone from None

    def read(self, uri: str) -> bytes:
        try:
            return self._path(uri).read_bytes()
        except FileNotFoundError:
            raise ObjectGone from None

    def put(self, uri: str, body: bytes) -> None:
        path = self._path(uri)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.partial")
        partial.write_bytes(body)
        partial.replace(path)

    def list_uris(self, prefix: str) -> list[str]:
        bucket, key = split(prefix)
        base = self._root / bucket
        files = (one.relative_to(base).as_posix() for one in base.rglob("*") if one.is_file())
        return sorted(f"s3://{bucket}/{one}" for one in files if one.startswith(key))

    def delete(self, uris: Iterable[str]) -> None:
        for uri in uris:
            self._path(uri).unlink(missing_ok=True)

    def _path(self, uri: str) -> Path:
        bucket, key = split(uri)
        return self._root / bucket / key


@contextmanager
def _asking() -> Iterator[None]:
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise _translated(error) from None


def _translated(error: Exception) -> Exception:
    if isinstance(error, ClientError):
        code = _code(error)
        return ObjectGone() if code in GONE else StorageFailed(f"{error.operation_name}: {code}")
    return StorageFailed(type(error).__name__)


def _code(error: Exception) -> str:
    """What S3 says; nothing where it said nothing."""
    return error.response.get("Error", {}).get("Code", "") if isinstance(error, ClientError) else ""

"""Object storage of the Spark job: S3 (moto's) and a folder behave in the same way.

If S3 refuses to return a version, either the version is unreadable, for example because of its encryption, or the
storage fails, because the refusal may concern all files.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from handlers.common.unreadable_objects import UnreadableObject
from handlers.ingestion.glue import object_storage as module
from handlers.ingestion.glue.object_storage import (
    FolderStorage,
    ObjectChanged,
    ObjectGone,
    ObjectStorage,
    S3Storage,
    StorageFailed,
    open_storage,
    split_uri,
)
from tests.credentials import credentials

KEYS = ["a/b.txt", "a/ü +%&?.txt", "a/100%25#x.txt"]


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    credentials(monkeypatch)
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="landing")
        client.put_bucket_versioning(Bucket="landing", VersioningConfiguration={"Status": "Enabled"})
        client.create_bucket(Bucket="lake")
        yield client


@pytest.fixture(params=["s3", "folder"])
def storage(request: pytest.FixtureRequest, tmp_path: Path, client: Any) -> ObjectStorage:
    return S3Storage(client) if request.param == "s3" else FolderStorage(tmp_path)


def put_version(storage: ObjectStorage, client: Any, uri: str, body: bytes) -> str:
    """Write a new version of a source file and return its id."""
    bucket, key = split_uri(uri)
    if isinstance(storage, FolderStorage):
        path = storage.version_path(uri, f"v{len(body)}")
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(body)
        return f"v{len(body)}"
    version: str = client.put_object(Bucket=bucket, Key=key, Body=body)["VersionId"]
    return version


@pytest.mark.parametrize("key", [*KEYS, "k" * 1024])
def test_each_version_of_an_object_is_read_by_its_own_id(storage: ObjectStorage, client: Any, key: str) -> None:
    uri = f"s3://landing/{key}"
    first, second = put_version(storage, client, uri, b"one"), put_version(storage, client, uri, b"other")
    assert b"".join(storage.read_chunks(uri, first)) == b"one"
    assert b"".join(storage.read_chunks(uri, second)) == b"other"


def test_a_missing_version_raises_object_gone(storage: ObjectStorage, client: Any) -> None:
    version = put_version(storage, client, "s3://landing/a", b"one")
    for uri, other_version in (("s3://landing/b", version), ("s3://landing/a", "00000000-0000-0000-0000-000000000000")):
        with pytest.raises(ObjectGone):
            list(storage.read_chunks(uri, other_version))
    with pytest.raises(ObjectGone):
        storage.read("s3://lake/a")


def test_a_deleted_version_and_a_delete_marker_raise_object_gone(client: Any) -> None:
    version = client.put_object(Bucket="landing", Key="a", Body=b"x")["VersionId"]
    marker = client.delete_object(Bucket="landing", Key="a")["VersionId"]
    assert b"".join(S3Storage(client).read_chunks("s3://landing/a", version)) == b"x", (
        "a delete marker hides no version that is read by its id"
    )
    with pytest.raises(ObjectGone):
        list(S3Storage(client).read_chunks("s3://landing/a", marker))
    client.delete_object(Bucket="landing", Key="a", VersionId=version)
    with pytest.raises(ObjectGone):
        list(S3Storage(client).read_chunks("s3://landing/a", version))


@pytest.mark.parametrize("storage_class", ["GLACIER", "DEEP_ARCHIVE"])
def test_an_archived_version_is_unreadable(client: Any, storage_class: str) -> None:
    version = client.put_object(Bucket="landing", Key="a", Body=b"x", StorageClass=storage_class)["VersionId"]
    with pytest.raises(UnreadableObject):
        list(S3Storage(client).read_chunks("s3://landing/a", version))


def refuse(client: Any, monkeypatch: pytest.MonkeyPatch, operation: str, code: str) -> None:
    """Let S3 refuse all requests of an operation, with a message that must not be in any error of the storage."""

    def raise_error(**_: object) -> None:
        raise ClientError({"Error": {"Code": code, "Message": "canary"}}, operation)

    monkeypatch.setattr(client, operation, raise_error)


def test_a_version_with_a_customer_provided_key_is_unreadable(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(client, monkeypatch, "get_object", "InvalidRequest")
    with pytest.raises(UnreadableObject, match=r"^$"):
        list(S3Storage(client).read_chunks("s3://landing/canary", "v"))
    with pytest.raises(StorageFailed, match=r"^get_object: InvalidRequest$"):  # no object of the lake has such a key
        S3Storage(client).read("s3://lake/canary")


FOREIGN_KEY = "arn:aws:kms:us-east-1:999999999999:key/0b6f3ba7-6b1b-4a93-8d12-1f0d8c1b7c11"


def put_encrypted(client: Any, bucket_encryption: str = "AES256", **encryption: str) -> str:
    """Write a version to a bucket with a default encryption. Without an encryption, it has a foreign KMS key."""
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": bucket_encryption}}
    client.put_bucket_encryption(Bucket="landing", ServerSideEncryptionConfiguration={"Rules": [rule]})
    encryption = encryption or {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": FOREIGN_KEY}
    version: str = client.put_object(Bucket="landing", Key="canary", Body=b"x", **encryption)["VersionId"]
    return version


@pytest.mark.parametrize(
    "code", ["AccessDenied", "KMS.DisabledException", "KMS.NotFoundException", "KMS.KMSInvalidStateException"]
)
def test_a_version_with_a_kms_key_that_the_job_cannot_use_is_unreadable(
    client: Any, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    version = put_encrypted(client)
    refuse(client, monkeypatch, "get_object", code)
    with pytest.raises(UnreadableObject, match=r"^$"):
        list(S3Storage(client).read_chunks("s3://landing/canary", version))


@pytest.mark.parametrize(
    ("code", "bucket_encryption", "encryption", "refused_operation"),
    [
        pytest.param("AccessDenied", "AES256", {"ServerSideEncryption": "AES256"}, "", id="version without KMS key"),
        pytest.param("AccessDenied", "AES256", {}, "head_object", id="version's key unknown"),
        pytest.param("AccessDenied", "AES256", {}, "get_bucket_encryption", id="bucket's encryption unknown"),
        pytest.param("AccessDenied", "aws:kms", {}, "", id="bucket's default is a KMS key"),
        pytest.param("SlowDown", "AES256", {}, "", id="throttled"),
    ],
)
def test_a_refusal_that_may_concern_all_files_is_a_failure_of_the_storage(
    client: Any,
    monkeypatch: pytest.MonkeyPatch,
    code: str,
    bucket_encryption: str,
    encryption: dict[str, str],
    refused_operation: str,
) -> None:
    version = put_encrypted(client, bucket_encryption, **encryption)
    refuse(client, monkeypatch, "get_object", code)
    if refused_operation:
        refuse(client, monkeypatch, refused_operation, "403")
    with pytest.raises(StorageFailed, match=f"^get_object: {code}$"):
        list(S3Storage(client).read_chunks("s3://landing/canary", version))


def test_objects_are_written_listed_and_deleted(storage: ObjectStorage) -> None:
    for key in KEYS:
        storage.put(f"s3://lake/{key}", key.encode())
    assert storage.read(f"s3://lake/{KEYS[1]}") == KEYS[1].encode()
    assert storage.list_uris("s3://lake/a/") == sorted(f"s3://lake/{key}" for key in KEYS)
    assert storage.list_uris("s3://lake/a/b") == ["s3://lake/a/b.txt"]
    storage.delete(["s3://lake/a/b.txt", "s3://lake/missing"])
    storage.delete([])
    assert storage.list_uris("s3://lake/a/") == sorted(f"s3://lake/{key}" for key in KEYS[1:])


def test_a_conditional_write_replaces_only_the_object_that_was_read(storage: ObjectStorage) -> None:
    uri = "s3://lake/a"
    assert storage.find_etag(uri) is None
    storage.put_if_unchanged(uri, b"one", None)
    with pytest.raises(ObjectChanged):
        storage.put_if_unchanged(uri, b"two", None)
    old_etag = storage.find_etag(uri)
    storage.put_if_unchanged(uri, b"two", old_etag)
    with pytest.raises(ObjectChanged):
        storage.put_if_unchanged(uri, b"three", old_etag)
    assert storage.read(uri) == b"two"
    storage.delete([uri])
    with pytest.raises(ObjectChanged):
        storage.put_if_unchanged(uri, b"three", old_etag)
    assert storage.find_etag(uri) is None


def test_a_conflict_with_a_simultaneous_request_counts_as_a_change_of_the_object(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(client, monkeypatch, "put_object", "ConditionalRequestConflict")
    with pytest.raises(ObjectChanged):
        S3Storage(client).put_if_unchanged("s3://lake/a", b"", None)


def test_the_end_of_an_object_is_read(storage: ObjectStorage) -> None:
    storage.put("s3://lake/a", b"0123456789")
    assert storage.read_end("s3://lake/a", 4) == b"6789"
    assert storage.read_end("s3://lake/a", 40) == b"0123456789"
    with pytest.raises(ObjectGone):
        storage.read_end("s3://lake/b", 4)


def test_objects_are_deleted_in_several_calls(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DELETE_BATCH_SIZE", 2)
    storage = S3Storage(client)
    for number in range(5):
        storage.put(f"s3://lake/{number}", b"")
    storage.delete(storage.list_uris("s3://lake/"))
    assert not storage.list_uris("s3://lake/")


def test_an_object_that_cannot_be_deleted_is_a_failure(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "delete_objects", lambda **_: {"Errors": [{"Key": "canary", "Code": "AccessDenied"}]})
    with pytest.raises(StorageFailed, match=r"^DeleteObjects: AccessDenied$"):
        S3Storage(client).delete(["s3://lake/canary"])


def test_an_error_of_storage_contains_no_key(client: Any) -> None:
    with pytest.raises(StorageFailed) as error:
        S3Storage(client).put("s3://no-such-bucket-/canary", b"canary")
    assert "canary" not in str(error.value)
    assert error.value.__cause__ is None
    assert error.value.__suppress_context__


def test_the_environment_decides_which_storage_a_uri_refers_to(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(module.FOLDER_VARIABLE, raising=False)
    credentials(monkeypatch)
    assert isinstance(open_storage("s3://lake/a"), S3Storage)
    monkeypatch.setenv(module.FOLDER_VARIABLE, str(tmp_path))
    assert isinstance(open_storage("s3://lake/a"), FolderStorage)
    with pytest.raises(ValueError, match="s3://"):
        open_storage("/a")
    assert split_uri("s3://b//a%2F/?x#y ") == ("b", "/a%2F/?x#y "), "a key is not decoded"

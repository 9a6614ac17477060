"""Lectures in the audio bucket: what is read of one, which version of one is current, and what there is.

Reads name the version that was announced. A bucket may keep no versions; so every answer is compared with the
announced ETag too, and an object that was overwritten meanwhile is gone like one that was deleted.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from handlers.common.audio.ranged_file import RangedFile
from handlers.common.aws.s3_notifications import NULL_VERSION_ID, NewObject

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

GONE = {"NoSuchKey", "NoSuchVersion"}
NOT_FOUND = "404"
"""What HeadObject, which has no body, says for either."""


class ObjectGone(Exception):
    """The version that was announced is no longer there."""


class LectureBucket:
    """Reads and lists; writes nothing."""

    def __init__(self, client: "S3Client", name: str, page_size: int = 1000) -> None:
        self.name = name
        self._client = client
        self._page_size = page_size

    def open(self, one: NewObject) -> RangedFile:
        """An object as a file. Nothing is read yet."""
        version: dict[str, Any] = {} if one.version_id == NULL_VERSION_ID else {"VersionId": one.version_id}

        def fetch(start: int, length: int) -> bytes:
            try:
                answer = self._client.get_object(
                    Bucket=self.name, Key=one.key, Range=f"bytes={start}-{start + length - 1}", **version
                )
            except ClientError as error:
                if error.response["Error"]["Code"] in GONE:
                    raise ObjectGone from None
                raise
            with answer["Body"] as body:
                if one.etag and _bare(answer["ETag"]) != one.etag:
                    raise ObjectGone
                return body.read()

        return RangedFile(fetch, one.size)

    def is_current(self, one: NewObject) -> bool:
        """Whether this is what the bucket gives for its key now."""
        try:
            head = self._client.head_object(Bucket=self.name, Key=one.key)
        except ClientError as error:
            if error.response["Error"]["Code"] == NOT_FOUND:
                return False
            raise
        same_version = head.get("VersionId", NULL_VERSION_ID) == one.version_id
        return same_version and _bare(head["ETag"]) == one.etag

    def pages(self, prefix: str, after: str, until: str | None = None) -> Iterator[list[NewObject]]:
        """Current versions of objects below a prefix, behind one key and not behind another, page by page."""
        begin: dict[str, Any] = {"KeyMarker": after} if after else {}
        while True:
            answer = self._client.list_object_versions(
                Bucket=self.name, Prefix=prefix, MaxKeys=self._page_size, **begin
            )
            found = [one for one in answer.get("Versions", []) if until is None or one["Key"] <= until]
            yield [
                NewObject(
                    bucket=self.name,
                    key=one["Key"],
                    version_id=one["VersionId"],
                    size=one["Size"],
                    etag=_bare(one["ETag"]),
                    arrived=one["LastModified"],
                )
                for one in found
                if one["IsLatest"]
            ]
            if not answer.get("IsTruncated") or len(found) < len(answer.get("Versions", [])):
                return
            begin = {"KeyMarker": answer["NextKeyMarker"], "VersionIdMarker": answer["NextVersionIdMarker"]}


def _bare(etag: str) -> str:
    return etag.strip('"')

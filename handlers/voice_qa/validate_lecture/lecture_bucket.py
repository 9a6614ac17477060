"""Gateway for lectures in the audio bucket: read a version, check whether it is current, and list current versions.

A read requests the version that a notification or a listing names. In a bucket without versioning, the object may have
been overwritten since then. So the ETag of the response is compared with the ETag in the notification or listing, and
an overwritten object is treated like a deleted object.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from handlers.common.audio.ranged_file import RangedFile
from handlers.common.aws.s3_notifications import NULL_VERSION_ID, NewObject

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

GONE_CODES = {"NoSuchKey", "NoSuchVersion"}
"""Error codes of GetObject if the object or the version does not exist."""
NOT_FOUND = "404"
"""Error code of HeadObject, whose response has no body, if the object or the version does not exist."""


class ObjectGone(Exception):
    """The object version that a notification or a listing named no longer exists."""


class LectureBucket:
    """Read-only gateway for the audio bucket."""

    def __init__(self, client: "S3Client", name: str, page_size: int = 1000) -> None:
        self.name = name
        self._client = client
        self._page_size = page_size

    def open(self, new_object: NewObject) -> RangedFile:
        """Return an object as a file that fetches the parts which its caller reads. Nothing is fetched yet."""
        version: dict[str, Any] = (
            {} if new_object.version_id == NULL_VERSION_ID else {"VersionId": new_object.version_id}
        )

        def fetch(start: int, length: int) -> bytes:
            try:
                answer = self._client.get_object(
                    Bucket=self.name, Key=new_object.key, Range=f"bytes={start}-{start + length - 1}", **version
                )
            except ClientError as error:
                if error.response["Error"]["Code"] in GONE_CODES:
                    raise ObjectGone from None
                raise
            with answer["Body"] as body:
                if new_object.etag and _unquote(answer["ETag"]) != new_object.etag:
                    raise ObjectGone
                return body.read()

        return RangedFile(fetch, new_object.size)

    def is_current(self, new_object: NewObject) -> bool:
        """Return True if this version is the current version of its key."""
        try:
            head = self._client.head_object(Bucket=self.name, Key=new_object.key)
        except ClientError as error:
            if error.response["Error"]["Code"] == NOT_FOUND:
                return False
            raise
        same_version = head.get("VersionId", NULL_VERSION_ID) == new_object.version_id
        return same_version and _unquote(head["ETag"]) == new_object.etag

    def pages(self, prefix: str, after: str, until: str | None = None) -> Iterator[list[NewObject]]:
        """Yield pages of the current versions below a prefix, after the key `after` and up to the key `until`."""
        begin: dict[str, Any] = {"KeyMarker": after} if after else {}
        while True:
            answer = self._client.list_object_versions(
                Bucket=self.name, Prefix=prefix, MaxKeys=self._page_size, **begin
            )
            versions = [version for version in answer.get("Versions", []) if until is None or version["Key"] <= until]
            yield [
                NewObject(
                    bucket=self.name,
                    key=version["Key"],
                    version_id=version["VersionId"],
                    size=version["Size"],
                    etag=_unquote(version["ETag"]),
                    arrived=version["LastModified"],
                )
                for version in versions
                if version["IsLatest"]
            ]
            # Keys are listed in order, so after the first key beyond `until`, all further keys are beyond it too.
            if not answer.get("IsTruncated") or len(versions) < len(answer.get("Versions", [])):
                return
            begin = {"KeyMarker": answer["NextKeyMarker"], "VersionIdMarker": answer["NextVersionIdMarker"]}


def _unquote(etag: str) -> str:
    return etag.strip('"')

"""Gateway for lectures in the audio bucket: read a version, and check whether it is current.

A read requests the version that a notification names. In a bucket without versioning, the object may have been
overwritten since then. So the ETag of the response is compared with the ETag in the notification, and an overwritten
object is treated like a deleted object.
"""

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from handlers.common.events import NULL_VERSION_ID, NewObject
from handlers.voice_qa.validate_lecture.lecture_audio import RangedFile

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

GONE_CODES = {"NoSuchKey", "NoSuchVersion"}
"""Error codes of GetObject if the object or the version does not exist."""
NOT_FOUND = "404"
"""Error code of HeadObject, whose response has no body, if the object or the version does not exist."""


class ObjectGone(Exception):
    """The object version that a notification named no longer exists."""


class LectureBucket:
    """Read-only gateway for the audio bucket."""

    def __init__(self, client: "S3Client", name: str) -> None:
        self.name = name
        self._client = client

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


def _unquote(etag: str) -> str:
    return etag.strip('"')

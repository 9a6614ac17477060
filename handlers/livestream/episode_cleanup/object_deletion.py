"""Objects of an episode, all versions of them, and uploads in parts that were never completed: deleted."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from handlers.livestream.s3_prefixes import CHUNKS, TRANSCRIPTS, VIDEOS

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client
    from types_boto3_s3.type_defs import ObjectIdentifierTypeDef

PREFIXES = (VIDEOS, TRANSCRIPTS, CHUNKS)


class ObjectsNotDeleted(Exception):
    """S3 did not delete everything it was asked to."""


class EpisodeObjects:
    """What the bucket has of episodes."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def delete(self, owner: str, episode_id: str) -> int:
        """Deletes all objects of an episode, and says how many versions there were."""
        below = f"{owner}/{episode_id}/"
        # Uploads first: one that is completed meanwhile is an object by then. Videos alone come in parts.
        for key, upload_id in list(self._uploads(f"{VIDEOS}{below}")):
            self._abort(key, upload_id)
        return sum(self._delete(page) for prefix in PREFIXES for page in self._versions(f"{prefix}{below}"))

    def _uploads(self, prefix: str) -> Iterator[tuple[str, str]]:
        pages = self._client.get_paginator("list_multipart_uploads").paginate(Bucket=self._bucket, Prefix=prefix)
        for page in pages:
            for one in page.get("Uploads", ()):
                yield one["Key"], one["UploadId"]

    def _abort(self, key: str, upload_id: str) -> None:
        try:
            self._client.abort_multipart_upload(Bucket=self._bucket, Key=key, UploadId=upload_id)
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchUpload":
                raise

    def _versions(self, prefix: str) -> "Iterator[list[ObjectIdentifierTypeDef]]":
        """Pages of at most a thousand, as many as one call deletes."""
        pages = self._client.get_paginator("list_object_versions").paginate(Bucket=self._bucket, Prefix=prefix)
        for page in pages:
            found: list[Any] = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
            if found:
                yield [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in found]

    def _delete(self, versions: "list[ObjectIdentifierTypeDef]") -> int:
        answer = self._client.delete_objects(Bucket=self._bucket, Delete={"Objects": versions, "Quiet": True})
        if answer.get("Errors"):
            raise ObjectsNotDeleted
        return len(versions)

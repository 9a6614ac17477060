"""Deletion of all S3 data of an episode: every version of its objects, and incomplete multipart uploads."""

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from handlers.livestream.s3_prefixes import CHUNKS, TRANSCRIPTS, VIDEOS

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client
    from types_boto3_s3.type_defs import ObjectIdentifierTypeDef

PREFIXES = (VIDEOS, TRANSCRIPTS, CHUNKS)
"""Prefixes below which an episode has objects. The function's role may list and delete objects there."""


class ObjectsNotDeleted(Exception):
    """S3 did not delete some of the objects."""


class EpisodeObjects:
    """Deletes the objects of single episodes from the bucket, which all episodes share."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def delete(self, owner: str, episode_id: str) -> None:
        episode_folder = f"{owner}/{episode_id}/"
        # Uploads are aborted first. If a client completes one before that, it becomes an object and is deleted below.
        # Only videos are uploaded in parts.
        paginator = self._client.get_paginator("list_multipart_uploads")
        pages = list(paginator.paginate(Bucket=self._bucket, Prefix=f"{VIDEOS}{episode_folder}"))
        for page in pages:
            for upload in page.get("Uploads", ()):
                self._abort(upload["Key"], upload["UploadId"])
        for prefix in PREFIXES:
            self._delete_versions(f"{prefix}{episode_folder}")

    def _abort(self, key: str, upload_id: str) -> None:
        try:
            self._client.abort_multipart_upload(Bucket=self._bucket, Key=key, UploadId=upload_id)
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchUpload":
                raise

    def _delete_versions(self, prefix: str) -> None:
        """Delete all versions and delete markers. A page has at most 1,000, the maximum of one DeleteObjects call."""
        pages = self._client.get_paginator("list_object_versions").paginate(Bucket=self._bucket, Prefix=prefix)
        for page in pages:
            versions: list[Any] = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
            if not versions:
                continue
            objects: list[ObjectIdentifierTypeDef] = [
                {"Key": version["Key"], "VersionId": version["VersionId"]} for version in versions
            ]
            answer = self._client.delete_objects(Bucket=self._bucket, Delete={"Objects": objects, "Quiet": True})
            if answer.get("Errors"):
                raise ObjectsNotDeleted

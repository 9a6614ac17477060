"""The landing bucket, as it is listed: every version of every object below a prefix, page by page."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from handlers.ingestion.files import ArrivedFile

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client


@dataclass(frozen=True)
class Marker:
    """Where a page begins."""

    key: str
    version_id: str


@dataclass(frozen=True)
class Page:
    """Some versions, and where the next page begins."""

    files: list[ArrivedFile]
    following: Marker | None


class Landing:
    """Lists what landed."""

    def __init__(self, client: "S3Client", bucket: str, prefix: str, page_size: int = 1000) -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = prefix
        self._page_size = page_size

    def page(self, start: Marker | None) -> Page:
        """One page of versions; marks of deleted objects are none."""
        begin: dict[str, Any] = {} if start is None else {"KeyMarker": start.key, "VersionIdMarker": start.version_id}
        answer = self._client.list_object_versions(
            Bucket=self._bucket, Prefix=self._prefix, MaxKeys=self._page_size, **begin
        )
        files = [
            ArrivedFile(
                bucket=self._bucket,
                key=one["Key"],
                version_id=one["VersionId"],
                size=one["Size"],
                etag=one["ETag"].strip('"'),
                arrived=one["LastModified"],
            )
            for one in answer.get("Versions", [])
        ]
        more = answer.get("IsTruncated", False)
        return Page(files, Marker(answer["NextKeyMarker"], answer["NextVersionIdMarker"]) if more else None)

"""Objects of the meetings' bucket that are read and written whole, with GetObject, PutObject and ListObjectsV2."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from handlers.common.aws.service_faults import Fault, ServiceFailed, called
from handlers.meetings.summary_errors import StorageFailed

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client
    from types_boto3_s3.type_defs import ObjectTypeDef

JSON = "application/json"


class MeetingStore:
    """One bucket. Raises StorageFailed, which names no key."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def read(self, key: str, longest: int) -> bytes | None:
        """What an object holds; none where it is not there. Of one that is longer, one byte more than is taken."""

        def whole() -> Mapping[str, Any]:
            with self._client.get_object(Bucket=self._bucket, Key=key)["Body"] as body:
                return {"data": body.read(longest + 1)}

        try:
            data: bytes = called(whole)["data"]
        except ServiceFailed as error:
            fault = error.fault
        else:
            return data
        if fault is Fault.MISSING:
            return None
        raise StorageFailed(fault)

    def write(self, key: str, data: str) -> None:
        """Keeps it, in place of what was there."""
        self._put(key, data)

    def write_new(self, key: str, data: str) -> bool:
        """Keeps it unless something is there already; whether it did."""
        return self._put(key, data, IfNoneMatch="*")

    def exists(self, key: str) -> bool:
        """Return True if the object exists. A listing needs no permission to read the object."""
        return key in self.list_modified_times(key)

    def list_modified_times(self, prefix: str) -> dict[str, datetime]:
        """Return when each of the first thousand objects below a prefix was written."""
        return {item["Key"]: item["LastModified"] for item in next(self.list_pages(prefix))}

    def list_pages(self, prefix: str) -> "Iterator[list[ObjectTypeDef]]":
        """List the objects below a prefix, a thousand at a time."""
        for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix):
            yield page.get("Contents", [])

    def _put(self, key: str, data: str, **condition: str) -> bool:
        request = {"Bucket": self._bucket, "Key": key, "Body": data.encode(), "ContentType": JSON, **condition}
        try:
            called(self._client.put_object, **request)
        except ServiceFailed as error:
            fault = error.fault
        else:
            return True
        if fault is Fault.CONFLICT:
            return False
        raise StorageFailed(fault)

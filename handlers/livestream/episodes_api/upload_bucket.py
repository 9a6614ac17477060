"""Uploads as S3 takes them: forms and addresses that are signed here, and parts that S3 puts together.

Forms and addresses are signed without asking anybody.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from handlers.livestream.api_models import MultipartUpload, Part, PartUrl, UploadForm

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

_NOT_FOUND = frozenset({"403", "404"})
"""What HeadObject, which has no body, says of what is not there: 403 to those who may not list the bucket."""


class CompletionResult(StrEnum):
    """What S3 makes of parts."""

    DONE = "done"
    UNKNOWN = "unknown"
    """There is no such upload in parts, or no longer."""
    REFUSED = "refused"
    """The parts are not what was uploaded, or not what was promised."""


_REFUSALS = {
    "NoSuchUpload": CompletionResult.UNKNOWN,
    "InvalidPart": CompletionResult.REFUSED,
    "InvalidPartOrder": CompletionResult.REFUSED,
    "InvalidRequest": CompletionResult.REFUSED,
    "EntityTooSmall": CompletionResult.REFUSED,
}


@dataclass(frozen=True)
class UploadTarget:
    """Where an upload goes, and what it is."""

    key: str
    content_type: str
    size: int


class UploadBucket:
    """The bucket of uploads."""

    def __init__(self, client: "S3Client", name: str, url_seconds: int) -> None:
        """`client` is made with `signing`; forms and addresses hold for `url_seconds`."""
        self._client = client
        self._name = name
        self.url_seconds = url_seconds

    def form(self, place: UploadTarget) -> UploadForm:
        """A form for one key, one content type and one size."""
        content_type = {"Content-Type": place.content_type}
        post = self._client.generate_presigned_post(
            self._name,
            place.key,
            Fields=dict(content_type),
            Conditions=[content_type, ["content-length-range", place.size, place.size]],
            ExpiresIn=self.url_seconds,
        )
        return UploadForm(url=post["url"], fields=post["fields"])

    def in_parts(self, place: UploadTarget, part_bytes: int, parts: int) -> MultipartUpload:
        """Begins an upload in parts, with an address for each."""
        begun = self._client.create_multipart_upload(Bucket=self._name, Key=place.key, ContentType=place.content_type)
        return self.signed(place, begun["UploadId"], part_bytes, parts)

    def signed(self, place: UploadTarget, multipart_id: str, part_bytes: int, parts: int) -> MultipartUpload:
        """An upload in parts, with a new address for each; whether it was begun, S3 tells who uses them."""
        urls = (self._part_url(place.key, multipart_id, number) for number in range(1, parts + 1))
        return MultipartUpload(multipart_id=multipart_id, part_bytes=part_bytes, parts=tuple(urls))

    def complete(self, place: UploadTarget, multipart_id: str, parts: Iterable[Part]) -> CompletionResult:
        """Puts parts together; S3 refuses any other size than the promised one before there is an object."""
        inside = sorted(parts, key=lambda one: one.part_number)
        try:
            self._client.complete_multipart_upload(
                Bucket=self._name,
                Key=place.key,
                UploadId=multipart_id,
                MultipartUpload={"Parts": [{"PartNumber": one.part_number, "ETag": one.etag} for one in inside]},
                MpuObjectSize=place.size,
            )
        except ClientError as error:
            refusal = _REFUSALS.get(error.response["Error"]["Code"])
            if refusal is None:
                raise
            return refusal
        return CompletionResult.DONE

    def size(self, key: str) -> int | None:
        """How large an object is; none where there is none."""
        try:
            return self._client.head_object(Bucket=self._name, Key=key)["ContentLength"]
        except ClientError as error:
            if error.response["Error"]["Code"] in _NOT_FOUND:
                return None
            raise

    def _part_url(self, key: str, multipart_id: str, number: int) -> PartUrl:
        url = self._client.generate_presigned_url(
            "upload_part",
            Params={"Bucket": self._name, "Key": key, "UploadId": multipart_id, "PartNumber": number},
            ExpiresIn=self.url_seconds,
        )
        return PartUrl(part_number=number, url=url)

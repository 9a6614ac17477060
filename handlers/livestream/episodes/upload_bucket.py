"""S3 gateway for uploads: presigned forms and URLs, and multipart uploads.

Presigning is a local computation and calls no AWS service.
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
"""Error codes of HeadObject for a missing object. The response has no body, so the code is the HTTP status: 403 if
the role may not list the bucket, otherwise 404."""


class CompletionResult(StrEnum):
    DONE = "done"
    """S3 created the object."""
    UNKNOWN = "unknown"
    """S3 has no such multipart upload. It never existed, or it was completed or aborted before."""
    REFUSED = "refused"
    """The parts differ from those that were uploaded, a part is too small, or the total size is not the announced
    size."""


_RESULTS_BY_ERROR_CODE = {
    "NoSuchUpload": CompletionResult.UNKNOWN,
    "InvalidPart": CompletionResult.REFUSED,
    "InvalidPartOrder": CompletionResult.REFUSED,
    "InvalidRequest": CompletionResult.REFUSED,
    "EntityTooSmall": CompletionResult.REFUSED,
}
"""Results for those error codes of CompleteMultipartUpload that a client's request can cause."""


@dataclass(frozen=True)
class UploadTarget:
    """Key, content type and size in bytes of an upload."""

    key: str
    content_type: str
    size: int


class UploadBucket:
    """Presigns and completes uploads to one bucket."""

    def __init__(self, client: "S3Client", name: str, url_seconds: int) -> None:
        """`client`: created with `build_presigning_config()`. `url_seconds`: maximum validity of forms and URLs."""
        self._client = client
        self._name = name
        self.url_seconds = url_seconds

    def create_form(self, target: UploadTarget) -> UploadForm:
        """Return a presigned form that accepts only this key, content type and exact size."""
        content_type = {"Content-Type": target.content_type}
        post = self._client.generate_presigned_post(
            self._name,
            target.key,
            Fields=dict(content_type),
            Conditions=[content_type, ["content-length-range", target.size, target.size]],
            ExpiresIn=self.url_seconds,
        )
        return UploadForm(url=post["url"], fields=post["fields"])

    def start_multipart(self, target: UploadTarget, part_bytes: int, part_count: int) -> MultipartUpload:
        """Start a multipart upload; return a presigned URL for each part."""
        response = self._client.create_multipart_upload(
            Bucket=self._name, Key=target.key, ContentType=target.content_type
        )
        return self.sign_parts(target, response["UploadId"], part_bytes, part_count)

    def sign_parts(self, target: UploadTarget, multipart_id: str, part_bytes: int, part_count: int) -> MultipartUpload:
        """Return new presigned URLs for the parts of a multipart upload. Each accepts only a part of the exact size.

        Every part has `part_bytes`, except the last one, which has the rest. S3 checks the multipart id only when a
        client uses a URL.
        """
        urls = (
            self._part_url(target.key, multipart_id, number, min(part_bytes, target.size - (number - 1) * part_bytes))
            for number in range(1, part_count + 1)
        )
        return MultipartUpload(multipart_id=multipart_id, part_bytes=part_bytes, parts=tuple(urls))

    def complete(self, target: UploadTarget, multipart_id: str, parts: Iterable[Part]) -> CompletionResult:
        """Complete a multipart upload.

        If the total size differs from the announced one, S3 refuses and creates no object.
        """
        sorted_parts = sorted(parts, key=lambda part: part.part_number)
        try:
            self._client.complete_multipart_upload(
                Bucket=self._name,
                Key=target.key,
                UploadId=multipart_id,
                MultipartUpload={
                    "Parts": [{"PartNumber": part.part_number, "ETag": part.etag} for part in sorted_parts]
                },
                MpuObjectSize=target.size,
            )
        except ClientError as error:
            result = _RESULTS_BY_ERROR_CODE.get(error.response["Error"]["Code"])
            if result is None:
                raise
            return result
        return CompletionResult.DONE

    def object_size(self, key: str) -> int | None:
        """Return the size of an object, or None if it does not exist."""
        try:
            return self._client.head_object(Bucket=self._name, Key=key)["ContentLength"]
        except ClientError as error:
            if error.response["Error"]["Code"] in _NOT_FOUND:
                return None
            raise

    def _part_url(self, key: str, multipart_id: str, number: int, size: int) -> PartUrl:
        """Return a URL whose signature contains the header Content-Length.

        S3 answers 403 `SignatureDoesNotMatch` if a signed header has another value (IAM user guide, "Troubleshoot
        Signature Version 4 signing for AWS API requests"). Browsers compute this header from the body, and scripts
        cannot set it (MDN, "Forbidden request header").
        """
        url = self._client.generate_presigned_url(
            "upload_part",
            Params={
                "Bucket": self._name,
                "Key": key,
                "UploadId": multipart_id,
                "PartNumber": number,
                "ContentLength": size,
            },
            ExpiresIn=self.url_seconds,
        )
        return PartUrl(part_number=number, url=url)

"""Reader of the transcripts in livestream's bucket."""

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

MAX_OBJECT_BYTES = 20_000_000
"""Maximum size of an object, and so of a transcript. Amazon Transcribe writes the times of every word; a whole day of
speech stays below this."""
MISSING_OBJECT_CODES = frozenset(["NoSuchKey", "NoSuchVersion", "MethodNotAllowed"])
"""S3's error codes for a missing object, a missing version, and a version that is a delete marker."""


class ObjectReader:
    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def read(self, key: str, version: str | None = None) -> bytes | None:
        """Return the content of an object or of one of its S3 versions; None if it does not exist.

        Read at most one byte more than the maximum size. That is enough to show that the object is too large.
        """
        version_argument: dict[str, Any] = {} if version is None else {"VersionId": version}
        try:
            response = self._client.get_object(Bucket=self._bucket, Key=key, **version_argument)
        except ClientError as error:
            if error.response["Error"]["Code"] in MISSING_OBJECT_CODES:
                return None
            raise
        with response["Body"] as body:
            return body.read(MAX_OBJECT_BYTES + 1)

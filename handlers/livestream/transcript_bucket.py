"""Transcripts in the bucket: one version of an object, and no more of it than is taken."""

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from handlers.livestream.cues import MAX_BYTES

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

GONE = frozenset(["NoSuchKey", "NoSuchVersion", "MethodNotAllowed"])
"""What S3 says of an object, of a version, and of a version that marks a deletion."""


class TranscriptBucket:
    """Reads transcripts, with GetObject alone."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def read(self, key: str, version: str) -> bytes | None:
        """One version of a transcript's object; none where it is not there.

        Of one that is too large there is one byte more than is taken, which says so.
        """
        try:
            found = self._client.get_object(Bucket=self._bucket, Key=key, VersionId=version)
        except ClientError as error:
            if error.response["Error"]["Code"] in GONE:
                return None
            raise
        with found["Body"] as body:
            return body.read(MAX_BYTES + 1)

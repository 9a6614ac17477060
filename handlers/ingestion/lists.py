"""The lists of manifests in the lake bucket: what was claimed, what the workflow confirmed, what became of it."""

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from handlers.ingestion.manifest import Manifest, RunResult, confirmed_key, list_key, result_key

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

MISSING = frozenset({"NoSuchKey", "404"})
"""What S3 says of an object that is not there. Without `s3:ListBucket` it says 403 instead: that is no answer here."""


class Lists:
    """Reads and writes them; each is one object, written whole."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def write(self, manifest: Manifest) -> None:
        """What a builder claimed."""
        self._write(list_key(manifest.manifest_id), manifest)

    def read(self, manifest_id: str) -> Manifest | None:
        """What a builder claimed; none where it did not get so far."""
        found = self._read(list_key(manifest_id))
        return None if found is None else Manifest.read(found)

    def write_confirmed(self, manifest: Manifest) -> str:
        """What the run gets, and where that is."""
        key = confirmed_key(manifest.manifest_id)
        self._write(key, manifest)
        return self.uri(key)

    def read_confirmed(self, manifest_id: str) -> Manifest | None:
        """What the run got; none where nothing was confirmed."""
        found = self._read(confirmed_key(manifest_id))
        return None if found is None else Manifest.read(found)

    def result(self, manifest_id: str) -> RunResult | None:
        """What became of the files; none where no run got to its end."""
        found = self._read(result_key(manifest_id))
        return None if found is None else RunResult.model_validate_json(found)

    def uri(self, key: str) -> str:
        """An object's address, as the run gets it."""
        return f"s3://{self._bucket}/{key}"

    def _write(self, key: str, manifest: Manifest) -> None:
        self._client.put_object(
            Bucket=self._bucket, Key=key, Body=manifest.document().encode(), ContentType="application/json"
        )

    def _read(self, key: str) -> bytes | None:
        try:
            return self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] in MISSING:
                return None
            raise

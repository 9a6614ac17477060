"""The lists of manifests in the lake bucket: what was claimed, what the workflow confirmed, what became of it."""

from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import ClientError

from handlers.ingestion.manifest import Manifest, RunResult, confirmed_key, list_key, result_key

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

M = TypeVar("M", Manifest, RunResult)
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
        return self._read(list_key(manifest_id), Manifest)

    def write_confirmed(self, manifest: Manifest) -> str:
        """What the run gets, and where that is."""
        key = confirmed_key(manifest.manifest_id)
        self._write(key, manifest)
        return self.uri(key)

    def read_confirmed(self, manifest_id: str) -> Manifest | None:
        """What the run got; none where nothing was confirmed."""
        return self._read(confirmed_key(manifest_id), Manifest)

    def result(self, manifest_id: str) -> RunResult | None:
        """What became of the files; none where no run got to its end."""
        return self._read(result_key(manifest_id), RunResult)

    def uri(self, key: str) -> str:
        """An object's address, as the run gets it."""
        return f"s3://{self._bucket}/{key}"

    def _write(self, key: str, manifest: Manifest) -> None:
        body = manifest.model_dump_json(by_alias=True).encode()
        self._client.put_object(Bucket=self._bucket, Key=key, Body=body, ContentType="application/json")

    def _read(self, key: str, model: type[M]) -> M | None:
        try:
            found = self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] in MISSING:
                return None
            raise
        return model.model_validate_json(found)

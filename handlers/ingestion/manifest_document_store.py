"""S3 gateway for the JSON documents of manifests in the lake bucket.

A manifest is a list of files that one Spark run processes. It has three kinds of documents:

- The first list has the files that were claimed for the manifest when it was created.
- Each workflow execution writes a list of the files that it confirmed, because they still belonged to the manifest.
- Each run writes its result when it finishes. The result replaces that of an earlier run of the manifest.
"""

from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import ClientError

from handlers.ingestion.manifest_documents import Manifest, RunResult
from handlers.ingestion.manifest_s3_keys import claimed_list_key, confirmed_list_key, result_key

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

Document = TypeVar("Document", Manifest, RunResult)
MISSING_CODES = frozenset({"NoSuchKey", "404"})
"""Error codes of S3 for a missing object. The caller needs `s3:ListBucket`: without this permission, S3 returns 403 for
a missing object, and the read fails."""


class ManifestDocuments:
    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def write(self, manifest: Manifest) -> None:
        """Write the list of claimed files."""
        self._write(claimed_list_key(manifest.manifest_id), manifest)

    def read(self, manifest_id: str) -> Manifest | None:
        """Return the list of claimed files, or None if there is no list."""
        return self._read(claimed_list_key(manifest_id), Manifest)

    def write_confirmed(self, manifest: Manifest, redrive: int) -> str:
        """Write the list of files that an execution confirmed, which its run processes. Return the list's URI."""
        key = confirmed_list_key(manifest.manifest_id, redrive)
        self._write(key, manifest)
        return self.uri(key)

    def read_confirmed(self, manifest_id: str, redrive: int) -> Manifest | None:
        """Return the list of files that an execution confirmed, or None if there is no list."""
        return self._read(confirmed_list_key(manifest_id, redrive), Manifest)

    def read_result(self, manifest_id: str) -> RunResult | None:
        """Return the result of the last finished run, or None if no run has finished."""
        return self._read(result_key(manifest_id), RunResult)

    def uri(self, key: str) -> str:
        return f"s3://{self._bucket}/{key}"

    def _write(self, key: str, manifest: Manifest) -> None:
        body = manifest.model_dump_json(by_alias=True).encode()
        self._client.put_object(Bucket=self._bucket, Key=key, Body=body, ContentType="application/json")

    def _read(self, key: str, model: type[Document]) -> Document | None:
        try:
            body = self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] in MISSING_CODES:
                return None
            raise
        return model.model_validate_json(body)

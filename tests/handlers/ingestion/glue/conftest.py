"""Fixture with one Spark session on the emulator's S3. Its tests share one xdist group."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from local.emulation.glue import spark_process
from local.platform import emulator
from local.platform.emulator_clients import EmulatorClients

LANDING, LAKE_BUCKET = "polyphony-test-landing", "polyphony-test-lake"
LAKE = f"s3://{LAKE_BUCKET}/"
ARRIVED = "2026-01-02T03:04:05.678Z"


@dataclass
class SparkHarness:
    """Landing bucket and lake bucket of the emulator, and the Spark session that runs the job."""

    s3: Any
    session: spark_process.SparkChildSession

    def upload(self, key: str, body: bytes, date: str = "2026-01-02", **options: str) -> dict[str, Any]:
        """Upload a file to the landing bucket, and return its entry in a list of files."""
        version = self.s3.put_object(Bucket=LANDING, Key=key, Body=body, **options)["VersionId"]
        return {
            "bucket": LANDING,
            "objectKey": key,
            "versionId": version,
            "size": len(body),
            "arrivedAt": ARRIVED,
            "datePrefix": date,
            "fileKey": f"{key}#{version}",
        }

    def confirm(self, manifest_id: str, files: list[dict[str, Any]]) -> None:
        """Write the list of files that the workflow confirmed."""
        document = {"schemaVersion": 1, "manifestId": manifest_id, "createdAt": ARRIVED, "files": files}
        self.s3.put_object(Bucket=LAKE_BUCKET, Key=f"manifests/{manifest_id}.confirmed.json", Body=json.dumps(document))

    def upload_manifest(self, manifest_id: str, *bodies: bytes) -> list[dict[str, Any]]:
        """Upload files and confirm them as one manifest. Return their entries in its list of files."""
        files = [self.upload(f"incoming/{manifest_id}/{index}", body) for index, body in enumerate(bodies)]
        self.confirm(manifest_id, files)
        return files

    def arguments(self, manifest_id: str, run_id: str, **options: object) -> list[str]:
        """Return the command line of a run."""
        manifest_uri = f"{LAKE}manifests/{manifest_id}.confirmed.json"
        limits = {"max_rejected_share": 0.1, "target_file_mb": 1}
        named = {"manifest_uri": manifest_uri, "lake_uri": LAKE, "run_id": run_id, **limits, **options}
        parts = (part for name, value in named.items() for part in (f"--{name}", str(value)))
        return [*parts, spark_process.LOCAL_SPARK_FLAG]

    def run(self, manifest_id: str, run_id: str, **options: object) -> spark_process.SparkRunResult:
        """Run the job in the session."""
        return self.session.run(self.arguments(manifest_id, run_id, **options))

    def rows(self, *manifest_ids: str) -> list[dict[str, Any]]:
        """Return the rows that readers see, of these manifests or of all."""
        return self.session.rows(LAKE, *manifest_ids)

    def lake_keys(self, prefix: str) -> list[str]:
        """Return the keys of the lake's objects below a prefix."""
        response = self.s3.list_objects_v2(Bucket=LAKE_BUCKET, Prefix=prefix)
        return [content["Key"] for content in response.get("Contents", [])]

    def lake_text(self, key: str) -> str:
        """Return the content of an object in the lake."""
        body: bytes = self.s3.get_object(Bucket=LAKE_BUCKET, Key=key)["Body"].read()
        return body.decode()

    def result(self, manifest_id: str) -> dict[str, Any]:
        """Return the result document of the manifest's last run."""
        result: dict[str, Any] = json.loads(self.lake_text(f"manifests/{manifest_id}.result.json"))
        return result


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkHarness]:
    """Harness for all tests. Each test uses other manifests."""
    with emulator.start(tmp_path_factory.mktemp("emulator")) as started_emulator:
        s3 = EmulatorClients(started_emulator.emulator.endpoint)("s3")
        s3.create_bucket(Bucket=LANDING)
        s3.put_bucket_versioning(Bucket=LANDING, VersioningConfiguration={"Status": "Enabled"})
        s3.create_bucket(Bucket=LAKE_BUCKET)
        variables = spark_process.spark_environment(
            tmp_path_factory.mktemp("spark"),
            endpoint=started_emulator.emulator.endpoint,
            credentials=(emulator.ROOT_ACCESS_KEY, emulator.ROOT_ACCESS_KEY),
        )
        settings = {
            # The tests have few rows, and a query would write a file for each of 200 partitions.
            "spark.sql.shuffle.partitions": 1,
            # What Spark itself writes to the lake gets to a folder of this machine.
            "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme",
            f"spark.hadoop.fs.viewfs.mounttable.{LAKE_BUCKET}.linkFallback": tmp_path_factory.mktemp("lake").as_uri(),
        }
        options = " ".join(f"--conf {name}={value}" for name, value in settings.items())
        variables["PYSPARK_SUBMIT_ARGS"] = f"{options} {variables['PYSPARK_SUBMIT_ARGS']}"
        with spark_process.start_session(variables) as session:
            yield SparkHarness(s3, session)

"""Client of the deployed ingestion with access to its queues, sweeper, executions and lake.

Ingestion records each uploaded file in the file table, and collects files in manifests, which are lists of files. For
each manifest, a workflow runs a Spark job, which writes the rows of the files as Parquet to the lake.
The sweeper is a scheduled function that also creates manifests and adds files whose notification was lost.
"""

import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

from local.emulation.glue import spark_process
from local.flows import eventually
from local.flows.ingestion_client import IngestionBackend
from local.platform.emulator_clients import invoke
from tests.end_to_end.deployment import Deployment

Item = dict[str, Any]
LINE = b'{"a": 1}\n'
"""Content of a file with one row."""


class DeployedIngestion(IngestionBackend):
    def __init__(self, deployment: Deployment) -> None:
        super().__init__(deployment.stack)
        self.client, ids = deployment.client, deployment.ids
        self.endpoint = deployment.emulator.endpoint
        self.queue_url, self.dead_letters_url = ids["ingestion-intake-queue"], ids["ingestion-intake-dlq-queue"]
        self.lake, self.machine = ids["ingestion-lake-bucket"], ids["ingestion-workflow-machine"]
        self.sweeper = deployment.function("ingestion-sweeper")

    # Uploads and their records

    def upload_all(self, files: Mapping[str, bytes]) -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda file: self.upload(*file), files.items()))

    def list_files(self) -> list[Item]:
        """Return all file records, without the manifest records of the same table."""
        pages = self.client("dynamodb").get_paginator("scan").paginate(TableName=self.table)
        return [item for page in pages for item in page["Items"] if "object_key" in item]

    def find_records(self, key: str) -> list[Item]:
        """Return the file records of a key."""
        return [item for item in self.list_files() if item["object_key"]["S"] == key]

    def wait_until_tracked(self, key: str) -> list[Item]:
        """Wait for the file records of a key, and return them."""
        return eventually(lambda: self.find_records(key) or None, f"the record of {key}")

    def count_by_status(self, prefix: str) -> Counter[str]:
        """Return the number of files below a prefix by status."""
        records = (item for item in self.list_files() if item["object_key"]["S"].startswith(prefix))
        return Counter(item["status"]["S"] for item in records)

    # The queue of notifications

    def notify_again(self, record: Item) -> None:
        """Send the notification of a recorded file again, because SQS can deliver a notification twice."""
        event = {
            "eventName": "ObjectCreated:Put",
            "eventTime": record["arrived_at"]["S"],
            "s3": {
                "bucket": {"name": record["bucket"]["S"]},
                "object": {
                    "key": quote_plus(record["object_key"]["S"]),
                    "size": int(record["size"]["N"]),
                    "eTag": record["etag"]["S"],
                    "versionId": record["version_id"]["S"],
                },
            },
        }
        self.send(json.dumps({"Records": [event]}))

    def send(self, body: str) -> None:
        self.client("sqs").send_message(QueueUrl=self.queue_url, MessageBody=body)

    def count_messages(self, url: str) -> tuple[int, int]:
        """Return the numbers of visible messages and of invisible messages (being processed or retried) of a queue."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = self.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return int(attributes[names[0]]), int(attributes[names[1]])

    def wait_until_empty(self, seconds: float = 20) -> None:
        eventually(lambda: True if self.count_messages(self.queue_url) == (0, 0) else None, "an empty queue", seconds)

    # Runs

    def sweep(self, kind: str = "sweep") -> dict[str, int]:
        """Invoke the sweeper as its schedule or an operator does.

        `sweep` creates manifests if enough files wait for a full one, or if a file has waited too long. `flush` puts
        all waiting files into manifests at once.
        """
        return invoke(self.client, self.sweeper, kind=kind)

    def execution_statuses(self) -> dict[str, str]:
        pages = self.client("stepfunctions").get_paginator("list_executions").paginate(stateMachineArn=self.machine)
        return {execution["name"]: execution["status"] for page in pages for execution in page["executions"]}

    def wait_until_ended(self, seconds: float = 600) -> dict[str, str]:
        """Wait until no execution is running, and return the status of each execution by name."""

        def find_ended() -> dict[str, str] | None:
            statuses = self.execution_statuses()
            return statuses if statuses and "RUNNING" not in statuses.values() else None

        return eventually(find_ended, "the end of every run", seconds)

    def manifest_sizes(self, names: Iterable[str]) -> list[int]:
        """Return the number of files that each execution confirmed, largest first.

        An execution without files is left out: another builder had listed the same files.
        """
        s3 = self.client("s3")
        stored = s3.get_paginator("list_objects_v2").paginate(Bucket=self.lake, Prefix="manifests/")
        keys = {entry["Key"] for page in stored for entry in page.get("Contents", [])}
        confirmed = [key for manifest_id in names if (key := f"manifests/{manifest_id}.confirmed.json") in keys]
        lists = [json.load(s3.get_object(Bucket=self.lake, Key=key)["Body"]) for key in confirmed]
        return sorted((len(manifest["files"]) for manifest in lists), reverse=True)

    def read_rows(self) -> list[dict[str, Any]]:
        """Return the rows of all valid Parquet files.

        The lake has pointers: objects that name the valid Parquet files. Readers must ignore other files.
        """
        with tempfile.TemporaryDirectory() as scratch:
            variables = spark_process.spark_environment(Path(scratch), endpoint=self.endpoint)
            with spark_process.start_session(variables) as session:
                return session.rows(f"s3://{self.lake}/")

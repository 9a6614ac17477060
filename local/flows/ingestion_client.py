"""Ingestion, driven from outside: files are dropped, tracked, gathered into runs, and come out as rows of the lake.

Nothing in it is scripted: the handlers, the workflow and the Spark job are those that a deployment has.
"""

import json
import tempfile
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from local.emulation.glue import spark_process
from local.flows import Deployment, eventually, invoke

Item = dict[str, Any]


class Intake:
    """The intake from outside."""

    def __init__(self, deployment: Deployment) -> None:
        self.client = deployment.client
        self.bucket = deployment.frontend("ingestion")["bucket"]
        self.queue_url = deployment.ids["ingestion-intake-queue"]
        self.dead_letters_url = deployment.ids["ingestion-intake-dlq-queue"]
        self.table = deployment.ids["ingestion-files-table"]

    def drop(self, key: str, body: bytes = b'{"a": 1}\n') -> str:
        """Uploads a file; returns its version."""
        answer = self.client("s3").put_object(Bucket=self.bucket, Key=key, Body=body)
        return str(answer["VersionId"])

    def records(self, key: str) -> list[Item]:
        """The table's records of a key."""
        return [item for item in self.files() if item["object_key"]["S"] == key]

    def files(self) -> list[Item]:
        """The table's records of files; those of manifests stand beside them."""
        pages = self.client("dynamodb").get_paginator("scan").paginate(TableName=self.table)
        return [item for page in pages for item in page["Items"] if "object_key" in item]

    def tracked(self, key: str) -> list[Item]:
        """Waits for the records of a key."""
        return eventually(lambda: self.records(key) or None, f"the record of {key}")

    def announce_again(self, record: Item) -> None:
        """Sends the notification of a tracked file once more, as queues may."""
        event = {
            "eventName": "ObjectCreated:Put",
            "eventTime": record["arrived_at"]["S"],
            "s3": {
                "bucket": {"name": record["bucket"]["S"]},
                "object": {
                    "key": record["object_key"]["S"],
                    "size": int(record["size"]["N"]),
                    "versionId": record["version_id"]["S"],
                },
            },
        }
        self.send(json.dumps({"Records": [event]}))

    def send(self, body: str) -> None:
        """Sends any message to the intake's queue."""
        self.client("sqs").send_message(QueueUrl=self.queue_url, MessageBody=body)

    def waiting(self, url: str) -> tuple[int, int]:
        """How many messages of a queue can be received, and how many are being worked on or hidden until a retry."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return int(found[names[0]]), int(found[names[1]])

    def emptied(self) -> None:
        """Waits until the intake's queue has nothing left."""
        eventually(lambda: True if self.waiting(self.queue_url) == (0, 0) else None, "an empty queue")


class Runs:
    """From tracked files to rows."""

    def __init__(self, deployment: Deployment) -> None:
        self.client = deployment.client
        self.endpoint = deployment.emulator.endpoint
        self.intake = Intake(deployment)
        self.lake = deployment.ids["ingestion-lake-bucket"]
        self.sweeper = deployment.function("ingestion-sweeper")
        self.machine = deployment.ids["ingestion-workflow-machine"]

    def drop_all(self, files: Mapping[str, bytes]) -> None:
        """Uploads many files at once."""
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda one: self.intake.drop(*one), files.items()))

    def statuses(self, prefix: str) -> Counter[str]:
        """How many files below a prefix are in which state."""
        found = (item for item in self.intake.files() if item["object_key"]["S"].startswith(prefix))
        return Counter(item["status"]["S"] for item in found)

    def all_tracked(self, prefix: str, count: int) -> None:
        """Waits until every file below a prefix has its record."""
        eventually(lambda: True if self.statuses(prefix).total() == count else None, f"{count} records", 60)

    def sweep(self, kind: str = "sweep") -> dict[str, int]:
        """Calls the sweeper, as its schedule does."""
        return invoke(self.client, self.sweeper, kind=kind)

    def executions(self) -> dict[str, str]:
        """Name of every execution so far → how it stands."""
        pages = self.client("stepfunctions").get_paginator("list_executions").paginate(stateMachineArn=self.machine)
        return {one["name"]: one["status"] for page in pages for one in page["executions"]}

    def all_ended(self) -> dict[str, str]:
        """Waits until no execution is running."""

        def ended() -> dict[str, str] | None:
            found = self.executions()
            return found if found and "RUNNING" not in found.values() else None

        return eventually(ended, "the end of every run", 180)

    def sizes(self, names: Mapping[str, str]) -> list[int]:
        """How many files each of these executions was given, largest first."""
        s3 = self.client("s3")
        ids = [name.rpartition("-")[0] for name in names]
        lists = [json.load(s3.get_object(Bucket=self.lake, Key=f"manifests/{one}.json")["Body"]) for one in ids]
        return sorted((len(one["files"]) for one in lists), reverse=True)

    def rows(self) -> list[dict[str, Any]]:
        """Every row that a reader of the lake sees, by way of the pointers."""
        with tempfile.TemporaryDirectory() as scratch:
            variables = spark_process.spark_environment(Path(scratch), endpoint=self.endpoint)
            with spark_process.SparkChildSession(variables) as session:
                return session.rows(f"s3://{self.lake}/")

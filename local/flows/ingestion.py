"""Ingestion's intake: a file is dropped, announced, and tracked. Nothing in it is scripted."""

import json
from dataclasses import dataclass
from typing import Any

from local.aws import Clients
from local.flows import eventually

Item = dict[str, Any]


@dataclass(frozen=True)
class Intake:
    """The intake from outside."""

    client: Clients
    bucket: str
    queue_url: str
    dead_letters_url: str
    table: str

    def drop(self, key: str, body: bytes = b'{"a": 1}\n') -> str:
        """Uploads a file; returns its version."""
        answer = self.client("s3").put_object(Bucket=self.bucket, Key=key, Body=body)
        return str(answer["VersionId"])

    def records(self, key: str) -> list[Item]:
        """The table's records of a key."""
        pages = self.client("dynamodb").get_paginator("scan").paginate(TableName=self.table)
        return [item for page in pages for item in page["Items"] if item["object_key"]["S"] == key]

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

    def purge(self) -> None:
        """Throws away what waits for another attempt."""
        self.client("sqs").purge_queue(QueueUrl=self.queue_url)

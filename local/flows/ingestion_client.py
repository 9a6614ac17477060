"""Client of ingestion's users: it uploads files, and reads their records in the file table."""

from datetime import UTC, datetime, timedelta
from typing import Any

from local.flows import Stack

MAX_CLOCK_DIFFERENCE = timedelta(minutes=1)
"""Time that the clocks of the client and of S3 may differ."""
Record = dict[str, Any]


class IngestionBackend:
    """Ingestion of one stack, as senders of files use it."""

    def __init__(self, stack: Stack) -> None:
        frontend = stack.frontend["ingestion"]
        self.stack = stack
        self.bucket, self.prefix, self.table = frontend["bucket"], frontend["prefix"], frontend["table"]
        self.suffixes = frontend["suffixes"]
        """Suffixes of the keys that ingestion accepts, or empty if it accepts all."""
        self.flush_minutes = frontend["flushMinutes"]
        """Maximum time for which a file waits for other files of its Spark run."""

    def upload(self, key: str, body: bytes) -> str:
        """Upload a file and return its version id."""
        return str(self.stack.client("s3").put_object(Bucket=self.bucket, Key=key, Body=body)["VersionId"])

    def find_record(self, key: str, version: str) -> Record | None:
        """Return the record of an uploaded version, or None before the backend has stored it.

        A record's key contains the date on which S3 received the file. That is today, yesterday if midnight has passed
        since the upload (less than an hour ago), or tomorrow if the clock of S3 is ahead.
        """
        now = datetime.now(UTC)
        for time in (now, now - timedelta(hours=1), now + MAX_CLOCK_DIFFERENCE):
            item = self.stack.client("dynamodb").get_item(
                TableName=self.table,
                Key={"date_prefix": {"S": time.date().isoformat()}, "file_key": {"S": f"{key}#{version}"}},
                ConsistentRead=True,
            )
            if "Item" in item:
                return {name: next(iter(value.values())) for name, value in item["Item"].items()}
        return None

"""Takes in announced files: each version is tracked once, and only messages that failed go back to the queue."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

import boto3

from handlers.common.logging import EventLog, hashed
from handlers.ingestion.environment import BuilderEnvironment
from handlers.ingestion.file_table import FileTable
from handlers.ingestion.files import NotAnEvent, arrived_files

BatchFailures = dict[str, list[dict[str, str]]]


class Builder:
    """Tracks the files of a batch of messages."""

    def __init__(self, table: FileTable, log: EventLog) -> None:
        self._table = table
        self._log = log

    def take_in(self, messages: list[Mapping[str, Any]]) -> BatchFailures:
        """Tracks what the messages announce; the answer names the messages to deliver again."""
        failed: list[dict[str, str]] = []
        for message in messages:
            try:
                self._track(message["body"])
            except NotAnEvent:
                # Delivered again a few times, then parked in the dead-letter queue, where a person can look at it.
                self._log.warning("message_refused", code="NOT_AN_S3_EVENT")
                failed.append({"itemIdentifier": message["messageId"]})
            except Exception as error:  # noqa: BLE001 - whatever fails, the batch's other messages must not repeat
                self._log.error("message_failed", error_type=type(error).__name__)
                failed.append({"itemIdentifier": message["messageId"]})
        self._log.info("batch_taken_in", records=len(messages), failed=len(failed))
        return {"batchItemFailures": failed}

    def _track(self, body: str) -> None:
        for file in arrived_files(body):
            if not self._table.track(file):
                self._log.info("file_already_tracked", key_hash=hashed(file.file_key))


@cache
def _builder() -> Builder:
    """Made once a container."""
    environment = BuilderEnvironment.read()
    table = FileTable(
        boto3.client("dynamodb"),
        environment.manifest_table_name,
        environment.record_days,
        lambda: datetime.now(UTC),
    )
    return Builder(table, EventLog(environment.log_level))


def handler(event: Mapping[str, Any], _context: object) -> BatchFailures:
    """The entry point of the function."""
    return _builder().take_in(event["Records"])

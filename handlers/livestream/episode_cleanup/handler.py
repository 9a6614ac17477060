"""Lambda function `episode-cleanup`: removes the data of a deleted episode.

It deletes the episode's objects in the bucket, its events and records in the fact-check agent's memory (AgentCore), and
its items in the table. Only the episode's record remains there for some days, marked as deleted (a tombstone).

The API sends two messages for each deletion. The second arrives when all work on the episode has ended, and so
removes the data that was still stored after the first. If a call fails, SQS delivers the message again, and the function
deletes the remaining data. A message that fails too often moves to the dead-letter queue.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3

from handlers.common.aws import CONFIG, PartlyFailed, delete_versions
from handlers.common.events import IGNORED, BatchFailures, process_batch
from handlers.common.logging import EventLog
from handlers.livestream.environment import EpisodeCleanupEnvironment
from handlers.livestream.episode_table import DeletedEpisode, EpisodeTable
from handlers.livestream.keys import CHUNKS, EPISODE_SORT_KEY, TRANSCRIPTS, VIDEOS, partition_key

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient
    from types_boto3_s3.client import S3Client


@dataclass(frozen=True)
class EpisodeCleanup:
    """Deletion of the data of episodes."""

    environment: EpisodeCleanupEnvironment
    dynamodb: "DynamoDBClient"
    s3: "S3Client"
    memory: Any
    """AgentCore client. The project does not install type stubs for it."""

    def handle_message(self, body: str) -> str | None:
        """Remove the data of the episode that a message names, or return `IGNORED` if the episode is not deleted."""
        deleted = DeletedEpisode.model_validate_json(body)
        owner, episode_id = deleted.owner, deleted.episode_id
        record = EpisodeTable(self.dynamodb, self.environment.table_name).find(owner, episode_id)
        # The API sends the messages first, and may fail to mark the episode then. Without a record, the mark has expired.
        if record is not None and record.deleted_at is None:
            return IGNORED
        self._delete_objects(f"{owner}/{episode_id}/")
        self._delete_memory({"actorId": owner, "sessionId": episode_id})
        self._delete_items(partition_key(owner, episode_id))
        return None

    def _delete_objects(self, folder: str) -> None:
        """Delete every version of the objects in the episode's folder below each prefix, and its incomplete uploads."""
        bucket = self.environment.bucket_name
        # Uploads are aborted first. If a client completes one before that, it becomes an object and is deleted below.
        # Only videos are uploaded in parts.
        uploads = self.s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=f"{VIDEOS}{folder}")
        for upload in [upload for page in uploads for upload in page.get("Uploads", ())]:
            self.s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
        for prefix in (VIDEOS, TRANSCRIPTS, CHUNKS):
            delete_versions(self.s3, bucket, f"{prefix}{folder}")

    def _delete_memory(self, session: Mapping[str, str]) -> None:
        """Delete the events of the episode's session, and the records that AgentCore derived from them.

        Events would expire after some time, but records never do.
        """
        memory_id, delete_records = self.environment.memory_id, self.memory.batch_delete_memory_records
        for page in self._list_memory("list_events", **session):
            for event in page["events"]:
                self.memory.delete_event(memoryId=memory_id, eventId=event["eventId"], **session)
        for namespace in (self.environment.summary_namespace, self.environment.fact_namespace):
            for page in self._list_memory("list_memory_records", namespace=namespace.format(**session)):
                # A page has at most 100 records, the maximum of one BatchDeleteMemoryRecords request.
                records = [{"memoryRecordId": record["memoryRecordId"]} for record in page["memoryRecordSummaries"]]
                if records and delete_records(memoryId=memory_id, records=records)["failedRecords"]:
                    raise PartlyFailed

    def _list_memory(self, operation: str, **parameters: str) -> list[Mapping[str, Any]]:
        """Read all pages of a list, before deletions can change them. Return none if the session never had an event."""
        pages = self.memory.get_paginator(operation).paginate(memoryId=self.environment.memory_id, **parameters)
        try:
            return list(pages)
        except self.memory.exceptions.ResourceNotFoundException:
            return []

    def _delete_items(self, partition: str) -> None:
        """Delete all items of the episode except its record."""
        table = self.environment.table_name
        pages = self.dynamodb.get_paginator("query").paginate(
            TableName=table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": partition}},
            ProjectionExpression="pk, sk",
        )
        for page in pages:
            for key in page["Items"]:
                if key["sk"]["S"] != EPISODE_SORT_KEY:
                    self.dynamodb.delete_item(TableName=table, Key=key)


@cache
def _cleanup() -> EpisodeCleanup:
    return EpisodeCleanup(
        EpisodeCleanupEnvironment.read(),
        boto3.client("dynamodb", config=CONFIG),
        boto3.client("s3", config=CONFIG),
        boto3.client("bedrock-agentcore", config=CONFIG),
    )


def handler(event: Mapping[str, Any], _context: object) -> BatchFailures:
    cleanup = _cleanup()
    log = EventLog(cleanup.environment.log_level)
    return process_batch(event["Records"], cleanup.handle_message, log, event_kind="deletion")

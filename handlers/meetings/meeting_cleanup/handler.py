"""Lambda function `meeting-cleanup`: it removes the data of a deleted meeting.

It deletes all versions of the meeting's objects. Its record is a tombstone, which expires. The messages arrive through a
queue (see `deletions`). If a call fails, SQS delivers the message again, and the function deletes the remaining data. A message
that fails too often moves to the dead-letter queue.

A running execution is not stopped: its jobs of Batch and Transcribe would go on, and write objects afterwards. Its next
step finds the tombstone and ends it. Until then, the message returns every 15 minutes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3

from handlers.common.aws import CONFIG, delete_versions
from handlers.common.events import IGNORED, BatchFailures, process_batch
from handlers.common.logging import EventLog
from handlers.common.records import Records
from handlers.meetings.deletions import LONG_DELAY_SECONDS, DeletedMeeting, queue_deletion
from handlers.meetings.environment import MeetingCleanupEnvironment
from handlers.meetings.record import MeetingRecord, MeetingStatus, meeting_hash, record_key
from handlers.meetings.s3_keys import ALL_PREFIXES, MeetingId

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient
    from types_boto3_s3.client import S3Client
    from types_boto3_sqs.client import SQSClient


@dataclass(frozen=True)
class MeetingCleanup:
    """Deletion of the data of meetings."""

    environment: MeetingCleanupEnvironment
    dynamodb: "DynamoDBClient"
    s3: "S3Client"
    sqs: "SQSClient"
    step_functions: Any
    """Step Functions client. The project does not install type stubs for it."""
    log: EventLog

    def handle_message(self, body: str) -> str | None:
        """Remove the data of the meeting that a message names. Return `IGNORED` if it is not deleted.

        Raise an exception if SQS must deliver the message again.
        """
        deleted = DeletedMeeting.model_validate_json(body)
        meeting = MeetingId(deleted.user, deleted.meeting_id)
        record = Records(self.dynamodb, self.environment.table_name, MeetingRecord).read(record_key(meeting))
        if record is not None and record.status is not MeetingStatus.DELETED:
            return IGNORED
        is_running = self._is_execution_running(meeting)  # asked first, so that its last objects are deleted below
        folder = f"{meeting.user}/{meeting.meeting_id}/"
        bucket = self.environment.bucket_name
        objects = sum(delete_versions(self.s3, bucket, f"{prefix}{folder}") for prefix in ALL_PREFIXES)
        if is_running:
            queue_deletion(self.sqs, self.environment.deletions_queue_url, deleted, delays=(LONG_DELAY_SECONDS,))
        self.log.info("meeting_removed", running=is_running, objects=objects, key_hash=meeting_hash(meeting))
        return None

    def _is_execution_running(self, meeting: MeetingId) -> bool:
        """Return True if an execution for this meeting id runs. It may be that of another user with the same id."""
        pages = self.step_functions.get_paginator("list_executions").paginate(
            stateMachineArn=self.environment.state_machine_arn, statusFilter="RUNNING"
        )
        return any(
            execution["name"].startswith(f"{meeting.meeting_id}-") for page in pages for execution in page["executions"]
        )


@cache
def _cleanup() -> MeetingCleanup:
    environment = MeetingCleanupEnvironment.read()
    return MeetingCleanup(
        environment,
        boto3.client("dynamodb", config=CONFIG),
        boto3.client("s3", config=CONFIG),
        boto3.client("sqs", config=CONFIG),
        boto3.client("stepfunctions", config=CONFIG),
        EventLog(environment.log_level),
    )


def handler(event: Mapping[str, Any], _context: object) -> BatchFailures:
    cleanup = _cleanup()
    return process_batch(event["Records"], cleanup.handle_message, cleanup.log, event_kind="deletion")

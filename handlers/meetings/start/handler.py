"""Lambda function `start`: it processes the S3 events of `complete.json`, and starts the workflow of a recording if all of
its chunks have arrived.

The meeting's record is written with the stage `media`, and then an execution of the workflow is started, under a name
that the record determines. If the start fails, SQS delivers the event again, and the start is repeated. That is safe,
because Step Functions does not start two executions with the same name. An event that fails too often moves to the
dead-letter queue. An operator returns it from there with `aws sqs start-message-move-task`.

An execution may end without a report to the record, for example because an operator aborted it. If the client then
uploads `complete.json` again, the execution's status shows that it has ended, and the next attempt is started.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any

import boto3

from handlers.common import ids
from handlers.common.aws import CONFIG
from handlers.common.events import BatchFailures, parse_object_created_event, process_batch
from handlers.common.executions import ExecutionStatus, StartOutcome, WorkflowExecutions
from handlers.common.logging import EventLog, hash_for_log
from handlers.common.records import Records
from handlers.meetings.environment import StartEnvironment
from handlers.meetings.record import (
    MeetingExecution,
    MeetingRecord,
    MeetingStatus,
    Stage,
    apply_upload,
    meeting_hash,
    record_attributes,
    record_key,
)
from handlers.meetings.s3_keys import parse_complete_file_key
from handlers.meetings.start.uploads import UploadReader


class UploadOutcome(StrEnum):
    """Result of processing the event of a `complete.json`."""

    STARTED = "started"
    """The recording is complete, and its execution was started, now or earlier."""
    INCOMPLETE = "incomplete"
    """At least one chunk is wrong."""
    UNCHANGED = "unchanged"
    """No execution was started, for example because the meeting is ready."""
    GONE = "gone"
    """`complete.json` does not exist any more."""
    IGNORED = "ignored"
    """The key is not that of a `complete.json`."""


class NotStarted(Exception):
    """Step Functions did not confirm that the execution was started. The start may be repeated."""


@dataclass(frozen=True)
class Starter:
    """Reaction to the events about `complete.json`."""

    records: Records[MeetingRecord]
    uploads: UploadReader
    executions: WorkflowExecutions
    clock: Callable[[], datetime]
    log: EventLog

    def process_event(self, body: str) -> UploadOutcome:
        """Process an SQS message. Raise an exception if SQS must deliver it again."""
        created = parse_object_created_event(body, self.uploads.bucket)
        meeting = parse_complete_file_key(created.key)
        if meeting is None:
            self.log.warning("recording_key_refused", key_hash=hash_for_log(created.key))
            return UploadOutcome.IGNORED
        key, now = record_key(meeting), self.clock()
        upload = self.uploads.read(meeting, created.sequencer, now)
        if upload is None:
            return UploadOutcome.GONE
        if upload.complete_file is None:
            self.log.warning("complete_refused", code=upload.wrong[0].problem, key_hash=meeting_hash(meeting))
        ended = self._find_ended_execution(self.records.read(key))
        record = self.records.change(key, lambda current: apply_upload(current, meeting, upload, ended, now))
        assert record is not None, "an upload always gives a record"
        self.log.info(
            "recording_uploaded", outcome=record.status, missing=record.wrong_count, key_hash=meeting_hash(meeting)
        )
        return self._start(record)

    def _find_ended_execution(self, record: MeetingRecord | None) -> MeetingExecution | None:
        """Return the execution of a meeting in progress if it will not report any more."""
        if record is None or record.status is not MeetingStatus.PROCESSING or record.execution is None:
            return None
        status = self.executions.status(self.executions.arn(record.execution.name))
        if status is None:
            # In the first stage, the execution was not started yet. In a later stage, it existed, but Step Functions
            # deletes an execution 90 days after its end.
            return None if record.stage is Stage.MEDIA else record.execution
        return None if status is ExecutionStatus.RUNNING else record.execution

    def _start(self, record: MeetingRecord) -> UploadOutcome:
        """Start the execution of a meeting's current attempt, unless it was started before or chunks are wrong."""
        if record.stage is not Stage.MEDIA or record.execution is None:
            is_incomplete = record.status is MeetingStatus.INCOMPLETE
            return UploadOutcome.INCOMPLETE if is_incomplete else UploadOutcome.UNCHANGED
        outcome = self.executions.start(record.execution.name, record.execution.input)
        if outcome not in {StartOutcome.STARTED, StartOutcome.ALREADY_EXISTS}:
            raise NotStarted(outcome)
        return UploadOutcome.STARTED


@cache
def _starter() -> Starter:
    environment = StartEnvironment.read()
    dynamodb, s3, step_functions = (
        boto3.client("dynamodb", config=CONFIG),
        boto3.client("s3", config=CONFIG),
        boto3.client("stepfunctions", config=CONFIG),
    )
    return Starter(
        Records(dynamodb, environment.table_name, MeetingRecord, record_attributes),
        UploadReader(s3, environment.bucket_name),
        WorkflowExecutions(step_functions, environment.state_machine_arn),
        ids.now,
        EventLog(environment.log_level),
    )


def handler(event: Mapping[str, Any], _context: object) -> BatchFailures:
    starter = _starter()
    return process_batch(event["Records"], starter.process_event, starter.log, event_kind="recording")


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    _starter()  # Lambda gives the initialisation more CPU than an invocation

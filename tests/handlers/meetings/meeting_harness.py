"""Harness for tests of the meetings functions through their handlers: table, bucket and queue emulated by moto, and fakes
of Step Functions and CloudWatch.

A client uploads a recording as chunks and `complete.json`, the list of the chunks. The recording's content is a hash
over the chunks. An execution of the workflow processes it. The executions for one meeting are numbered as attempts.

Uploaded objects get the harness's own time as their modification time.
"""

import hashlib
import json
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from itertools import count
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from moto import mock_aws
from moto.s3.models import s3_backends

from handlers.common.aws import CONFIG
from handlers.common.executions import WorkflowExecutions
from handlers.common.ids import ulid
from handlers.common.logging import EventLog
from handlers.common.records import Records
from handlers.meetings.complete_file import Chunk, CompleteFile
from handlers.meetings.environment import MeetingCleanupEnvironment
from handlers.meetings.media_result import MediaOutcome
from handlers.meetings.meeting_bucket import MeetingBucket
from handlers.meetings.meeting_cleanup import handler as cleanup_handler
from handlers.meetings.metrics import MeetingMetrics
from handlers.meetings.record import (
    INDEX,
    INDEX_SORT,
    PARTITION,
    SORT,
    MeetingRecord,
    apply_deletion,
    record_attributes,
    record_key,
)
from handlers.meetings.s3_keys import MeetingId, Recording
from handlers.meetings.start import handler as start_handler
from handlers.meetings.start.uploads import UploadReader
from handlers.meetings.steps import handler as steps_handler
from handlers.meetings.steps.media_results import MediaResults
from tests.credentials import credentials
from tests.handlers.client_events import at_event
from tests.moto_tables import Index, create_table

TABLE, BUCKET = "meetings", "recordings"
STATE_MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:meetings"
START = datetime(2026, 1, 31, 12, tzinfo=UTC)
ANN, BOB = "A" * 32, "B" * 32
MEETING = MeetingId(ANN, ulid(START, 1))
CANARY = "canary"
"""Text in errors and client data that must not appear in logs."""


@cache
def _clients() -> dict[str, Any]:
    """Return cached clients, because creating them would take most of a test's time."""
    return {name: boto3.client(name, config=CONFIG) for name in ("dynamodb", "s3", "sqs")}


@dataclass
class FakeStepFunctions:
    """Step Functions whose executions end at the test's command. A name can be used only once."""

    statuses: dict[str, str] = field(default_factory=dict)
    """Status of each execution by name, in the order of the starts."""
    inputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    next_starts: deque[str] = field(default_factory=deque)
    """Results of the next starts: `rejected`, `request lost` or `response lost`. Later starts succeed."""

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> Mapping[str, Any]:  # noqa: A002, N803
        assert stateMachineArn == STATE_MACHINE
        assert len(name) <= 80
        result = self.next_starts.popleft() if self.next_starts else ""
        if result == "rejected":
            raise _client_error("ExecutionLimitExceeded")
        if result == "request lost":
            raise ReadTimeoutError(endpoint_url=CANARY)
        execution_input = json.loads(input)
        if name in self.statuses and (self.statuses[name] != "RUNNING" or self.inputs[name] != execution_input):
            raise _client_error("ExecutionAlreadyExists")
        self.statuses[name], self.inputs[name] = "RUNNING", execution_input
        if result == "response lost":
            raise ReadTimeoutError(endpoint_url=CANARY)
        return {}

    def describe_execution(self, *, executionArn: str) -> Mapping[str, Any]:  # noqa: N803
        name = executionArn.removeprefix(STATE_MACHINE.replace(":stateMachine:", ":execution:") + ":")
        if name not in self.statuses:
            raise _client_error("ExecutionDoesNotExist")
        return {"status": self.statuses[name]}

    @property
    def attempts(self) -> list[int]:
        """Attempt of each execution, in the order of their starts."""
        return [execution_input["attempt"] for execution_input in self.inputs.values()]

    @property
    def contents(self) -> list[str]:
        """Content that each execution processes, in the order of their starts."""
        return [execution_input["content"] for execution_input in self.inputs.values()]

    def get_paginator(self, operation: str) -> "FakeStepFunctions":
        assert operation == "list_executions"
        return self

    def paginate(self, *, stateMachineArn: str, statusFilter: str) -> list[dict[str, Any]]:  # noqa: N803
        """Return two pages with the names of the executions of this status."""
        assert stateMachineArn == STATE_MACHINE
        names = [{"name": name} for name, status in self.statuses.items() if status == statusFilter]
        return [{"executions": names[:1]}, {"executions": names[1:]}]

    def end_last(self, status: str) -> None:
        """End the last execution with a status."""
        self.statuses[list(self.statuses)[-1]] = status


def _client_error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": CANARY}}, "Execution")


@dataclass
class FakeCloudWatch:
    """CloudWatch that records metrics."""

    calls: list[dict[str, Any]] = field(default_factory=list)
    """Parameters of all successful PutMetricData calls."""
    error: Exception | None = None
    """Error that every call raises, if it is set."""

    def put_metric_data(self, **parameters: Any) -> Mapping[str, Any]:
        if self.error is not None:
            raise self.error
        self.calls.append(parameters)
        return {}

    @property
    def values(self) -> list[tuple[str, float]]:
        """Name and value of each metric."""
        return [(metric["MetricName"], metric["Value"]) for call in self.calls for metric in call["MetricData"]]


@dataclass
class MeetingHarness:
    """The meetings functions and everything that they use."""

    dynamodb: Any
    s3: Any
    sqs: Any
    queue_url: str
    now: datetime = START
    step_functions: FakeStepFunctions = field(default_factory=FakeStepFunctions)
    cloudwatch: FakeCloudWatch = field(default_factory=FakeCloudWatch)
    sequence: Iterator[int] = field(default_factory=lambda: count(14))
    """Numbers by which S3 orders uploads. Their alphabetical order as hexadecimal texts (e, f, 10) is another one."""
    sequencers: dict[str, str] = field(default_factory=dict)
    """Number of the latest upload of each key."""

    @property
    def records(self) -> Records[MeetingRecord]:
        return Records(self.dynamodb, TABLE, MeetingRecord, record_attributes)

    @property
    def starter(self) -> start_handler.Starter:
        executions = WorkflowExecutions(self.step_functions, STATE_MACHINE)
        uploads = UploadReader(self.s3, BUCKET)
        return start_handler.Starter(self.records, uploads, executions, lambda: self.now, self.log)

    @property
    def steps(self) -> steps_handler.Steps:
        client: Any = self.cloudwatch
        results = MediaResults(MeetingBucket(self.s3, BUCKET))
        return steps_handler.Steps(self.records, results, MeetingMetrics(client, "dev"), lambda: self.now, self.log)

    @property
    def cleanup(self) -> cleanup_handler.MeetingCleanup:
        environment = MeetingCleanupEnvironment(
            table_name=TABLE, bucket_name=BUCKET, state_machine_arn=STATE_MACHINE, deletions_queue_url=self.queue_url
        )
        clients = (self.dynamodb, self.s3, self.sqs, self.step_functions)
        return cleanup_handler.MeetingCleanup(environment, *clients, self.log)

    @cached_property
    def log(self) -> EventLog:
        """Created by the test that first uses it, because a logger keeps the `sys.stdout` of its creation, which pytest
        replaces for each test.
        """
        return EventLog("DEBUG")

    def advance(self, **time: float) -> None:
        self.now += timedelta(**time)

    def put_object(self, key: str, body: bytes) -> None:
        """Store an object without an event."""
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=body)
        self.sequencers[key] = f"{next(self.sequence):x}"
        *_, stored_object = s3_backends["123456789012"]["aws"].buckets[BUCKET].keys.getlist(key)
        stored_object.last_modified = self.now.replace(tzinfo=None)  # as moto stores times

    def upload_chunks(self, *chunks: bytes, meeting: MeetingId = MEETING) -> None:
        """Upload chunks, named by their positions, without events."""
        for number, chunk in enumerate(chunks):
            self.put_object(meeting.upload_key(f"{number}.webm"), chunk)

    def upload_complete_json_without_event(
        self, *chunks: bytes, meeting: MeetingId = MEETING, **changed: Any
    ) -> CompleteFile:
        """Upload `complete.json` for these chunks, but deliver no event."""
        complete = complete_json(*chunks, **changed)
        self.put_object(meeting.upload_key("complete.json"), complete.model_dump_json(by_alias=True).encode())
        return complete

    def upload_recording_without_event(self, *chunks: bytes, meeting: MeetingId = MEETING) -> CompleteFile:
        """Upload chunks and their `complete.json`, but deliver no event."""
        self.upload_chunks(*chunks, meeting=meeting)
        return self.upload_complete_json_without_event(*chunks, meeting=meeting)

    def deliver_events(self, *keys: str) -> list[str]:
        """Deliver the events of uploads in one batch; return the keys of those that SQS delivers again."""
        messages = [
            {"messageId": key, "body": object_created_event(key, sequencer=self.sequencers.get(key, "1"))}
            for key in keys
        ]
        return self.deliver_messages(messages)

    def deliver_messages(self, messages: Sequence[Mapping[str, Any]]) -> list[str]:
        """Deliver SQS messages in one batch; return the ids of those that SQS delivers again."""
        failures = start_handler.handler({"Records": messages}, None)["batchItemFailures"]
        return [failure["itemIdentifier"] for failure in failures]

    def deliver_event(self, name: str, meeting: MeetingId = MEETING) -> list[str]:
        """Deliver the event of one upload; return its key if SQS delivers it again."""
        return self.deliver_events(meeting.upload_key(name))

    def upload_complete_json(self, *chunks: bytes, meeting: MeetingId = MEETING, **changed: Any) -> Recording:
        """Upload `complete.json` for these chunks, and deliver its event."""
        complete = self.upload_complete_json_without_event(*chunks, meeting=meeting, **changed)
        assert self.deliver_event("complete.json", meeting) == []
        return Recording(meeting, complete.content)

    def upload_recording(self, *chunks: bytes, meeting: MeetingId = MEETING, **changed: Any) -> Recording:
        """Upload chunks and their `complete.json`, and deliver the event of `complete.json`."""
        self.upload_chunks(*chunks, meeting=meeting)
        return self.upload_complete_json(*chunks, meeting=meeting, **changed)

    def finish_without_audio(self, recording: Recording) -> None:
        """Make the meeting ready, with the media job's result that the recording has no audio."""
        self.write_media_result(recording, MediaOutcome.NO_AUDIO)
        self.run_step("media", recording)

    def write_media_result(
        self, recording: Recording, outcome: MediaOutcome = MediaOutcome.READY, **result: Any
    ) -> None:
        """Write the result of the media job."""
        body = {"schemaVersion": 1, "outcome": outcome, **result}
        if outcome is MediaOutcome.READY:
            part = {"key": recording.audio_key(0), "offsetMs": 0, "durationMs": 60_000}
            output = {"videoKey": recording.video_key, "audio": [part], "durationMs": 60_000, "ffmpegMs": 6_000}
            body = {**body, **output, **result}
        self.put_object(recording.media_result_key, json.dumps(body).encode())

    def run_step(self, step: str, recording: Recording, attempt: int = 1, **parameters: Any) -> dict[str, Any]:
        """Run a step of the workflow; return its response."""
        meeting = {"user": recording.meeting.user, "meetingId": recording.meeting.meeting_id}
        event = {"step": step, **meeting, "content": recording.content, "attempt": attempt, **parameters}
        return steps_handler.handler(event, None)

    def delete_meeting(self, meeting: MeetingId = MEETING) -> None:
        """Write the tombstone of a meeting, as the API does, without messages to the cleanup."""
        self.records.change(record_key(meeting), lambda record: apply_deletion(record, self.now))

    def record(self, meeting: MeetingId = MEETING) -> MeetingRecord:
        record = self.records.read(record_key(meeting))
        assert record is not None
        return record

    def state(self, meeting: MeetingId = MEETING) -> tuple[str, ...]:
        """Status of the meeting, with its stage and reason if it has them."""
        record = self.record(meeting)
        return tuple(str(part) for part in (record.status, record.stage, record.reason) if part is not None)

    def wrong_files(self, meeting: MeetingId = MEETING) -> dict[str, str]:
        """Problems of the wrong files in the meeting's record, by name. A file is a chunk or `complete.json`."""
        return {file.name: str(file.problem) for file in self.record(meeting).wrong}

    def all_items(self) -> list[dict[str, Any]]:
        """All items of the table."""
        items: list[dict[str, Any]] = self.dynamodb.scan(TableName=TABLE)["Items"]
        return items

    @contextmanager
    def fail_complete_json_reads(self, code: str, times: int = 1000) -> Iterator[None]:
        """Let the next reads of `complete.json` fail with an error code."""
        remaining_failures = iter(range(times))

        def fail(params: dict[str, Any], **_: Any) -> None:
            if params["url_path"].endswith("/complete.json") and next(remaining_failures, None) is not None:
                raise ClientError({"Error": {"Code": code, "Message": CANARY}}, "GetObject")

        with at_event(self.s3, "before-call.s3.GetObject", fail):
            yield

    @contextmanager
    def record_calls(self) -> Iterator[list[str]]:
        """Record the names of the AWS calls within the block."""
        calls: list[str] = []

        def record_call(model: Any, **_: Any) -> None:
            calls.append(model.name)

        with at_event(self.dynamodb, "before-call.*", record_call), at_event(self.s3, "before-call.*", record_call):
            yield calls


def complete_json(*chunks: bytes, **changed: Any) -> CompleteFile:
    """Return the `complete.json` of these chunks."""
    entries = tuple(
        Chunk(name=f"{number}.webm", bytes=len(chunk), sha256=hashlib.sha256(chunk).hexdigest())
        for number, chunk in enumerate(chunks)
    )
    description = {
        "title": f"{CANARY} title",
        "startedAt": "2026-01-31T10:00:00.000Z",
        "participants": [f"{CANARY} Ann"],
    }
    return CompleteFile.model_validate({"schemaVersion": 1, **description, "chunks": entries, **changed})


def object_created_event(key: str, bucket: str = BUCKET, sequencer: str = "1") -> str:
    """Return the EventBridge event of a new S3 object, as an SQS message contains it."""
    detail = {"version": "0", "bucket": {"name": bucket}, "object": {"key": key, "size": 1, "sequencer": sequencer}}
    return json.dumps({"source": "aws.s3", "detail-type": "Object Created", "detail": detail})


@contextmanager
def create_harness(monkeypatch: pytest.MonkeyPatch) -> Iterator[MeetingHarness]:
    """Create the harness with an empty table and bucket."""
    credentials(monkeypatch)
    with mock_aws():
        clients = _clients()
        clients["s3"].create_bucket(Bucket=BUCKET)
        create_table(clients["dynamodb"], TABLE, PARTITION, SORT, indexes={INDEX: Index((PARTITION, INDEX_SORT))})
        queue_url = clients["sqs"].create_queue(QueueName="deletions")["QueueUrl"]
        harness = MeetingHarness(clients["dynamodb"], clients["s3"], clients["sqs"], queue_url)
        for module, name, function in (
            (start_handler, "_starter", lambda: harness.starter),
            (steps_handler, "_steps", lambda: harness.steps),
            (cleanup_handler, "_cleanup", lambda: harness.cleanup),
        ):
            monkeypatch.setattr(module, name, function)
        yield harness

"""Harness for tests of the meetings functions through their handlers: moto emulates AWS, and a fake identity provider issues
the tokens. The functions read their environment variables as they do in Lambda.

A client uploads a recording as chunks and `complete.json`, the list of the chunks. The recording's content is a hash
over the chunks. An execution of the workflow processes it. The executions for one meeting are numbered as attempts.

Uploaded objects get the harness's own time as their modification time.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count
from typing import Any

import boto3
import pytest
from botocore.config import Config
from moto import mock_aws
from moto.cloudwatch.models import cloudwatch_backends
from moto.s3.models import s3_backends
from moto.stepfunctions.models import stepfunctions_backends

from handlers.common import ids
from handlers.common.aws import CONFIG
from handlers.common.bedrock import SONNET
from handlers.common.ids import ulid
from handlers.common.records import Records
from handlers.meetings.auth_exchange import handler as auth_handler
from handlers.meetings.bedrock_summarize import handler as summarize_handler
from handlers.meetings.meeting_cleanup import handler as cleanup_handler
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
from handlers.meetings.recording_files import Chunk, CompleteFile, MeetingReason
from handlers.meetings.s3_keys import MeetingId, Recording
from handlers.meetings.start import handler as start_handler
from handlers.meetings.steps import handler as steps_handler
from handlers.meetings.storage import handler as storage_handler
from tests.credentials import credentials
from tests.moto_tables import Index, create_table
from tests.token_issuer import AUDIENCE, Provider, keys_of

TABLE, BUCKET, STACK = "meetings", "recordings", "dev"
STATE_MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:meetings"
ROLE = "arn:aws:iam::123456789012:role/polyphony-dev-meetings-client"
START = datetime(2026, 1, 31, 12, tzinfo=UTC)
ANN, BOB = "A" * 32, "B" * 32
MEETING = MeetingId(ANN, ulid(START, 1))
CANARY = "canary"
"""Text in errors and client data that must not appear in logs."""
SERVICES = ("cloudwatch", "dynamodb", "s3", "sqs", "stepfunctions", "sts")
CREATORS: tuple[Any, ...] = (
    auth_handler._dispatcher,
    start_handler._starter,
    steps_handler._steps,
    cleanup_handler._cleanup,
    storage_handler._storage_counter,
    summarize_handler._summarizer,
)
"""Cached functions that create the handlers' objects from the environment variables."""


@cache
def _clients() -> dict[str, Any]:
    """Return cached clients, because creating them would take most of a test's time. They repeat no call."""
    config = CONFIG.merge(Config(retries={"total_max_attempts": 1}))
    return {name: boto3.client(name, config=config) for name in SERVICES}  # type: ignore[call-overload]


@dataclass
class MeetingHarness:
    """The meetings functions and everything that they use."""

    clients: dict[str, Any]
    """Clients by the service's name. The functions get these, so a test may add the client of another service."""
    queue_url: str
    """URL of the queue of deletions."""
    provider: Provider = field(default_factory=Provider)
    now: datetime = START
    sequence: Iterator[int] = field(default_factory=lambda: count(14))
    """Numbers by which S3 orders uploads. Their alphabetical order as hexadecimal texts (e, f, 10) is another order."""
    sequencers: dict[str, str] = field(default_factory=dict)
    """Number of the latest upload of each key."""

    @property
    def s3(self) -> Any:
        return self.clients["s3"]

    @property
    def records(self) -> Records[MeetingRecord]:
        return Records(self.clients["dynamodb"], TABLE, MeetingRecord, record_attributes)

    @property
    def executions(self) -> list[Any]:
        """Executions of the workflow, in the order of their starts. A test may change their `status`, or delete them."""
        executions: list[Any] = stepfunctions_backends["123456789012"]["us-east-1"].state_machines[0].executions
        return executions

    @property
    def metrics(self) -> list[Any]:
        """Metrics in the order in which they were sent, with their `namespace`, `name`, `value` and `dimensions`."""
        metrics: list[Any] = cloudwatch_backends["123456789012"]["us-east-1"].metric_data
        return metrics

    @property
    def metric_values(self) -> list[tuple[str, float]]:
        """Name and value of each metric."""
        return [(metric.name, metric.value) for metric in self.metrics]

    @property
    def attempts(self) -> list[int]:
        """Attempt of each execution, in the order of their starts."""
        return [json.loads(execution.execution_input)["attempt"] for execution in self.executions]

    def advance(self, **time: float) -> None:
        self.now += timedelta(**time)

    def put_object(self, key: str, body: bytes) -> None:
        """Store an object without an event."""
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=body)
        self.sequencers[key] = f"{next(self.sequence):x}"
        *_, stored_object = s3_backends["123456789012"]["aws"].buckets[BUCKET].keys.getlist(key)
        stored_object.last_modified = self.now.replace(tzinfo=None)  # as moto stores times

    def read_object(self, key: str) -> bytes | None:
        """Return an object's content, or None if it does not exist."""
        try:
            content: bytes = self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        except self.s3.exceptions.NoSuchKey:
            return None
        return content

    def upload_chunks(self, *chunks: bytes, meeting: MeetingId = MEETING) -> None:
        """Upload chunks, named by their positions, without events."""
        for number, chunk in enumerate(chunks):
            self.put_object(meeting.upload_key(f"{CANARY}-{number}.webm"), chunk)

    def deliver_event(self, meeting: MeetingId = MEETING) -> list[str]:
        """Deliver the event of `complete.json`; return its key if SQS delivers it again."""
        key = meeting.upload_key("complete.json")
        body = object_created_event(key, sequencer=self.sequencers.get(key, "1"))
        return deliver_messages({key: body})

    def upload_complete_json(
        self, *chunks: bytes, meeting: MeetingId = MEETING, has_event: bool = True, **changed: Any
    ) -> Recording:
        """Upload `complete.json` for these chunks, and deliver its event."""
        complete = complete_json(*chunks, **changed)
        self.put_object(meeting.upload_key("complete.json"), complete.model_dump_json(by_alias=True).encode())
        assert not has_event or self.deliver_event(meeting) == []
        return Recording(meeting, complete.content)

    def upload_recording(self, *chunks: bytes, meeting: MeetingId = MEETING, **changed: Any) -> Recording:
        """Upload chunks and their `complete.json`, and deliver the event of `complete.json`."""
        self.upload_chunks(*chunks, meeting=meeting)
        return self.upload_complete_json(*chunks, meeting=meeting, **changed)

    def write_media_result(self, recording: Recording, reason: MeetingReason | None = None, **result: Any) -> None:
        """Write the result of the media job."""
        body = {"schemaVersion": 1, "reason": reason, **result}
        if reason is None:
            part = {"offsetMs": 0, "durationMs": 60_000}
            output = {"hasVideo": True, "audio": [part], "durationMs": 60_000, "ffmpegMs": 6_000}
            body = {**body, **output, **result}
        self.put_object(recording.media_result_key, json.dumps(body).encode())

    def run_step(self, step: str, recording: Recording, attempt: int = 1, **parameters: Any) -> dict[str, Any]:
        """Run a step of the workflow; return its response."""
        meeting = {"user": recording.meeting.user, "meetingId": recording.meeting.meeting_id}
        event = {"step": step, **meeting, "content": recording.content, "attempt": attempt, **parameters}
        return steps_handler.handler(event, None)

    def delete_meeting(self) -> None:
        """Write the tombstone of `MEETING`, as the API does, without messages to the cleanup."""
        self.records.change(record_key(MEETING), lambda record: apply_deletion(record, self.now))

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
        items: list[dict[str, Any]] = self.clients["dynamodb"].scan(TableName=TABLE)["Items"]
        return items

    @contextmanager
    def fail_calls(self, service: str, operation: str, error: Exception, event: str = "before-call") -> Iterator[None]:
        """Let all calls of an operation raise an error: before the service gets them, or at the event `after-call`."""

        def fail(**_: Any) -> None:
            raise error

        with at_event(self.clients[service], f"{event}.*.{operation}", fail):
            yield


def complete_json(*chunks: bytes, **changed: Any) -> CompleteFile:
    """Return the `complete.json` of these chunks."""
    entries = tuple(
        Chunk(name=f"{CANARY}-{number}.webm", bytes=len(chunk), sha256=hashlib.sha256(chunk).hexdigest())
        for number, chunk in enumerate(chunks)
    )
    texts = {"title": f"{CANARY} title", "participants": [f"{CANARY} Ann"], "startedAt": "2026-01-31T10:00:00.000Z"}
    return CompleteFile.model_validate({"schemaVersion": 1, **texts, "chunks": entries, **changed})


def object_created_event(key: str, bucket: str = BUCKET, sequencer: str = "1") -> str:
    """Return the EventBridge event of a new S3 object, as an SQS message contains it."""
    detail = {"version": "0", "bucket": {"name": bucket}, "object": {"key": key, "size": 1, "sequencer": sequencer}}
    return json.dumps({"source": "aws.s3", "detail-type": "Object Created", "detail": detail})


def deliver_messages(bodies: Mapping[str, str]) -> list[str]:
    """Deliver SQS messages to the function `start` in one batch; return the ids of those that SQS delivers again."""
    messages = [{"messageId": message_id, "body": body} for message_id, body in bodies.items()]
    failures = start_handler.handler({"Records": messages}, None)["batchItemFailures"]
    return [failure["itemIdentifier"] for failure in failures]


@contextmanager
def at_event(client: Any, event: str, function: Callable[..., object]) -> Iterator[None]:
    """Call a function at each event of the client within the block. Its arguments depend on the event."""
    # botocore uses the result of an event's function as the response, unless it is None.
    identifier = object()

    def call(**arguments: Any) -> None:
        function(**arguments)

    client.meta.events.register(event, call, unique_id=identifier)
    try:
        yield
    finally:
        client.meta.events.unregister(event, unique_id=identifier)


@contextmanager
def create_harness(monkeypatch: pytest.MonkeyPatch) -> Iterator[MeetingHarness]:
    """Create the harness with an empty table and bucket."""
    credentials(monkeypatch)
    clients = dict(_clients())
    with mock_aws():
        clients["s3"].create_bucket(Bucket=BUCKET)
        create_table(clients["dynamodb"], TABLE, PARTITION, SORT, indexes={INDEX: Index((PARTITION, INDEX_SORT))})
        clients["stepfunctions"].create_state_machine(name="meetings", definition="{}", roleArn=ROLE)
        harness = MeetingHarness(clients, clients["sqs"].create_queue(QueueName="deletions")["QueueUrl"])
        variables = {
            "ISSUER": harness.provider.issuer,
            "AUDIENCE": AUDIENCE,
            "JWKS_URL": harness.provider.keys_url,
            "CLIENT_ROLE": ROLE,
            "ORIGIN": "https://one.example",
            "BUCKET_NAME": BUCKET,
            "TABLE_NAME": TABLE,
            "STATE_MACHINE_ARN": STATE_MACHINE,
            "DELETIONS_QUEUE_URL": harness.queue_url,
            "STACK": STACK,
            "MAX_USERS": "20",
            "SUMMARY_MODEL_ID": SONNET,
            "ACTION_MODEL_ID": SONNET,
            "MAX_OUTPUT_TOKENS": "5200",
            "ANSWER_SECONDS": "180",
            "PART_CHARACTERS": "100000",
            "AT_ONCE": "3",
            "LOG_LEVEL": "DEBUG",
        }
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(boto3, "client", lambda service, **_: clients[service])
        monkeypatch.setattr(ids, "now", lambda: harness.now)
        monkeypatch.setattr(auth_handler, "signing_keys", lambda _: keys_of(harness.provider))
        for create in CREATORS:
            create.cache_clear()
        yield harness
        for create in CREATORS:
            create.cache_clear()

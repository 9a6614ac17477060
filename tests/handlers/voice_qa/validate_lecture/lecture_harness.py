"""Lecture validator with a bucket in moto and a table in memory. Texts with "canary" must not be logged."""

import io
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from unittest import mock

import boto3
from moto import mock_aws

from handlers.common.aws import SHORT_TIMEOUT_CONFIG, build_presigning_config
from handlers.common.ids import ulid
from handlers.common.logging import EventLog
from handlers.common.records import Records, deserialize_item, serialize_item
from handlers.voice_qa.environment import ValidatorEnvironment
from handlers.voice_qa.messages import LectureState
from handlers.voice_qa.records import Lecture, LectureTable, lecture_key
from handlers.voice_qa.validate_lecture import handler
from tests.handlers.common.fakes import MemoryDynamoDb
from tests.handlers.ingestion.s3_messages import body, record

BUCKET, TABLE = "audio", "sessions"
NOW = datetime(2026, 1, 3, 12, 0, 0, 123000, tzinfo=UTC)
LECTURE_ID, OTHER_LECTURE_ID = ulid(NOW - timedelta(hours=2), 1), ulid(NOW - timedelta(hours=1), 2)
LECTURE_KEY = f"lectures/{LECTURE_ID}/canary name.mp3"
ENVIRONMENT = ValidatorEnvironment(s3_bucket=BUCKET, dynamodb_table=TABLE, max_lecture_bytes=2_000_000)


def silence(milliseconds: int) -> bytes:
    """Return a WAV file of this length."""
    file = io.BytesIO()
    with wave.open(file, "wb") as recording:
        recording.setparams((1, 1, 1000, 0, "NONE", ""))
        recording.writeframes(bytes(milliseconds))
    return file.getvalue()


@dataclass
class LectureHarness:
    """Lecture validator with its bucket and table.

    A test uploads objects with `put`, handles their notifications, and inspects the lecture's item.
    """

    s3: Any
    dynamodb: Any
    environment: ValidatorEnvironment = ENVIRONMENT
    upload_count: int = 0

    @property
    def table(self) -> LectureTable:
        return LectureTable(self.dynamodb, TABLE)

    def put(self, data: bytes, key: str = LECTURE_KEY) -> str:
        """Upload an object. Return the message that announces it."""
        response = self.s3.put_object(Bucket=BUCKET, Key=key, Body=data)
        self.upload_count += 1
        # Newer versions have earlier times, because the clocks of S3's servers may differ.
        event = record(key, len(data), eventTime=(NOW - timedelta(seconds=self.upload_count)).isoformat())
        event["s3"]["bucket"]["name"] = BUCKET
        event["s3"]["object"] |= {
            "eTag": response["ETag"].strip('"'),
            "versionId": response.get("VersionId", "null"),
            "sequencer": f"{self.upload_count:018X}",
        }
        return body(event)

    def handle(self, *messages: str) -> list[str]:
        """Handle one batch. Return the indexes of failed messages."""
        validator = handler.LectureValidator(self.environment, self.s3, self.table, EventLog("DEBUG"))
        with mock.patch.object(handler, "_validator", return_value=validator):
            return call_handler(*messages)

    def item(self, lecture_id: str = LECTURE_ID) -> dict[str, Any]:
        """Return a lecture's item as plain values, or {} if there is none."""
        key = serialize_item(lecture_key(lecture_id))
        return deserialize_item(self.dynamodb.get_item(TableName=TABLE, Key=key).get("Item", {}))


def call_handler(*messages: str) -> list[str]:
    """Call the entry point with a batch of messages. Return the indexes of failed messages."""
    records = [{"messageId": str(index), "body": content} for index, content in enumerate(messages)]
    failures = handler.handler({"Records": records}, None)["batchItemFailures"]
    return [failure["itemIdentifier"] for failure in failures]


def create_table() -> Any:
    """Return a client of an empty table of voice Q&A."""
    return MemoryDynamoDb(**{TABLE: ["sessionId", "lectureId"]})


@cache
def s3_client() -> Any:
    """Create the client once. Creating it for each test would take most of the test's time."""
    return boto3.client("s3", config=SHORT_TIMEOUT_CONFIG.merge(build_presigning_config()))


@contextmanager
def create_lecture_harness() -> Iterator[LectureHarness]:
    """Return the harness. The caller must set fake AWS credentials in the environment first."""
    with mock_aws():
        s3 = s3_client()
        s3.create_bucket(Bucket=BUCKET)
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        yield LectureHarness(s3, create_table())


def put_lecture(dynamodb: Any, lecture_id: str, **changes: Any) -> None:
    """Store a lecture that is ready as the validator does, with some changes."""
    values = {"status": LectureState.READY, "format": "mp3", "duration_ms": 60_000, "version_id": "v1"}
    lecture = Lecture.model_validate({**values, "key": f"lectures/{lecture_id}/a.mp3", **changes})
    Records(dynamodb, TABLE, Lecture).change(lecture_key(lecture_id), lambda _: lecture)

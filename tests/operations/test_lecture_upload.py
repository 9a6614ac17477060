"""Tests of the command `lecture`, which uploads a lecture of voice Q&A and waits until it is validated."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest

from handlers.common.aws.s3_notifications import NewObject
from handlers.voice_qa.lecture_upload_rules import parse_upload
from operations import lecture_upload
from operations.__main__ import main
from tests.moto_tables import create_table

BUCKET = "polyphony-dev-voice-qa-audio-123456789012"
TABLE = "polyphony-dev-voice-qa-sessions"


class Stack:
    """Bucket and table in moto. While the command waits, a fake validator writes `validation_result` to the table."""

    def __init__(self) -> None:
        self.s3, self.dynamodb, self.sts = boto3.client("s3"), boto3.client("dynamodb"), boto3.client("sts")
        self.s3.create_bucket(Bucket=BUCKET)
        create_table(self.dynamodb, TABLE, "sessionId", "lectureId")
        self.printed: list[str] = []
        self.waited_seconds = 0.0
        self.validation_result: dict[str, str] | None = None

    def __call__(self, service: str) -> Any:
        return getattr(self, service)

    def wait(self, seconds: float) -> None:
        self.waited_seconds += seconds
        if self.validation_result is not None and self.waited_seconds > 3:
            item = {"sessionId": f"lecture#{self.lecture_id}", "lectureId": self.lecture_id, **self.validation_result}
            self.dynamodb.put_item(TableName=TABLE, Item={name: {"S": value} for name, value in item.items()})

    @property
    def key(self) -> str:
        """Key of the only object."""
        [stored] = self.s3.list_objects_v2(Bucket=BUCKET)["Contents"]
        return str(stored["Key"])

    @property
    def lecture_id(self) -> str:
        return self.key.split("/")[1]

    def run(self, path: Path, stack: str = "dev") -> int:
        return main(
            ["lecture", "--stack", stack, str(path)],
            clients=self,
            clock=lambda: self.waited_seconds,
            wait=self.wait,
            print_line=self.printed.append,
        )


@pytest.fixture
def stack(mocked_aws: None) -> Stack:
    return Stack()


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "Prof. X, private notes.MP3"
    path.write_bytes(b"audio")
    return path


def test_a_lecture_is_uploaded_for_the_validator_and_becomes_ready(stack: Stack, recording: Path) -> None:
    stack.validation_result = {"status": "ready"}
    assert stack.run(recording) == 0
    arrived = datetime(2026, 1, 3, tzinfo=UTC)
    upload = parse_upload(NewObject(bucket=BUCKET, key=stack.key, version_id="v1", size=5, etag="e", arrived=arrived))
    assert upload is not None
    assert (upload.lecture_id, upload.misplaced) == (stack.lecture_id, False), "the validator must accept the key"
    assert stack.key.endswith("/lecture.mp3"), "the name of the local file is not uploaded"
    stored = stack.s3.get_object(Bucket=BUCKET, Key=stack.key)
    assert (stored["Body"].read(), stored["ContentType"]) == (b"audio", "audio/mpeg")
    assert stack.printed[-1] == f"{stack.lecture_id}: ready, guests can ask questions about it"


def test_the_reason_of_a_rejection_is_printed(stack: Stack, recording: Path) -> None:
    stack.validation_result = {"status": "rejected", "reason": "The recording is too short."}
    assert stack.run(recording) == 1
    assert stack.printed[-1] == f"{stack.lecture_id}: rejected. The recording is too short."


def test_a_lecture_that_is_not_validated_in_time_is_an_error(
    stack: Stack, recording: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lecture_upload, "VALIDATION_SECONDS", 5)
    assert stack.run(recording) == 2
    assert f"The lecture {stack.lecture_id} was not validated within 5 s" in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, b""])
def test_a_missing_or_empty_file_is_refused(
    stack: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None
) -> None:
    path = tmp_path / "lecture.mp3"
    if content is not None:
        path.write_bytes(content)
    assert stack.run(path) == 2
    assert "is not a file, or is empty" in capsys.readouterr().err
    assert "Contents" not in stack.s3.list_objects_v2(Bucket=BUCKET)


def test_a_missing_bucket_is_an_error(stack: Stack, recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert stack.run(recording, "prod") == 2
    output = capsys.readouterr().err
    assert output.startswith("s3:PutObject on polyphony-prod-voice-qa-audio-123456789012: refused or interrupted")

"""The lecture validator's entry point: validation of messages from the queue."""

from collections.abc import Iterator

import pytest

from handlers.voice_qa.validate_lecture import handler
from tests.handlers.voice_qa.validate_lecture.lecture_harness import BUCKET, TABLE, LectureHarness, notification


@pytest.fixture(autouse=True)
def _environment(lectures: LectureHarness, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in {"S3_BUCKET": BUCKET, "DYNAMODB_TABLE": TABLE, "LECTURE_FORMATS": "mp3,flac"}.items():
        monkeypatch.setenv(name, value)
    handler._validator.cache_clear()
    yield
    handler._validator.cache_clear()


def test_a_batch_is_validated_and_failed_messages_are_returned(lectures: LectureHarness) -> None:
    messages = [
        {"messageId": "good", "body": notification(lectures.put(b"no recording"))},
        {"messageId": "bad", "body": "no notification"},
    ]
    assert handler.handler({"Records": messages}, None) == {"batchItemFailures": [{"itemIdentifier": "bad"}]}
    assert lectures.item()["reason"] == "The format of the file is unknown. Allowed formats: flac, mp3."

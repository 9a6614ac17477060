"""Tests of batch processing: each message fails and is redelivered separately."""

from enum import StrEnum
from typing import Any

import pytest

from handlers.common.events import InvalidEvent, process_batch
from handlers.common.logging import EventLog


class Outcome(StrEnum):
    DONE = "done"
    IGNORED = "ignored"


def process_body(body: str) -> Outcome:
    match body:
        case "no event":
            raise InvalidEvent("canary")
        case "failing":
            raise RuntimeError("canary")
        case "ignored":
            return Outcome.IGNORED
    return Outcome.DONE


def process(*bodies: str) -> list[str]:
    """Process a batch; return the ids of the messages that SQS delivers again. An id is the index and the body."""
    messages = [{"messageId": f"{index} {body}", "body": body} for index, body in enumerate(bodies)]
    answer: Any = process_batch(messages, process_body, EventLog("DEBUG"), event_kind="video")
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def test_only_failed_messages_are_redelivered() -> None:
    assert process() == []
    assert process("valid", "no event", "valid", "failing", "ignored") == ["1 no event", "3 failing"]


def test_the_log_contains_counts_and_error_types_but_no_message(capsys: pytest.CaptureFixture[str]) -> None:
    process("no event", "failing", "ignored", "valid")
    output = capsys.readouterr().out
    assert '"message":"video_batch"' in output
    assert '"records":4,"ignored":1,"failed":2' in output.replace(": ", ":")
    assert "NOT_A_VIDEO_EVENT" in output
    assert "RuntimeError" in output
    assert "canary" not in output

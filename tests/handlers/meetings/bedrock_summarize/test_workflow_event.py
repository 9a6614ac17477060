"""Tests of the event that the workflow sends to the summary function."""

from typing import Any

import pytest
from pydantic import ValidationError

from handlers.meetings.bedrock_summarize.workflow_event import MAX_PARTS
from tests.handlers.meetings.bedrock_summarize.summary_harness import RECORDING, create_request

OTHER_USER = "B" * 32


def part(number: int, offset_ms: int | None = None, key: str | None = None) -> dict[str, Any]:
    offset = number * 1_000 if offset_ms is None else offset_ms
    return {"key": key or RECORDING.audio_key(number), "offsetMs": offset, "durationMs": 1_000}


@pytest.mark.parametrize(
    "changed",
    [
        {"user": "someone"},
        {"user": f"{'A' * 32}\n"},
        {"user": "../" + "A" * 29},
        {"meetingId": "short"},
        {"content": "0" * 31},
        {"content": "G" * 32},
        {"language": "english"},
        {"durationMs": -1},
        {"audio": []},
        {"audio": [part(1)]},
        {"audio": [part(1), part(0)]},
        {"audio": [part(0), part(1, 0)]},
        {"audio": [part(0), part(0, 1_000)]},
        {"audio": [part(0, key=RECORDING.audio_key(0).replace("A" * 32, OTHER_USER))]},
        {"audio": [part(0, key=RECORDING.transcript_key)]},
        {"audio": [part(number) for number in range(MAX_PARTS + 1)]},
        {"user": OTHER_USER},
    ],
)
def test_an_event_with_invalid_fields_or_keys_of_another_recording_is_rejected(changed: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        create_request(**changed)
    assert "input_value" not in str(caught.value), "the message must not quote the event"

"""A queue message names a window of a transcript and contains no text of it."""

import pytest
from pydantic import ValidationError

from components.settings.livestream import ClaimAgentSettings
from handlers.common.text import WindowSizes
from handlers.livestream.transcript.cues import MAX_CHARACTERS, MAX_MS
from handlers.livestream.transcript_window_queue import (
    MAX_WINDOWS,
    WindowMessage,
    WindowQueue,
    WindowsNotQueued,
    window_messages,
)
from handlers.livestream.transcript_windows.environment import WINDOW_SECONDS
from tests.handlers.scripted_clients import stubbed

OWNER, EPISODE = "everybody", "01HZXW3V9K8Q2M4N6P8R0T2V4X"
SIZES = WindowSizes(characters=6_000, milliseconds=600_000, overlap_characters=600)
KEY = f"transcripts/{OWNER}/{EPISODE}/01HZXW3V9K8Q2M4N6P8R0T2V4Y.srt"


def message(**changes: object) -> WindowMessage:
    """Return the first of two messages, with changed fields."""
    first, _ = window_messages(OWNER, EPISODE, KEY, "v1", 2, SIZES)
    return WindowMessage.model_validate({**first.model_dump(by_alias=True), **changes})


def test_a_window_id_is_stable_and_unique() -> None:
    assert message().window_id == message().window_id
    other_messages = [message(index=1), message(transcriptVersion="v2"), message(transcriptKey=KEY + "x")]
    assert len({message().window_id, *(other.window_id for other in other_messages)}) == 4


def test_a_message_lists_the_ids_of_the_other_windows() -> None:
    messages = window_messages(OWNER, EPISODE, KEY, "v1", 3, SIZES)
    assert messages[1].other_window_ids == {messages[0].window_id, messages[2].window_id}
    assert window_messages(OWNER, EPISODE, KEY, "v1", 1, SIZES)[0].other_window_ids == frozenset()


def test_each_window_has_a_message_that_is_parsed_back_from_json() -> None:
    messages = window_messages(OWNER, EPISODE, KEY, "v1", 3, SIZES)
    assert [message.index for message in messages] == [0, 1, 2]
    body = messages[1].model_dump_json(by_alias=True)
    assert '"schemaVersion":1' in body
    assert WindowMessage.model_validate_json(body) == messages[1]
    assert messages[1].cut.sizes == SIZES


@pytest.mark.parametrize(
    "changes",
    [
        {"schemaVersion": 2},
        {"index": 2},
        {"owner": "../x"},
        {"transcriptKey": "videos/everybody/x"},
        {"transcriptKey": KEY.replace(EPISODE, "0" * 26)},
    ],
)
def test_an_inconsistent_message_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as caught:
        message(**changes)
    assert "input_value" not in str(caught.value)


def test_messages_that_sqs_rejects_raise_an_error() -> None:
    accepted = [{"Id": "0", "MessageId": "m", "MD5OfMessageBody": "x"}]
    rejected = {"Id": "3", "SenderFault": False, "Code": "InternalError"}
    with stubbed("sqs") as (client, stubber):
        stubber.add_response("send_message_batch", {"Successful": accepted, "Failed": [rejected]})
        with pytest.raises(WindowsNotQueued) as caught:
            WindowQueue(client, "https://queue").send(window_messages(OWNER, EPISODE, KEY, "v1", 22, SIZES))
    assert not caught.value.args


def test_the_largest_readable_transcript_stays_below_the_window_limit() -> None:
    characters = ClaimAgentSettings().window_characters
    max_windows = 1 + MAX_MS // (WINDOW_SECONDS * 1000) + 2 * MAX_CHARACTERS // characters
    assert max_windows <= MAX_WINDOWS
    assert message(index=MAX_WINDOWS - 1, count=MAX_WINDOWS).count == MAX_WINDOWS

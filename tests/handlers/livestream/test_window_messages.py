"""A queue message names a window of a transcript and contains no text of it."""

import pytest
from pydantic import ValidationError

from components.settings.livestream import ClaimAgentSettings
from handlers.common.text import Window
from handlers.livestream.keys import UploadedObject, UploadKey
from handlers.livestream.transcript import MAX_CHARACTERS, MAX_MS, Cue
from handlers.livestream.transcript_windows.environment import WINDOW_SECONDS
from handlers.livestream.window_messages import MAX_WINDOWS, WindowMessage, window_messages

OWNER, EPISODE, UPLOAD = "everybody", "01HZXW3V9K8Q2M4N6P8R0T2V4X", "01HZXW3V9K8Q2M4N6P8R0T2V4Y"
KEY = f"transcripts/{OWNER}/{EPISODE}/{UPLOAD}.srt"
CUES = tuple(Cue(start, start + 1, "canary") for start in range(4))
MESSAGES = window_messages(
    UploadedObject(KEY, "v1", UploadKey(OWNER, EPISODE, UPLOAD, "srt")),
    [Window(0, 0, 1, CUES[:2]), Window(1, 1, 2, CUES[1:]), Window(2, 3, 1, CUES[3:])],
)


def message(**changes: object) -> WindowMessage:
    """Return the second message with changed fields."""
    return WindowMessage.model_validate({**MESSAGES[1].model_dump(by_alias=True), **changes})


def test_a_window_id_is_unique_and_the_ids_of_the_other_windows_are_known() -> None:
    first, second, third = (message.window_id for message in MESSAGES)
    assert MESSAGES[1].other_window_ids == {first, third}
    others = [message(transcriptVersion="v2").window_id, message(transcriptKey=KEY + "x").window_id]
    assert len({first, second, third, *others}) == 5
    assert message().window_id == second


@pytest.mark.parametrize(
    "changes",
    [
        {"schemaVersion": 2},
        {"index": 3},
        {"first": 3},
        {"coreEnd": 5},
        {"owner": "../x"},
        {"transcriptKey": "videos/everybody/x"},
        {"transcriptKey": KEY.replace(EPISODE, "0" * 26)},
    ],
)
def test_an_inconsistent_message_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        message(**changes)


def test_the_largest_readable_transcript_stays_below_the_window_limit() -> None:
    characters = ClaimAgentSettings().window_characters
    max_windows = 1 + MAX_MS // (WINDOW_SECONDS * 1000) + 2 * MAX_CHARACTERS // characters
    assert max_windows <= MAX_WINDOWS

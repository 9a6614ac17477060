"""A message names a window of a transcript, and says nothing of it."""

import pytest
from pydantic import ValidationError

from components.settings.livestream import ClaimAgentSettings
from handlers.common.text.text_windows import Sizes
from handlers.livestream.transcript.cues import MAX_CHARACTERS, MAX_MS
from handlers.livestream.transcript_windows.environment import WINDOW_SECONDS
from handlers.livestream.window_queue import MAX_WINDOWS, WindowMessage, messages

OWNER, EPISODE = "everybody", "01HZXW3V9K8Q2M4N6P8R0T2V4X"
SIZES = Sizes(characters=6_000, milliseconds=600_000, overlap_characters=600)
KEY = f"transcripts/{OWNER}/{EPISODE}/01HZXW3V9K8Q2M4N6P8R0T2V4Y.srt"

CUT = {"characters": 6_000, "milliseconds": 600_000, "overlapCharacters": 600}


def message(**changed: object) -> WindowMessage:
    whole = {
        "owner": OWNER,
        "episodeId": EPISODE,
        "transcriptKey": KEY,
        "transcriptVersion": "v1",
        "index": 0,
        "count": 2,
        "cut": CUT,
    }
    return WindowMessage.model_validate({"schemaVersion": 1, **whole, **changed})


def test_a_windows_name_is_the_same_each_time_and_no_others() -> None:
    assert message().window_id == message().window_id
    others = [message(index=1), message(transcriptVersion="v2"), message(transcriptKey=KEY + "x")]
    assert len({message().window_id, *(one.window_id for one in others)}) == 4


def test_a_window_knows_the_names_of_its_transcripts_other_windows() -> None:
    made = messages(OWNER, EPISODE, KEY, "v1", 3, SIZES)
    assert made[1].others == {made[0].window_id, made[2].window_id}
    assert messages(OWNER, EPISODE, KEY, "v1", 1, SIZES)[0].others == frozenset()


def test_there_is_a_message_a_window_which_the_queue_gives_back_as_it_was() -> None:
    made = messages(OWNER, EPISODE, KEY, "v1", 3, SIZES)
    assert [one.index for one in made] == [0, 1, 2]
    written = made[1].model_dump_json(by_alias=True)
    assert '"schemaVersion":1' in written
    assert WindowMessage.model_validate_json(written) == made[1]
    assert made[1].cut.sizes == SIZES


@pytest.mark.parametrize(
    "changed",
    [
        {"schemaVersion": 2},
        {"index": 2},
        {"index": -1},
        {"count": 0},
        {"count": MAX_WINDOWS + 1},
        {"owner": "someone"},
        {"owner": "../x"},
        {"episodeId": "short"},
        {"transcriptKey": "videos/everybody/x"},
        {"transcriptKey": KEY.replace(EPISODE, "0" * 26)},
        {"transcriptVersion": ""},
        {"cut": {"characters": 0, "milliseconds": 1, "overlapCharacters": 1}},
        {"cut": {"characters": 1}},
        {"cut": None},
    ],
)
def test_a_message_that_does_not_hold_together_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as caught:
        message(**changed)
    assert "input_value" not in str(caught.value)


def test_with_the_windows_that_are_the_default_every_transcript_that_is_read_is_taken() -> None:
    characters = ClaimAgentSettings().window_characters
    most = 1 + MAX_MS // (WINDOW_SECONDS * 1000) + 2 * MAX_CHARACTERS // characters
    assert most <= MAX_WINDOWS
    assert message(index=MAX_WINDOWS - 1, count=MAX_WINDOWS).count == MAX_WINDOWS

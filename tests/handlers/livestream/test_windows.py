"""Windows hold a transcript together: each thing that is said stands whole in one of them, and messages say nothing of
it.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from handlers.livestream.cues import Cue
from handlers.livestream.windows import Sizes, WindowMessage, messages, windows

OWNER, EPISODE = "everybody", "01HZXW3V9K8Q2M4N6P8R0T2V4X"
KEY = f"transcripts/{OWNER}/{EPISODE}/01HZXW3V9K8Q2M4N6P8R0T2V4Y.srt"
LENGTHS = st.lists(st.integers(1, 120), min_size=1, max_size=60)
SIZES = st.builds(
    Sizes,
    characters=st.integers(1, 400),
    milliseconds=st.integers(1, 60_000),
    overlap_characters=st.integers(0, 200),
)


def cues_of(lengths: list[int]) -> tuple[Cue, ...]:
    return tuple(Cue(at * 1_000, at * 1_000 + 900, "x" * length) for at, length in enumerate(lengths))


def message(**changed: object) -> WindowMessage:
    whole = {
        "owner": OWNER,
        "episodeId": EPISODE,
        "transcriptKey": KEY,
        "transcriptVersion": "v1",
        "index": 0,
        "count": 2,
    }
    return WindowMessage.model_validate({"schemaVersion": 1, **whole, **changed})


@given(LENGTHS, SIZES)
def test_what_begins_in_a_core_and_is_no_longer_than_the_overlap_stands_whole_in_its_window(
    lengths: list[int], sizes: Sizes
) -> None:
    found = windows(cues_of(lengths), sizes)
    spans = [(one.first, one.first + len(one.cues)) for one in found]
    for begin in range(len(lengths)):
        end = begin + 1
        # The longest passage takes one character of its first cue, all of those between, and one of its last.
        while end < len(lengths) and 2 + sum(lengths[begin + 1 : end]) <= sizes.overlap_characters:
            end += 1
        assert any(first <= begin and end <= last for first, last in spans)


@given(LENGTHS, SIZES)
def test_cores_divide_the_transcript(lengths: list[int], sizes: Sizes) -> None:
    cues = cues_of(lengths)
    found = windows(cues, sizes)
    at = 0
    for index, one in enumerate(found):
        assert (one.index, one.first) == (index, at)
        assert one.core >= 1
        assert one.cues == cues[one.first : one.first + len(one.cues)]
        core = one.cues[: one.core]
        at += one.core
        if one is found[-1]:
            continue  # nobody else has its end
        assert one.core == 1 or sum(len(cue.text) for cue in core) <= sizes.characters
        assert one.core == 1 or core[-1].end_ms - core[0].start_ms <= sizes.milliseconds
    assert at == len(cues) == found[-1].first + len(found[-1].cues)
    assert all(one.first + len(one.cues) < len(cues) for one in found[:-1]), "no window repeats the end of another"


@given(LENGTHS, SIZES)
def test_every_moment_at_which_something_begins_is_one_windows_own(lengths: list[int], sizes: Sizes) -> None:
    cues = cues_of(lengths)
    found = windows(cues, sizes)
    for cue in cues:
        inside = [one for one in found if cue in one.cues]
        assert [one for one in inside if one.own(cue.start_ms)] == inside[-1:]


def test_a_window_ends_when_the_last_of_its_voices_does() -> None:
    (one,) = windows((Cue(0, 9_000, "a"), Cue(1_000, 2_000, "b")), Sizes(100, 100_000, 10))
    assert (one.start_ms, one.end_ms) == (0, 9_000)


def test_a_windows_name_is_the_same_each_time_and_no_others() -> None:
    assert message().window_id == message().window_id
    others = [message(index=1), message(transcriptVersion="v2"), message(transcriptKey=KEY + "x")]
    assert len({message().window_id, *(one.window_id for one in others)}) == 4


def test_there_is_a_message_a_window_which_the_queue_gives_back_as_it_was() -> None:
    made = messages(OWNER, EPISODE, KEY, "v1", 3)
    assert [one.index for one in made] == [0, 1, 2]
    written = made[1].model_dump_json(by_alias=True)
    assert '"schemaVersion":1' in written
    assert WindowMessage.model_validate_json(written) == made[1]


@pytest.mark.parametrize(
    "changed",
    [
        {"schemaVersion": 2},
        {"index": 2},
        {"index": -1},
        {"count": 0},
        {"owner": "someone"},
        {"owner": "../x"},
        {"episodeId": "short"},
        {"transcriptKey": "videos/everybody/x"},
        {"transcriptKey": KEY.replace(EPISODE, "0" * 26)},
        {"transcriptVersion": ""},
    ],
)
def test_a_message_that_does_not_hold_together_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as caught:
        message(**changed)
    assert "input_value" not in str(caught.value)

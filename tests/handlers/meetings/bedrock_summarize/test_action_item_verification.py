"""Tests of the action items that a model finds in windows of a transcript.

An item is kept only if its quote was said. Items that overlapping windows found twice are merged.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.common.text import Window, WindowSizes, split_into_windows
from handlers.meetings.bedrock_summarize.action_item_verification import (
    LocatedActionItem,
    is_same_owner,
    merge_items,
    verify_items,
)
from handlers.meetings.bedrock_summarize.model_answers import ModelActionItem
from handlers.meetings.bedrock_summarize.stored_summary_models import ActionItem
from handlers.meetings.bedrock_summarize.stored_transcript_models import TranscriptSegment

TEXTS = (
    "Good morning.",
    "Anna will send the report, by Friday.",
    "I will book “the room”.",
    "Anna will send the report, by Friday.",
)
SEGMENTS = tuple(
    TranscriptSegment(speaker=f"spk_{number % 2}", start_ms=number * 1_000, end_ms=number * 1_000 + 900, text=text)
    for number, text in enumerate(TEXTS)
)
ALL_SEGMENTS = Window(0, 0, len(SEGMENTS), SEGMENTS)
FIRST_WINDOW, SECOND_WINDOW = split_into_windows(SEGMENTS, WindowSizes(40, 60_000, 30))[:2]
"""Overlapping windows. The overlap of the first one is the second segment, with which the second one starts."""


def model_item(
    quote: str, segment: int | None = None, text: str = "Do it", owner: str | None = None
) -> ModelActionItem:
    """Return an action item of the model's answer. `segment` is the number of the segment that the model states."""
    return ModelActionItem.model_validate(
        {"text": text, "owner": owner, "due": "by\nFriday", "quote": quote, "said": segment}
    )


def verify_item(item: ModelActionItem, window: Window[TranscriptSegment] = ALL_SEGMENTS) -> ActionItem:
    (located,) = verify_items([item], window).items
    return located.item


def test_a_verified_item_has_the_words_and_the_time_of_the_transcript() -> None:
    item = verify_item(model_item("I WILL book the room", owner="  spk_0\u0007 "))
    assert (item.quote.text, item.quote.start_ms) == ("I will book “the room", 2_000)
    assert (item.owner, item.due) == ("spk_0", "by Friday")
    assert verify_item(model_item("I will book the room", owner=" \u0000")).owner is None


@pytest.mark.parametrize("quote", ["I will book a room", "report room", "room", "...", "spk_0 I will book"])
def test_an_item_is_dropped_if_its_quote_was_not_said(quote: str) -> None:
    verified = verify_items([model_item(quote), model_item("I will book the room")], ALL_SEGMENTS)
    assert (len(verified.items), verified.dropped) == (1, 1)


@pytest.mark.parametrize(("segment", "start_ms"), [(None, 1_000), (1, 1_000), (3, 3_000), (99, 3_000)])
def test_the_segment_number_of_the_model_selects_the_nearest_of_two_occurrences(
    segment: int | None, start_ms: int
) -> None:
    item = model_item("Anna will send the report", segment)
    assert verify_item(item).quote.start_ms == start_ms
    without_first_segment = Window(1, 1, 3, SEGMENTS[1:])
    assert verify_item(item, without_first_segment).quote.start_ms == start_ms


def locate(window: Window[TranscriptSegment], *items: ModelActionItem) -> tuple[LocatedActionItem, ...]:
    return verify_items(items, window).items


def merged_texts(*items_by_window: tuple[LocatedActionItem, ...]) -> list[str]:
    """Merge the items of consecutive windows; return their texts."""
    return [item.item.text for item in merge_items(items_by_window)]


def test_an_item_that_two_overlapping_windows_found_is_kept_once() -> None:
    assert (FIRST_WINDOW.core_count, len(FIRST_WINDOW.passages), SECOND_WINDOW.first) == (1, 2, 1)
    first_items = locate(FIRST_WINDOW, model_item("send the report", 1, "Send it", "Anna"))
    second_items = locate(SECOND_WINDOW, model_item("Anna will send the report", 1, "Send the report", "Anna Berg"))
    assert first_items[0].in_overlap
    assert not second_items[0].in_overlap
    assert merged_texts(first_items, second_items) == ["Send the report"], "the later window contains more context"
    assert merged_texts(first_items, ()) == ["Send it"], "an item that only the first window found must be kept"


def test_two_owners_of_the_same_sentence_have_separate_items() -> None:
    first_items = locate(FIRST_WINDOW, model_item("send the report", 1, "Send it", "Anna"))
    second_items = locate(SECOND_WINDOW, model_item("send the report", 1, "Send it too", "Bob"))
    assert merged_texts(first_items, second_items) == ["Send it", "Send it too"]


def test_two_items_of_one_window_may_have_the_same_quote() -> None:
    items = [model_item("send the report", 1, text) for text in ("Send it", "Print it")]
    assert merged_texts(locate(ALL_SEGMENTS, *items)) == ["Send it", "Print it"]


def test_a_repeated_item_is_listed_at_its_first_occurrence() -> None:
    later_item, earlier_item = (
        model_item("send the report", segment, text)
        for segment, text in ((3, "Send: the report!"), (1, "send the report"))
    )
    [merged] = merge_items([locate(ALL_SEGMENTS, later_item, earlier_item)])
    assert merged.item.quote.start_ms == 1_000


@pytest.mark.parametrize(
    ("owner", "other_owner", "is_same"),
    [
        ("Anna", "anna", True),
        ("Anna", "Anna Berg", True),
        ("Berg, Anna", "Anna Berg", True),
        ("Anna", "Hannah", False),
        ("Anna Berg", "Anna Holm", False),
        ("spk_0", "spk_1", False),
        (None, None, True),
        (None, "", True),
        (None, "Anna", False),
    ],
)
def test_owners_are_the_same_if_one_name_has_all_words_of_the_other(
    owner: str | None, other_owner: str | None, *, is_same: bool
) -> None:
    assert is_same_owner(owner, other_owner) is is_same_owner(other_owner, owner) is is_same


@given(st.data())
def test_merging_keeps_every_item_once(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 12))
    passages = tuple(
        TranscriptSegment(speaker="spk_0", start_ms=number, end_ms=number, text=f"the task number{number} is mine")
        for number in range(count)
    )
    sizes = WindowSizes(data.draw(st.integers(1, 60)), 10_000, data.draw(st.integers(0, 60)))
    items_by_window = []
    for window in split_into_windows(passages, sizes):
        numbers = data.draw(st.permutations(range(window.first, window.first + len(window.passages))))
        items = [model_item(f"number{number} is mine", number, f"Do {number}") for number in numbers]
        items_by_window.append(locate(window, *items))
    assert merged_texts(*items_by_window) == [f"Do {number}" for number in range(count)]

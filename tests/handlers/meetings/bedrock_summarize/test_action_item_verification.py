"""Tests of the verification and the merge of action items."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.common.text.text_windows import Window, WindowSizes, split_into_windows
from handlers.meetings.bedrock_summarize.action_item_verification import (
    LocatedActionItem,
    VerifiedItems,
    is_same_owner,
    merge_items,
    verify_items,
)
from handlers.meetings.bedrock_summarize.model_answers import ModelActionItem
from handlers.meetings.bedrock_summarize.summary_data_models import ActionItem
from handlers.meetings.bedrock_summarize.transcript_data_models import TranscriptSegment

TEXTS = (
    "Good morning.",
    "Anna will send the report, by Friday.",
    "I will book “the room”.",
    "Anna will send the report, by Friday.",
)
SAID = tuple(
    TranscriptSegment(speaker=f"spk_{at % 2}", start_ms=at * 1_000, end_ms=at * 1_000 + 900, text=text)
    for at, text in enumerate(TEXTS)
)
WHOLE = Window(0, 0, len(SAID), SAID)
FIRST, SECOND = split_into_windows(SAID, WindowSizes(40, 60_000, 30))[:2]
"""Overlapping windows. The first contains two segments, and the third segment as its overlap."""


def model_item(quote: str, at: int | None = None, text: str = "Do it", owner: str | None = None) -> ModelActionItem:
    return ModelActionItem.model_validate(
        {"text": text, "owner": owner, "due": "by\nFriday", "quote": quote, "said": at}
    )


def verified(*items: ModelActionItem, window: Window[TranscriptSegment] = WHOLE) -> list[ActionItem]:
    return [item.item for item in verify_items(items, window).items]


def test_a_verified_item_has_the_transcripts_words_and_time() -> None:
    (one,) = verified(model_item("I WILL book the room", owner="  spk_0\u0007 "))
    assert (one.quote.text, one.quote.start_ms) == ("I will book “the room", 2_000)
    assert (one.owner, one.due) == ("spk_0", "by Friday")
    (blank,) = verified(model_item("I will book the room", owner=" \u0000"))
    assert blank.owner is None


@pytest.mark.parametrize("quote", ["I will book a room", "report room", "room", "...", "spk_0 I will book"])
def test_an_item_is_dropped_if_its_quote_was_not_said(quote: str) -> None:
    found = verify_items([model_item(quote), model_item("I will book the room")], WHOLE)
    assert (len(found.items), found.dropped) == (1, 1)


@pytest.mark.parametrize(("at", "start_ms"), [(None, 1_000), (1, 1_000), (3, 3_000), (99, 3_000)])
def test_the_models_line_number_selects_one_of_two_occurrences(at: int | None, start_ms: int) -> None:
    assert verified(model_item("Anna will send the report", at))[0].quote.start_ms == start_ms
    later = Window(1, 1, 3, SAID[1:])
    assert verified(model_item("Anna will send the report", at), window=later)[0].quote.start_ms == start_ms


def locate(window: Window[TranscriptSegment], *items: ModelActionItem) -> tuple[LocatedActionItem, ...]:
    return verify_items(items, window).items


def texts(*parts: tuple[LocatedActionItem, ...]) -> list[str]:
    return [item.item.text for item in merge_items(parts)]


def test_an_item_that_overlapping_parts_found_is_kept_once() -> None:
    assert (FIRST.core_count, len(FIRST.passages), SECOND.first) == (1, 2, 1)
    here = locate(FIRST, model_item("send the report", 1, "Send it", "Anna"))
    there = locate(SECOND, model_item("Anna will send the report", 1, "Send the report", "Anna Berg"))
    assert here[0].in_overlap
    assert not there[0].in_overlap
    assert texts(here, there) == ["Send the report"], "the later part has it whole"
    assert texts(here, ()) == ["Send it"], "and what it did not find stays"


def test_two_owners_of_the_same_sentence_have_separate_items() -> None:
    here = locate(FIRST, model_item("send the report", 1, "Send it", "Anna"))
    there = locate(SECOND, model_item("send the report", 1, "Send it too", "Bob"))
    assert texts(here, there) == ["Send it", "Send it too"]
    both = locate(WHOLE, model_item("send the report", 1, "Send it"), model_item("send the report", 1, "Print it"))
    assert texts(both) == ["Send it", "Print it"], "one part may find two in a sentence"


def test_a_repeated_agreement_is_listed_at_its_first_occurrence() -> None:
    found = merge_items(
        [
            locate(
                WHOLE,
                model_item("send the report", 3, "Send: the report!"),
                model_item("send the report", 1, "send the report"),
            )
        ]
    )
    assert [located.item.quote.start_ms for located in found] == [1_000]


@pytest.mark.parametrize(
    ("one", "other", "same"),
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
def test_a_first_name_matches_the_full_name(one: str | None, other: str | None, same: bool) -> None:
    assert is_same_owner(one, other) is is_same_owner(other, one) is same


@given(st.data())
def test_merging_keeps_every_item_once(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 12))
    passages = tuple(
        TranscriptSegment(speaker="spk_0", start_ms=at, end_ms=at, text=f"thing number{at} is mine")
        for at in range(count)
    )
    cut = split_into_windows(
        passages, WindowSizes(data.draw(st.integers(1, 60)), 10_000, data.draw(st.integers(0, 60)))
    )
    parts: list[VerifiedItems] = []
    for window in cut:
        numbers = range(window.first, window.first + len(window.passages))
        items = [model_item(f"number{at} is mine", at, f"Do {at}") for at in data.draw(st.permutations(numbers))]
        parts.append(verify_items(items, window))
    assert texts(*(part.items for part in parts)) == [f"Do {at}" for at in range(count)]

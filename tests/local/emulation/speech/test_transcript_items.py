"""Tests of the items of a transcript: words and punctuation marks with their times."""

import pytest

from local.emulation.speech.recognition import SpokenLine
from local.emulation.speech.transcript_items import join_items, split_items, time_items


@pytest.mark.parametrize(
    ("text", "items", "joined"),
    [
        ("Hello, world.", ["Hello", ",", "world", "."], "Hello, world."),
        ("In short,, it's 4.5 percent", ["In", "short", ",", "it's", "4.5", "percent"], "In short, it's 4.5 percent"),
        ("... Well?", ["Well", "?"], "Well?"),
        ("", [], ""),
    ],
)
def test_a_text_is_divided_into_words_and_marks(text: str, items: list[str], joined: str) -> None:
    assert split_items(text) == items
    assert join_items(items) == joined


def test_a_word_has_a_share_of_the_lines_time_by_its_length() -> None:
    items = time_items(["Ab", ",", "cdef", "."], SpokenLine(0, "", 1.0, 4.0))
    assert [(item.start, item.end) for item in items] == [(1.0, 2.0), (2.0, 2.0), (2.0, 4.0), (4.0, 4.0)]

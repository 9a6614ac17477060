"""Tests of text cleaning, including its duration for crafted text."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from handlers.common.text.text_cleaning import MAX_MARKS, clean_text

MARKS = ["\u0300", "\u0315", "\u0344", "\u0f73", "\u05b0", "\u3099", "\U0001d165"]
"""Marks with different combining classes, a mark that decomposes to two, and a character that decomposes to a mark."""
OTHERS = ["a", "\u00e9", "\u01d6", "\u2026", "\u226f", "\u0e01", " ", "\u0007", "\ud800"]
RUNS = st.lists(st.tuples(st.sampled_from(MARKS + OTHERS), st.integers(1, 70)), max_size=12).map(
    lambda runs: "".join(entry * times for entry, times in runs)
)


def max_marks(text: str) -> int:
    """Return the largest number of consecutive combining marks after decomposition."""
    most = row = 0
    for character in unicodedata.normalize("NFD", text):
        row = row + 1 if unicodedata.combining(character) else 0
        most = max(most, row)
    return most


def test_spaces_are_joined_and_control_characters_and_surrogates_removed() -> None:
    assert clean_text(" a\n\tb\u0007 \u00a0 c\u2028d\ud800 ") == "a b c d"
    assert clean_text("cafe\u0301") == "caf\u00e9"
    assert clean_text("\u0000 \u0000") == ""


@given(st.text())
def test_clean_text_is_unchanged(text: str) -> None:
    once = clean_text(text)
    assert clean_text(once) == once
    assert not any(unicodedata.category(item) in {"Cc", "Cs"} for item in once)
    once.encode()


@given(RUNS)
def test_the_number_of_consecutive_marks_is_limited(text: str) -> None:
    once = clean_text(text)
    assert max_marks(once) <= MAX_MARKS
    assert clean_text(once) == once


def test_excess_marks_are_removed_and_the_following_text_is_kept() -> None:
    assert clean_text("a" + "\u0300" * 2_000 + "b\u0300 c") == "\u00e0" + "\u0300" * (MAX_MARKS - 1) + "b\u0300 c"
    # Sorting a million of these marks would take an hour.
    assert len(clean_text("a" + "\u0315\u0300" * 500_000)) == MAX_MARKS


def test_every_combining_mark_of_unicode_counts() -> None:
    every = map(chr, range(0x110000))
    marks = [item for item in every if unicodedata.combining(unicodedata.normalize("NFD", item)[0])]
    assert len(marks) > 900
    assert all(max_marks(clean_text("a" + mark * 99)) <= MAX_MARKS for mark in marks)


def test_text_of_all_scripts_is_kept() -> None:
    for text in (
        "Tie\u0302\u0301ng Vie\u0323\u0302t",
        "\u05e9\u05c1\u05b8\u05dc\u05d5\u05b9\u05dd",
        "\u0e01\u0e33\u0e25\u0e31\u0e49\u0e07",
        "\u2026" * 50,
    ):
        assert clean_text(text) == unicodedata.normalize("NFC", text)

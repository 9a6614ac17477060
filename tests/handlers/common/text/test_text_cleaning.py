"""Whatever text comes in, what goes out is one line that every store takes, and that is soon made."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from handlers.common.text.text_cleaning import MAX_MARKS, clean_text

MARKS = ["\u0300", "\u0315", "\u0344", "\u0f73", "\u05b0", "\u3099", "\U0001d165"]
"""Of several places in their order; one that is two, and one that is a mark only when it is taken apart."""
OTHERS = ["a", "\u00e9", "\u01d6", "\u2026", "\u226f", "\u0e01", " ", "\u0007", "\ud800"]
RUNS = st.lists(st.tuples(st.sampled_from(MARKS + OTHERS), st.integers(1, 70)), max_size=12).map(
    lambda runs: "".join(entry * times for entry, times in runs)
)


def most_marks(text: str) -> int:
    """The longest row of combining marks, once all are taken apart."""
    most = row = 0
    for item in unicodedata.normalize("NFD", text):
        row = row + 1 if unicodedata.combining(item) else 0
        most = max(most, row)
    return most


def test_spaces_are_one_and_control_characters_and_halves_of_pairs_are_none() -> None:
    assert clean_text(" a\n\tb\u0007 \u00a0 c\u2028d\ud800 ") == "a b c d"
    assert clean_text("cafe\u0301") == "caf\u00e9"
    assert clean_text("\u0000 \u0000") == ""


@given(st.text())
def test_what_is_clean_stays_as_it_is(text: str) -> None:
    once = clean_text(text)
    assert clean_text(once) == once
    assert not any(unicodedata.category(item) in {"Cc", "Cs"} for item in once)
    once.encode()


@given(RUNS)
def test_of_marks_in_a_row_no_more_are_left_than_are_quickly_put_in_order(text: str) -> None:
    once = clean_text(text)
    assert most_marks(once) <= MAX_MARKS
    assert clean_text(once) == once


def test_marks_that_are_too_many_are_left_out_and_what_follows_them_is_not() -> None:
    assert clean_text("a" + "\u0300" * 2_000 + "b\u0300 c") == "\u00e0" + "\u0300" * (MAX_MARKS - 1) + "b\u0300 c"
    # Putting a million of these in order would take an hour.
    assert len(clean_text("a" + "\u0315\u0300" * 500_000)) == MAX_MARKS


def test_every_mark_that_there_is_counts() -> None:
    every = map(chr, range(0x110000))
    marks = [item for item in every if unicodedata.combining(unicodedata.normalize("NFD", item)[0])]
    assert len(marks) > 900
    assert all(most_marks(clean_text("a" + mark * 99)) <= MAX_MARKS for mark in marks)


def test_what_writings_need_stays() -> None:
    for text in (
        "Tie\u0302\u0301ng Vie\u0323\u0302t",
        "\u05e9\u05c1\u05b8\u05dc\u05d5\u05b9\u05dd",
        "\u0e01\u0e33\u0e25\u0e31\u0e49\u0e07",
        "\u2026" * 50,
    ):
        assert clean_text(text) == unicodedata.normalize("NFC", text)

"""Tests of text: hidden characters are removed, a quote is found only if it was said, and windows divide a transcript."""

import unicodedata
from typing import Annotated, NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from handlers.common.text import (
    MAX_MARKS,
    VISIBLE_TEXT,
    QuoteSearch,
    WindowSizes,
    clean_text,
    remove_hidden_characters,
    split_into_windows,
    split_words,
)

JOINERS = {"\u200c", "\u200d", "\ufe0f"}
INVISIBLE_LETTERS_AND_MARKS = {
    *("\u034f", "\u115f", "\u1160", "\u17b4", "\u17b5", "\u180b", "\u180c", "\u180d", "\u180f", "\u3164", "\uffa0"),
    *(chr(code) for code in (*range(0xFE00, 0xFE0F), *range(0xE0100, 0xE01F0))),
}
"""Characters outside Unicode's categories of control and format characters that are not shown either."""


def test_every_hidden_character_of_unicode_is_removed_and_every_other_is_kept() -> None:
    # Every other plane has only private characters, or none.
    characters = [chr(code) for code in (*range(0x33000), *range(0xE0000, 0xE2000), *range(0x10FF00, 0x110000))]
    hidden = {item for item in characters if unicodedata.category(item).startswith("C")} - {"\t", "\n", *JOINERS}
    hidden |= INVISIBLE_LETTERS_AND_MARKS
    for start in range(0, len(characters), 0x100):
        block = characters[start : start + 0x100]
        assert remove_hidden_characters("".join(block)) == "".join(item for item in block if item not in hidden)


def test_spaces_are_joined_and_the_text_is_normalized() -> None:
    assert clean_text(" a\n\tb\u0007 \u00a0 c\u2028d\re\ud800 ") == "a b c d e"
    assert clean_text("cafe\u0301") == "caf\u00e9"
    assert clean_text("\u0000 \u0000") == ""


@given(st.text())
def test_cleaning_a_cleaned_text_changes_nothing(text: str) -> None:
    cleaned = clean_text(text)
    assert clean_text(cleaned) == cleaned
    cleaned.encode()


def test_consecutive_marks_are_limited_and_the_text_after_them_is_kept() -> None:
    assert clean_text("a" + "\u0300" * 2_000 + "b\u0300 c") == "\u00e0" + "\u0300" * (MAX_MARKS - 1) + "b\u0300 c"
    # Sorting a million of these marks would take an hour.
    assert len(clean_text("a" + "\u0315\u0300" * 50_000)) == MAX_MARKS
    symbols = "\u2026" * 50 + "\U0001f600" * 50 + "\u2764\ufe0f 1\ufe0f\u20e3 \u05e9\u05b8\u05dc\u05d5\u05b9\u05dd"
    assert clean_text(symbols) == symbols, "ellipses, emoji, and Hebrew with vowels"
    # A mark decomposes to at most two marks.
    assert all(len(clean_text("a" + mark * 99)) <= 2 * MAX_MARKS + 1 for mark in "\u0300\u0344\u05b0\u0f73\u20d0")


def test_a_text_without_a_visible_character_is_refused() -> None:
    adapter = TypeAdapter(Annotated[str, VISIBLE_TEXT])
    for text in ("", " \n", "\u202e\u200b", "\u200d \ufe0f"):
        assert adapter.validate_python(f" {text}a{text} ").strip("\u200d \ufe0f\n") == "a"
        with pytest.raises(ValidationError, match="at least one visible character"):
            adapter.validate_python(text)


class Line(NamedTuple):
    start_ms: int
    end_ms: int
    text: str
    speaker: str | None = None


LINES = (
    Line(0, 1_000, "Well, good evening.", "Ann"),
    Line(1_000, 3_000, "We ran \u201csix hundred\u201d ferries -", "Ann"),
    Line(3_000, 5_000, "last spring; don't laugh!", "Ann"),
    Line(5_000, 6_000, "Six hundred ferries?", "Bob"),
    Line(
        6_000, 7_000, "Unemployment fell to 4%. It grew by (-.5%), then COVID-19 rose again (for now), he said", "Bob"
    ),
    Line(7_000, 8_000, "去年の春、六百隻のフェリーを運航しました。 किताब और, cote caf\u00e9 \uff21\uff22", "Eve"),
)


@pytest.mark.parametrize(
    ("quote", "found"),
    [
        # Case, spaces and punctuation are ignored.
        ("Good evening", "good evening"),
        ("we RAN six  hundred ferries", "We ran \u201csix hundred\u201d ferries"),
        ("six-hundred ferries last spring", "six hundred\u201d ferries - last spring"),
        ("spring, dont laugh", "spring; don't laugh"),
        ("don\u2019t laugh", "don't laugh"),
        ("laugh: six", "laugh! Six"),
        # Words are missing, moved or cut, or there are too few.
        *((quote, None) for quote in ("we ran hundred ferries", "ferries hundred six", "good even", "ood evening")),
        *((quote, None) for quote in ("ferries", "...", "Bob six hundred")),
        # A match contains the signs beside its words.
        ("Unemployment fell to 4", "Unemployment fell to 4%"),
        ("grew by 5", "grew by (-.5%"),
        ("19 rose again", "COVID-19 rose again"),
        ("for now", "for now"),
        # Scripts without spaces are compared by character, and vowel signs and accents count.
        ("春六百隻のフェリー", "去年の春、六百隻のフェリーを運航しました。"),
        *((quote, None) for quote in ("六百台のフェリー", "कताब और", "cote cafe")),
        ("COTE CAFE\u0301 ab", "cote caf\u00e9 \uff21\uff22"),
    ],
)
def test_a_quote_is_found_in_its_original_form_if_all_its_words_were_said(quote: str, found: str | None) -> None:
    match = QuoteSearch(LINES).find(quote)
    assert (match and match.quote) == found
    assert match is None or match.words == " ".join(word for word, _, _ in split_words(quote))


def test_the_nearest_match_has_the_times_and_the_speaker_of_its_passages() -> None:
    search = QuoteSearch(LINES)
    matches = [search.find("hundred ferries last"), search.find("laugh six")]
    facts = [match and (match.start_ms, match.end_ms, match.speaker) for match in matches]
    assert facts == [(1_000, 5_000, "Ann"), (3_000, 6_000, None)]
    matches = [search.find("six hundred", near) for near in (None, 0, 3, 99)]
    places = [match and (match.first[:2], match.last[:2]) for match in matches]
    assert places == [((1, 2), (1, 3)), ((1, 2), (1, 3)), ((3, 0), (3, 1)), ((3, 0), (3, 1))]


def test_passages_are_found_that_contain_a_quote_or_consist_of_a_part_of_it() -> None:
    search = QuoteSearch([*LINES, Line(0, 1, "...")])
    quotes = ["six hundred ferries", "ferries last", "oh well good evening", "spring", "nobody said this", "..."]
    assert [search.find_passages(quote) for quote in quotes] == [{1, 3}, {1, 2}, {0}, {2}, set(), set()]


@given(st.lists(st.text("ab1 ,.'-$%\u2019\u4e1c", max_size=20), min_size=1, max_size=6), st.data())
def test_a_section_of_a_transcript_is_found_where_its_words_are(texts: list[str], data: st.DataObject) -> None:
    words = [(word, text[start:end]) for text in texts for word, start, end in split_words(text)]
    start = data.draw(st.integers(0, len(words)))
    section = words[start : data.draw(st.integers(start, len(words)))]
    match = QuoteSearch([Line(0, 1, text) for text in texts]).find(" ".join(original for _, original in section))
    assert (match is None) == (len(section) < 2)
    if match is not None:
        assert match.words == " ".join(word for word, _ in section)
        assert match.words in " ".join(word for word, _, _ in split_words(match.quote))
        assert match.quote in " ".join(texts)


def make_lines(lengths: list[int]) -> tuple[Line, ...]:
    """Return one line per second, each of the given number of characters."""
    return tuple(Line(second * 1_000, second * 1_000 + 900, "x" * length) for second, length in enumerate(lengths))


def test_a_core_ends_where_the_next_line_would_exceed_a_limit() -> None:
    def core_counts(characters: int, milliseconds: int) -> list[int]:
        windows = split_into_windows(make_lines([10] * 4), WindowSizes(characters, milliseconds, 0))
        return [window.core_count for window in windows]

    assert core_counts(20, 60_000) == core_counts(100, 1_000) == [2, 2]
    assert core_counts(19, 60_000) == core_counts(100, 999) == [1, 1, 1, 1]
    [window] = split_into_windows((Line(0, 9_000, "a"), Line(1_000, 2_000, "b")), WindowSizes(100, 100_000, 10))
    assert (window.start_ms, window.end_ms) == (0, 9_000), "an earlier passage may end last"


@given(
    st.lists(st.integers(1, 120), min_size=1, max_size=60),
    st.builds(WindowSizes, st.integers(1, 400), st.integers(1, 60_000), st.integers(0, 200)),
)
@example([9, 9], WindowSizes(characters=9, milliseconds=60_000, overlap_characters=1))
def test_cores_divide_the_transcript_and_a_section_is_complete_in_the_window_in_whose_core_it_begins(
    lengths: list[int], sizes: WindowSizes
) -> None:
    lines = make_lines(lengths)
    windows = split_into_windows(lines, sizes)
    next_line = 0
    for index, window in enumerate(windows):
        assert (window.index, window.first) == (index, next_line)
        assert window.core_count >= 1
        assert window.passages == lines[window.first : window.first + len(window.passages)]
        core = window.passages[: window.core_count]
        next_line += window.core_count
        if window is windows[-1]:
            continue  # the last window has no overlap
        assert window.core_count == 1 or sum(len(line.text) for line in core) <= sizes.characters
        assert window.core_count == 1 or core[-1].start_ms - core[0].start_ms <= sizes.milliseconds
    for line in lines:
        containing = [window for window in windows if line in window.passages]
        assert [window for window in containing if window.owns_start(line.start_ms)] == containing[-1:]
    for begin in range(len(lines)):
        end = begin + 1
        # The section has the end of its first line, all lines in between, and one character of its last line.
        while end < len(lines) and 1 + sum(lengths[begin + 1 : end]) <= sizes.overlap_characters:
            end += 1
        assert any(window.first <= begin and end <= window.first + len(window.passages) for window in windows)
    assert next_line == len(lines) == windows[-1].first + len(windows[-1].passages)
    assert all(window.first + len(window.passages) < len(lines) for window in windows[:-1]), (
        "only the last window may reach the end of the transcript"
    )
    # If the characters end a core, the core and the next line together exceed the limit, so a line may count twice.
    max_by_characters = 2 * sum(lengths) // sizes.characters
    assert len(windows) <= 1 + lines[-1].start_ms // sizes.milliseconds + max_by_characters, "cores are not too small"

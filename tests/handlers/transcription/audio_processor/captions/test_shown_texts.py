"""Tests of the suppression of repeated texts, and of the comparison of texts.

A result is a piece of recognised speech. It arrives in several versions, first partials and then a final, and has one
line on the client's display. The last argument of each call is the time in milliseconds.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.transcription.audio_processor.captions.caption_decisions import Captions
from handlers.transcription.audio_processor.captions.shown_texts import MAX_TEXTS, ShownTexts, normalize_text
from tests.handlers.transcription.caption_samples import (
    DEFAULT_THRESHOLDS,
    ClientDisplay,
    as_tuples,
    final,
    partial,
    thresholds,
)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Hello, world.", "hello world"),
        ("  hello\t\n world ", "hello world"),
        ("well-known", "well known"),
        ("snake_case", "snake case"),
        ("It's", "it\N{RIGHT SINGLE QUOTATION MARK}s"),
        ("Straße", "STRASSE"),
        ("cafe\N{COMBINING ACUTE ACCENT}", "CAF\N{LATIN CAPITAL LETTER E WITH ACUTE}"),
        ("はい。", "はい"),
        ("\N{FULLWIDTH LATIN CAPITAL LETTER A}bc", "abc"),
    ],
)
def test_texts_that_readers_consider_equal_are_equal(first: str, second: str) -> None:
    assert normalize_text(first) == normalize_text(second)


@pytest.mark.parametrize(
    ("first", "second"), [("a b", "ab"), ("3.5", "35"), ("$5", "5"), ("?", "!"), ("कि", "का"), ("ja", "já")]
)
def test_texts_that_readers_consider_different_are_different(first: str, second: str) -> None:
    assert normalize_text(first) != normalize_text(second)


@given(st.text(max_size=30))
def test_only_a_text_of_white_space_is_normalised_to_an_empty_text(text: str) -> None:
    assert bool(normalize_text(text)) is bool(text.strip())


def test_a_text_of_another_result_is_not_shown_again_for_ten_seconds() -> None:
    captions = Captions(DEFAULT_THRESHOLDS)
    assert captions.accept(partial("a", "Hello you"), 0)
    assert captions.accept(partial("b", "hello, you"), 9_999) == []
    assert captions.counts.duplicates == 1
    assert as_tuples(captions.accept(partial("c", "hello you"), 10_000)) == [("partial", "c", "hello you")]


def test_a_line_does_not_show_its_own_text_again_even_if_repetitions_are_allowed() -> None:
    captions = Captions(thresholds(dedup_cache_ttl=0))
    assert captions.accept(partial("a", "hello"), 0)
    assert captions.accept(partial("a", "Hello."), 10_000) == []
    assert captions.counts.duplicates == 1


def test_a_result_may_change_back_to_an_earlier_text_of_its_own() -> None:
    captions = Captions(DEFAULT_THRESHOLDS)
    for number, text in enumerate(["ice", "eyes", "ice"]):
        assert as_tuples(captions.accept(partial("a", text), number)) == [("partial", "a", text)]


def test_a_final_that_repeats_another_final_is_not_shown_and_removes_the_line_of_its_result() -> None:
    captions, display = Captions(DEFAULT_THRESHOLDS), ClientDisplay()
    display.apply(captions.accept(final("a", "hello"), 0))
    display.apply(captions.accept(partial("b", "yellow"), 1))
    repeated_captions = captions.accept(final("b", "Hello!", start_ms=7), 2)
    display.apply(repeated_captions)
    assert as_tuples(repeated_captions) == [("retracted", "b", "")]
    assert not repeated_captions[0].final
    assert [line.text for line in display.lines.values()] == ["hello"]
    assert captions.counts.duplicates == 1
    assert captions.accept(partial("c", "hello"), 3) == []
    assert captions.accept(final("c", "hello"), 4) == [], "the result has no line to remove"
    assert captions.counts.duplicates == 3


def test_the_number_of_remembered_texts_is_limited_and_the_oldest_are_forgotten_first() -> None:
    texts = ShownTexts(60_000)
    for number in range(MAX_TEXTS):
        texts.show(str(number), "a", 0)
    texts.show("0", "a", 0)
    texts.show("one too many", "a", 0)
    assert len(texts._texts) == MAX_TEXTS
    assert texts.shown_by_other("0", "b", 0)
    assert not texts.shown_by_other("1", "b", 0)
    assert texts.shown_by_other("2", "b", 0)


GAP_TEXT_AND_RESULT = st.tuples(st.integers(0, 6), st.sampled_from("xyz"), st.sampled_from("abc"))


@given(st.integers(0, 12), st.lists(GAP_TEXT_AND_RESULT, max_size=40))
def test_a_text_is_blocked_for_other_results_until_its_lifetime_is_over(
    ttl_ms: int, steps: list[tuple[int, str, str]]
) -> None:
    texts, history, now_ms = ShownTexts(ttl_ms), list[tuple[str, str, int]](), 0
    for gap_ms, text, result_id in steps:
        now_ms += gap_ms
        is_blocked = any(
            shown_text == text and shown_by != result_id and now_ms - shown_ms < ttl_ms
            for shown_text, shown_by, shown_ms in history
        )
        assert (texts.shown_by_other(text, result_id, now_ms) is not None) is is_blocked
        if not is_blocked:
            texts.show(text, result_id, now_ms)
            history.append((text, result_id, now_ms))
        # One expired text may remain.
        assert len(texts._texts) <= sum(now_ms - shown_ms < ttl_ms for _, _, shown_ms in history) + bool(history)

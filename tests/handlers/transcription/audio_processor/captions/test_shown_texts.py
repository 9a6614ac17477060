"""Comparison of texts, and suppression of repeated texts."""

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
    ("one", "other"),
    [
        *(("Hello, world.", "hello world"), ("  hello\t\n world ", "hello world"), ("well-known", "well known")),
        *(("snake_case", "snake case"), ("It's", "it\N{RIGHT SINGLE QUOTATION MARK}s"), ("Straße", "STRASSE")),
        ("cafe\N{COMBINING ACUTE ACCENT}", "CAF\N{LATIN CAPITAL LETTER E WITH ACUTE}"),
        *(("\N{LATIN SMALL LIGATURE FI}ne", "fine"), ("はい。", "はい")),
        ("\N{FULLWIDTH LATIN CAPITAL LETTER A}bc", "abc"),
    ],
)
def test_texts_that_readers_consider_equal_are_equal(one: str, other: str) -> None:
    assert normalize_text(one) == normalize_text(other)


@pytest.mark.parametrize(
    ("one", "other"), [("a b", "ab"), ("3.5", "35"), ("$5", "5"), ("?", "!"), ("कि", "का"), ("ja", "já")]
)
def test_texts_that_readers_consider_different_are_different(one: str, other: str) -> None:
    assert normalize_text(one) != normalize_text(other)


@given(st.text(max_size=30))
def test_only_an_empty_text_is_normalised_to_an_empty_text(text: str) -> None:
    assert bool(normalize_text(text)) is bool(text.strip())


def test_a_text_of_another_result_is_not_shown_again_for_ten_seconds() -> None:
    captions = Captions(DEFAULT_THRESHOLDS)
    assert captions.accept(partial("a", "Hello you"), 0)
    assert captions.accept(partial("b", "hello, you"), 9_999) == []
    assert captions.counts.duplicates == 1
    assert as_tuples(captions.accept(partial("c", "hello you"), 10_000)) == [("partial", "c", "hello you")]


def test_a_partial_equal_to_its_own_line_is_not_shown_again() -> None:
    captions = Captions(thresholds(dedup_cache_ttl=0))
    assert captions.accept(partial("a", "hello"), 0)
    assert captions.accept(partial("a", "Hello."), 30_000 // 3) == []
    assert captions.counts.duplicates == 1


def test_a_result_can_return_to_an_earlier_text() -> None:
    captions = Captions(DEFAULT_THRESHOLDS)
    for number, text in enumerate(["ice", "eyes", "ice"]):
        assert as_tuples(captions.accept(partial("a", text), number)) == [("partial", "a", text)]


def test_a_final_that_repeats_another_result_removes_its_own_line() -> None:
    captions, display = Captions(DEFAULT_THRESHOLDS), ClientDisplay()
    display.apply(captions.accept(final("a", "hello"), 0))
    display.apply(captions.accept(partial("b", "yellow"), 1))
    repeated_captions = captions.accept(final("b", "Hello!", start_ms=7), 2)
    display.apply(repeated_captions)
    assert as_tuples(repeated_captions) == [("retracted", "b", "")]
    assert not repeated_captions[0].final
    assert [value.text for value in display.lines.values()] == ["hello"]
    assert captions.counts.duplicates == 1
    assert captions.accept(partial("c", "hello"), 3) == []
    assert captions.accept(final("c", "hello"), 4) == [], "it has no line"
    assert captions.counts.duplicates == 3


def test_the_number_of_remembered_texts_is_limited_and_the_oldest_go_first() -> None:
    texts = ShownTexts(60_000)
    for number in range(MAX_TEXTS):
        texts.show(str(number), "a", 0)
    texts.show("0", "a", 0)
    texts.show("one too many", "a", 0)
    assert len(texts._texts) == MAX_TEXTS
    assert texts.shown_by_other("0", "b", 0)
    assert not texts.shown_by_other("1", "b", 0)
    assert texts.shown_by_other("2", "b", 0)


STEPS = st.tuples(st.integers(0, 6), st.sampled_from("xyz"), st.sampled_from("abc"))


@given(st.integers(0, 12), st.lists(STEPS, max_size=40))
def test_no_other_result_shows_a_text_within_the_time(ttl_ms: int, steps: list[tuple[int, str, str]]) -> None:
    texts, history, now_ms = ShownTexts(ttl_ms), list[tuple[str, str, int]](), 0
    for gap, text, result_id in steps:
        now_ms += gap
        taken = any(
            (shown, owner != result_id) == (text, True) and now_ms - at_ms < ttl_ms for shown, owner, at_ms in history
        )
        assert (texts.shown_by_other(text, result_id, now_ms) is not None) is taken
        if not taken:
            texts.show(text, result_id, now_ms)
            history.append((text, result_id, now_ms))
        assert len(texts._texts) <= sum(now_ms - at_ms < ttl_ms for _, _, at_ms in history) + bool(history)

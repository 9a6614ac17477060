"""Decision whether a partial is stable enough to be shown."""

import pytest

from handlers.transcription.audio_processor.captions.caption_decisions import (
    NO_STABILITY,
    PARTIALS_WITHOUT_STABILITY,
    Captions,
)
from handlers.transcription.audio_processor.captions.partial_stability_check import ends_sentence
from tests.handlers.transcription.caption_samples import DEPLOYED, final, lines, partial


@pytest.mark.parametrize(
    "text",
    [
        *("Yes.", "Yes!", "Yes?", "Well…", "“Yes.”", "He said 'yes.'", "(Yes.) ", "はい。", "نعم؟", "हाँ।", "አዎ።"),
        *("はい\N{FULLWIDTH EXCLAMATION MARK}", "はい\N{FULLWIDTH QUESTION MARK}」"),
        *("はい\N{HALFWIDTH IDEOGRAPHIC FULL STOP}", "ہاں\N{ARABIC FULL STOP}", "այո\N{ARMENIAN FULL STOP}"),
        *("ဟုတ်\N{MYANMAR SIGN SECTION}", "បាទ\N{KHMER SIGN KHAN}"),
    ],
)
def test_a_sentence_ends_in_many_scripts(text: str) -> None:
    assert ends_sentence(text)


@pytest.mark.parametrize("text", ["", '"', "yes", "yes,", "3.5", "はい、", "“Yes. And", "yes -"])
def test_other_texts_do_not_end_a_sentence(text: str) -> None:
    assert not ends_sentence(text)


@pytest.mark.parametrize(("stability", "shown"), [(1.0, True), (0.85, True), (0.849, False), (0.0, False)])
def test_a_partial_is_shown_at_once_from_the_threshold_on(stability: float, shown: bool) -> None:
    assert bool(Captions(DEPLOYED).accept(partial("a", "hello", stability), 1)) is shown


def test_a_partial_that_ends_a_sentence_is_shown_at_once() -> None:
    assert lines(Captions(DEPLOYED).accept(partial("a", "Hello.", 0.1), 1)) == [("partial", "a", "Hello.")]
    assert lines(Captions(DEPLOYED).accept(partial("a", "Hello.", None), 1)) == [("partial", "a", "Hello.")]


def test_without_stability_flags_the_age_of_the_result_decides() -> None:
    captions = Captions(DEPLOYED)
    assert captions.accept(partial("a", "one", None), 0) == []
    assert captions.accept(partial("a", "one two", None), 1500) == []
    assert captions.next_due_ms() == 2000, "since its first version, not since the newest"
    assert captions.take_due(1999) == []
    assert lines(captions.take_due(2000)) == [("partial", "a", "one two")]
    assert lines(captions.accept(partial("a", "one two three", None), 2100)) == [("partial", "a", "one two three")]


def test_ten_partials_without_a_flag_switch_the_stream_to_finals_only() -> None:
    captions = Captions(DEPLOYED)
    for number in range(PARTIALS_WITHOUT_STABILITY - 1):
        captions.accept(partial(str(number), f"{number}", None), 10 * number)
    assert not captions.finals_only
    assert captions.accept(partial("9", "Ten.", None), 100) == []
    assert captions.counts.fallback == NO_STABILITY == "no_stability"
    assert captions.take_due(14_999) == []
    assert captions.counts.dropped == 0
    assert lines(captions.accept(final("0", "zero"), 14_999)) == [("final", "0", "zero")]


def test_a_single_flag_among_them_keeps_partials() -> None:
    captions = Captions(DEPLOYED)
    captions.accept(partial("a", "hello", None), 0)
    captions.accept(partial("a", "hello you", 0.0), 1)
    for number in range(3 * PARTIALS_WITHOUT_STABILITY):
        captions.accept(partial("b", f"{number}", None), 2 + number)
    assert captions.counts.fallback is None


def test_finals_do_not_count_as_partials_without_a_flag() -> None:
    captions = Captions(DEPLOYED)
    for number in range(3 * PARTIALS_WITHOUT_STABILITY):
        captions.accept(final(str(number), f"text {number}"), number)
    assert captions.counts.fallback is None

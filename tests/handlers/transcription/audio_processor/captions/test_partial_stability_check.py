"""Tests of the check whether a partial, a text that may still change, may be shown at once.

Its stability is the share of its words and punctuation marks that Amazon Transcribe marks as stable. The last argument
of each call is the time in milliseconds.
"""

import pytest

from handlers.transcription.audio_processor.captions.caption_decisions import Captions
from handlers.transcription.audio_processor.captions.partial_stability_check import ends_sentence
from tests.handlers.transcription.caption_samples import DEFAULT_THRESHOLDS, as_tuples, partial


@pytest.mark.parametrize(
    "text",
    [
        *("Yes.", "Yes!", "Yes?", "Well…", "“Yes.”", "He said 'yes.'", "(Yes.) ", "はい。", "نعم؟", "हाँ।", "አዎ።"),
        *("はい\N{FULLWIDTH EXCLAMATION MARK}", "はい\N{FULLWIDTH QUESTION MARK}」"),
        *("はい\N{HALFWIDTH IDEOGRAPHIC FULL STOP}", "ہاں\N{ARABIC FULL STOP}", "այո\N{ARMENIAN FULL STOP}"),
        *("ဟုတ်\N{MYANMAR SIGN SECTION}", "បាទ\N{KHMER SIGN KHAN}"),
    ],
)
def test_the_end_of_a_sentence_is_found_in_many_scripts(text: str) -> None:
    assert ends_sentence(text)


@pytest.mark.parametrize("text", ["", '"', "yes", "yes,", "3.5", "はい、", "“Yes. And", "yes -"])
def test_other_texts_do_not_end_a_sentence(text: str) -> None:
    assert not ends_sentence(text)


@pytest.mark.parametrize(("stability", "is_shown"), [(1.0, True), (0.85, True), (0.849, False)])
def test_a_partial_is_shown_at_once_from_the_threshold_on(stability: float, is_shown: bool) -> None:
    assert bool(Captions(DEFAULT_THRESHOLDS).accept(partial("a", "hello", stability), 1)) is is_shown


@pytest.mark.parametrize("stability", [0.1, None])
def test_a_partial_that_ends_a_sentence_is_shown_at_once(stability: float | None) -> None:
    captions = Captions(DEFAULT_THRESHOLDS).accept(partial("a", "Hello.", stability), 1)
    assert as_tuples(captions) == [("partial", "a", "Hello.")]


def test_a_partial_without_marks_of_stability_is_shown_two_seconds_after_the_first_version_of_its_result() -> None:
    captions = Captions(DEFAULT_THRESHOLDS)
    assert captions.accept(partial("a", "one", None), 0) == []
    assert captions.accept(partial("a", "one two", None), 1500) == []
    assert captions.next_due_ms() == 2000, "the time counts from the first version, not from the newest"
    assert captions.take_due(1999) == []
    assert as_tuples(captions.take_due(2000)) == [("partial", "a", "one two")]
    assert as_tuples(captions.accept(partial("a", "one two three", None), 2100)) == [("partial", "a", "one two three")]

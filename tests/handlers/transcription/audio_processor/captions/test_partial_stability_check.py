"""Decision whether a partial is stable enough to be shown."""

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
def test_a_sentence_ends_in_many_scripts(text: str) -> None:
    assert ends_sentence(text)


@pytest.mark.parametrize("text", ["", '"', "yes", "yes,", "3.5", "はい、", "“Yes. And", "yes -"])
def test_other_texts_do_not_end_a_sentence(text: str) -> None:
    assert not ends_sentence(text)


@pytest.mark.parametrize(("stability", "shown"), [(1.0, True), (0.85, True), (0.849, False), (0.0, False)])
def test_a_partial_is_shown_at_once_from_the_threshold_on(stability: float, shown: bool) -> None:
    assert bool(Captions(DEFAULT_THRESHOLDS).accept(partial("a", "hello", stability), 1)) is shown


def test_a_partial_that_ends_a_sentence_is_shown_at_once() -> None:
    assert as_tuples(Captions(DEFAULT_THRESHOLDS).accept(partial("a", "Hello.", 0.1), 1)) == [
        ("partial", "a", "Hello.")
    ]
    assert as_tuples(Captions(DEFAULT_THRESHOLDS).accept(partial("a", "Hello.", None), 1)) == [
        ("partial", "a", "Hello.")
    ]


def test_without_stability_flags_the_age_of_the_result_decides() -> None:
    captions = Captions(DEFAULT_THRESHOLDS)
    assert captions.accept(partial("a", "one", None), 0) == []
    assert captions.accept(partial("a", "one two", None), 1500) == []
    assert captions.next_due_ms() == 2000, "since its first version, not since the newest"
    assert captions.take_due(1999) == []
    assert as_tuples(captions.take_due(2000)) == [("partial", "a", "one two")]
    assert as_tuples(captions.accept(partial("a", "one two three", None), 2100)) == [("partial", "a", "one two three")]

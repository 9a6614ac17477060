"""Tests of the decisions which captions of a stream are shown, and when.

A result is a piece of speech that Amazon Transcribe recognised. It arrives in several versions: first partials, then a
final. Without a final, it becomes an orphan: its last partial is shown as a final. A stream can fall back to finals
only.

The last argument of each call is the time in milliseconds. `accept` takes a version of a result, and `take_due` returns
the captions whose wait is over. `partial("a", "hello", 0.1)` is a partial of the result `a` with the stability 0.1.
Below 0.85, a partial is not shown at once.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.transcription.audio_processor.captions.caption_decisions import (
    NO_STABILITY,
    PARTIALS_WITHOUT_STABILITY,
    Caption,
    CaptionCounts,
    CaptionKind,
    Captions,
)
from handlers.transcription.audio_processor.captions.pending_results import MAX_OPEN
from handlers.transcription.audio_processor.results import Result
from handlers.transcription.caption_thresholds import CaptionThresholds
from tests.handlers.transcription.audio_processor.captions.random_streams import (
    LIMITS,
    STREAMS,
    Trace,
    check,
    check_rate,
)
from tests.handlers.transcription.caption_samples import DEFAULT_THRESHOLDS, as_tuples, final, partial, thresholds


def test_a_caption_has_the_fields_of_its_result() -> None:
    result = Result("a", "Hello", final=False, start_ms=10, end_ms=20, stability=0.9)
    (caption,) = Captions(DEFAULT_THRESHOLDS).accept(result, 70)
    assert caption == Caption(CaptionKind.PARTIAL, "a", "Hello", 10, 20, 0.9, orphan=False, received_ms=70)
    assert not caption.final


def test_a_final_waits_for_earlier_speech_and_later_versions_of_its_result_are_ignored() -> None:
    captions = Captions(DEFAULT_THRESHOLDS)
    captions.accept(partial("a", "one", 0.1, start_ms=0), 0)
    captions.accept(final("b", "two", start_ms=500), 1)
    assert captions.accept(final("b", "zwei", start_ms=500), 2) == []
    assert captions.accept(partial("b", "deux", start_ms=500), 2) == []
    assert captions.accept(final("c", "three", start_ms=400), 3) == []
    # The next final does not start after the open result `a`, so it need not wait.
    assert as_tuples(captions.accept(final("d", "zero", start_ms=0), 4)) == [("final", "d", "zero")]
    assert [caption.text for caption in captions.accept(final("a", "one", start_ms=0), 5)] == ["one", "three", "two"]


def test_a_final_waits_at_most_five_seconds_and_a_final_of_earlier_speech_is_shown_after_it() -> None:
    captions = Captions(DEFAULT_THRESHOLDS)
    captions.accept(partial("a", "one", start_ms=0), 0)
    captions.accept(final("b", "two", start_ms=500), 100)
    assert captions.next_due_ms() == 5100
    assert captions.take_due(5099) == []
    assert as_tuples(captions.take_due(5100)) == [("final", "b", "two")]
    assert as_tuples(captions.accept(final("a", "one", start_ms=0), 6000)) == [("final", "a", "one")]


def test_a_result_without_a_final_becomes_an_orphan_fifteen_seconds_after_its_last_version() -> None:
    captions = Captions(DEFAULT_THRESHOLDS)
    captions.accept(partial("a", "hello"), 0)
    captions.accept(partial("a", "hello you", 0.1), 3000)
    captions.take_due(9000)
    assert captions.next_due_ms() == 18_000
    assert captions.take_due(17_999) == []
    (orphan,) = captions.take_due(18_000)
    assert (orphan.text, orphan.final, orphan.orphan, orphan.received_ms) == ("hello you", True, True, 3000)
    assert captions.accept(final("a", "too late"), 18_001) == []
    assert captions.counts.orphans == 1


@pytest.mark.parametrize(
    ("limits", "finals_only"),
    [
        pytest.param(DEFAULT_THRESHOLDS, True, id="by the caller"),
        pytest.param(thresholds(partial_results_enabled=False), False, id="by a threshold"),
    ],
)
def test_with_partials_disabled_only_finals_are_shown_and_no_fallback_is_counted(
    limits: CaptionThresholds, finals_only: bool
) -> None:
    captions = Captions(limits, finals_only=finals_only)
    for number in range(20):
        assert captions.accept(partial("a", f"Word {number}.", None), number) == []
    captions.fall_back("stream_failed")
    assert as_tuples(captions.accept(final("a", "done"), 30)) == [("final", "a", "done")]
    assert captions.counts == CaptionCounts()


def test_after_the_fallback_no_partials_are_shown_and_open_results_become_orphans() -> None:
    captions = Captions(DEFAULT_THRESHOLDS)
    captions.accept(partial("a", "hello"), 0)
    captions.accept(partial("b", "waits", 0.1, start_ms=600), 1)
    captions.fall_back("stream_failed")
    captions.fall_back("a later reason, which is ignored")
    assert captions.accept(partial("a", "hello you"), 2) == []
    assert captions.take_due(15_000) == []
    assert [(caption.text, caption.orphan) for caption in captions.take_due(15_001)] == [("waits", True)]
    assert [(caption.text, caption.orphan) for caption in captions.finish(15_001)] == [("hello you", True)]
    assert captions.counts.fallback == "stream_failed"
    assert captions.counts.dropped == 0


def test_a_time_before_the_last_call_is_replaced_by_the_time_of_the_last_call() -> None:
    captions = Captions(thresholds(max_rate_per_second=1))
    captions.accept(partial("a", "one"), 5000)
    assert captions.accept(partial("a", "two"), 1) == []
    assert [caption.received_ms for caption in captions.take_due(6000)] == [5000]


def test_a_final_suppresses_a_partial_with_the_same_text_that_is_due_at_the_same_time() -> None:
    """The final waits at most five seconds for the result `a`, which started earlier. The partial `c` is unstable and
    waits for a pause of two seconds."""
    captions = Captions(DEFAULT_THRESHOLDS)
    captions.accept(partial("a", "one", start_ms=0), 0)
    captions.accept(final("b", "two", start_ms=500), 0)
    captions.accept(partial("c", "two", 0.1, start_ms=900), 3000)
    assert as_tuples(captions.take_due(5000)) == [("final", "b", "two")]


def test_too_many_open_results_make_the_least_recently_updated_one_an_orphan() -> None:
    captions = Captions(DEFAULT_THRESHOLDS, finals_only=True)
    for number in range(MAX_OPEN):
        captions.accept(partial(str(number), f"text {number}"), number)
    captions.accept(partial("0", "text 0"), 100)
    assert as_tuples(captions.accept(partial("one more", "text"), 101)) == [("final", "1", "text 1")]
    assert captions.counts.orphans == 1
    assert captions.accept(final("1", "too late"), 102) == []


@given(STREAMS, LIMITS, st.booleans())
@settings(max_examples=5 * settings().max_examples)
def test_the_rules_hold_for_any_stream(
    stream: list[tuple[int, Result]], limits: CaptionThresholds, is_punctual: bool
) -> None:
    trace = Trace(limits, Captions(limits), is_punctual)
    trace.run(stream)
    check(trace)
    second_run = Trace(limits, Captions(limits), is_punctual)
    second_run.run(stream)
    assert (second_run.shown, second_run.captions.counts) == (trace.shown, trace.captions.counts)


@given(STREAMS, LIMITS, st.booleans())
@settings(max_examples=5 * settings().max_examples)
def test_no_limit_is_exceeded_by_any_stream(
    stream: list[tuple[int, Result]], limits: CaptionThresholds, is_punctual: bool
) -> None:
    """The limits on stored items are so low that short streams reach them. `Trace.run` checks them after each call."""
    with pytest.MonkeyPatch.context() as patch:
        for name, limit in (
            ("pending_results.MAX_OPEN", 3),
            ("pending_results.MAX_PENDING_FINALS", 2),
            ("pending_results.MAX_CLOSED", 3),
            ("shown_texts.MAX_TEXTS", 3),
        ):
            patch.setattr(f"handlers.transcription.audio_processor.captions.{name}", limit)
        trace = Trace(limits, Captions(limits), is_punctual)
        trace.run(stream)
    check_rate(trace)


def test_a_final_removes_the_partial_line_of_another_result_with_the_same_text() -> None:
    """The text of the partial may still change. If it suppressed the final, the words could be lost."""
    captions = Captions(DEFAULT_THRESHOLDS)
    assert as_tuples(captions.accept(partial("a", "hello", 1.0), 0)) == [("partial", "a", "hello")]
    assert as_tuples(captions.accept(final("b", "Hello."), 10)) == [("retracted", "a", ""), ("final", "b", "Hello.")]
    assert as_tuples(captions.accept(final("a", "Yellow."), 20)) == [("final", "a", "Yellow.")]


def test_a_final_without_text_removes_the_line_of_its_result() -> None:
    captions = Captions(DEFAULT_THRESHOLDS)
    captions.accept(partial("a", "hello", 1.0), 0)
    assert as_tuples(captions.accept(final("a", ""), 10)) == [("retracted", "a", "")]
    assert captions.accept(partial("a", "hello again", 1.0), 20) == []
    assert captions.finish(30) == []
    assert captions.counts.orphans == 0


def test_ten_partials_without_a_stability_switch_the_stream_to_finals_only() -> None:
    captions = Captions(DEFAULT_THRESHOLDS)
    for number in range(PARTIALS_WITHOUT_STABILITY - 1):
        captions.accept(partial(str(number), f"{number}", None), 10 * number)
    assert not captions.finals_only
    assert captions.accept(partial("9", "Ten.", None), 100) == []
    assert captions.counts.fallback == NO_STABILITY == "no_stability"
    assert captions.take_due(14_999) == []
    assert captions.counts.dropped == 0
    assert as_tuples(captions.accept(final("0", "zero"), 14_999)) == [("final", "0", "zero")]


def test_partials_stay_enabled_if_one_of_the_first_ten_has_a_stability() -> None:
    captions = Captions(DEFAULT_THRESHOLDS)
    captions.accept(partial("a", "hello", None), 0)
    captions.accept(partial("a", "hello you", 0.0), 1)
    for number in range(3 * PARTIALS_WITHOUT_STABILITY):
        captions.accept(partial("b", f"{number}", None), 2 + number)
    assert captions.counts.fallback is None


def test_finals_do_not_count_as_partials_without_a_stability() -> None:
    captions = Captions(DEFAULT_THRESHOLDS)
    for number in range(3 * PARTIALS_WITHOUT_STABILITY):
        captions.accept(final(str(number), f"text {number}"), number)
    assert captions.counts.fallback is None

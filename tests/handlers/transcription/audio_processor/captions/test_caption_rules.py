"""All rules together: finals, orphans, giving partials up, the end, and whatever a stream may bring."""

import sys
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.transcription.audio_processor.captions.caption_rules import Caption, CaptionKind, Captions
from handlers.transcription.audio_processor.captions.pending_results import MAX_CLOSED, MAX_HELD, MAX_OPEN
from handlers.transcription.audio_processor.captions.shown_texts import MAX_TEXTS
from handlers.transcription.audio_processor.transcribe_stream.transcribe_results import Result
from handlers.transcription.caption_thresholds import CaptionThresholds
from tests.handlers.transcription.audio_processor.captions.caption_traces import (
    LIMITS,
    STREAMS,
    Trace,
    check,
    check_rate,
    check_sizes,
    sizes,
)
from tests.handlers.transcription.captioning import DEPLOYED, Reader, final, lines, partial, thresholds


def test_a_caption_says_what_the_result_said() -> None:
    result = Result("a", "Hello", final=False, start_ms=10, end_ms=20, stability=0.9)
    (caption,) = Captions(DEPLOYED).take(result, 70)
    assert caption == Caption(CaptionKind.PARTIAL, "a", "Hello", 10, 20, 0.9, orphan=False, received_ms=70)
    assert not caption.final


def test_a_final_is_sent_once_even_when_worded_differently() -> None:
    captions = Captions(DEPLOYED)
    assert lines(captions.take(final("a", "hello"), 0)) == [("final", "a", "hello")]
    assert captions.take(final("a", "hello again"), 1) == []
    assert captions.take(partial("a", "hello once more"), 2) == []
    assert captions.finish(20_000) == []
    assert captions.counts.finals == 1


def test_a_final_that_waits_for_its_turn_has_ended_its_result_too() -> None:
    captions = Captions(DEPLOYED)
    captions.take(partial("a", "one", 0.1, start_ms=0), 0)
    captions.take(final("b", "two", start_ms=500), 1)
    assert captions.take(final("b", "zwei", start_ms=500), 2) == []
    assert captions.take(partial("b", "deux", start_ms=500), 2) == []
    assert captions.take(final("c", "three", start_ms=400), 3) == []
    assert lines(captions.take(final("d", "zero", start_ms=0), 4)) == [("final", "d", "zero")], "it starts no later"
    assert [one.text for one in captions.take(final("a", "one", start_ms=0), 5)] == ["one", "three", "two"]


def test_a_final_waits_no_longer_than_a_buffer_and_a_late_one_is_still_sent() -> None:
    captions = Captions(DEPLOYED)
    captions.take(partial("a", "one", start_ms=0), 0)
    captions.take(final("b", "two", start_ms=500), 100)
    assert captions.next_due_ms() == 5100
    assert captions.due(5099) == []
    assert lines(captions.due(5100)) == [("final", "b", "two")]
    assert lines(captions.take(final("a", "one", start_ms=0), 6000)) == [("final", "a", "one")]


def test_a_result_without_a_final_becomes_an_orphan_fifteen_seconds_after_its_last_version() -> None:
    captions = Captions(DEPLOYED)
    captions.take(partial("a", "hello"), 0)
    captions.take(partial("a", "hello you", 0.1), 3000)
    captions.due(9000)
    assert captions.next_due_ms() == 18_000
    assert captions.due(17_999) == []
    (orphan,) = captions.due(18_000)
    assert (orphan.text, orphan.final, orphan.orphan, orphan.received_ms) == ("hello you", True, True, 3000)
    assert captions.take(final("a", "too late"), 18_001) == []
    assert captions.counts.orphans == 1


def test_the_end_flushes_everything_in_order() -> None:
    captions, reader = Captions(DEPLOYED), Reader()
    reader.show(captions.take(partial("c", "three", start_ms=900), 0))
    captions.take(partial("a", "one", 0.1, start_ms=100), 1)
    captions.take(final("b", "two", start_ms=500), 2)
    told = captions.finish(3)
    reader.show(told)
    assert [(one.text, one.orphan) for one in told] == [("one", True), ("two", False), ("three", True)]
    assert all(one.final for one in reader.display.values())
    assert captions.next_due_ms() is None
    assert captions.finish(4) == []


@pytest.mark.parametrize(
    ("limits", "final_only"), [(DEPLOYED, True), (thresholds(partial_results_enabled=False), False)]
)
def test_with_partials_switched_off_only_finals_are_shown_and_no_fallback_is_counted(
    limits: CaptionThresholds, final_only: bool
) -> None:
    captions = Captions(limits, final_only=final_only)
    for number in range(20):
        assert captions.take(partial("a", f"Word {number}.", None), number) == []
    captions.fall_back("stream_failed")
    assert lines(captions.take(final("a", "done"), 30)) == [("final", "a", "done")]
    assert captions.counts == type(captions.counts)(finals=1)


def test_a_stream_that_failed_shows_no_more_partials_and_flushes_what_was_open() -> None:
    captions = Captions(DEPLOYED)
    captions.take(partial("a", "hello"), 0)
    captions.take(partial("b", "waits", 0.1, start_ms=600), 1)
    captions.fall_back("stream_failed")
    captions.fall_back("another reason")
    assert captions.take(partial("a", "hello you"), 2) == []
    assert captions.due(15_000) == []
    assert [(one.text, one.orphan) for one in captions.due(15_001)] == [("waits", True)]
    assert [(one.text, one.orphan) for one in captions.finish(15_001)] == [("hello you", True)]
    assert captions.counts.fallback == "stream_failed"
    assert captions.counts.dropped == 0


def test_a_clock_that_goes_back_stands_still() -> None:
    captions = Captions(thresholds(max_rate_per_second=1))
    captions.take(partial("a", "one"), 5000)
    assert captions.take(partial("a", "two"), 1) == []
    assert [one.received_ms for one in captions.due(6000)] == [5000]


def test_a_final_whose_turn_comes_is_not_made_a_duplicate_by_a_partial_of_that_moment() -> None:
    captions = Captions(DEPLOYED)
    captions.take(partial("a", "one", start_ms=0), 0)
    captions.take(final("b", "two", start_ms=500), 0)
    captions.take(partial("c", "two", 0.1, start_ms=900), 3000)
    assert lines(captions.due(5000)) == [("final", "b", "two")]


def test_a_result_too_many_gives_up_the_most_silent_one() -> None:
    captions = Captions(DEPLOYED, final_only=True)
    for number in range(MAX_OPEN):
        captions.take(partial(str(number), f"text {number}"), number)
    captions.take(partial("0", "text 0"), 100)
    assert lines(captions.take(partial("one more", "text"), 101)) == [("final", "1", "text 1")]
    assert captions.counts.orphans == 1
    assert captions.take(final("1", "too late"), 102) == []


@given(STREAMS, LIMITS, st.booleans())
@settings(max_examples=5 * settings().max_examples)
def test_whatever_a_stream_brings_the_rules_hold(
    stream: list[tuple[int, Result]], limits: CaptionThresholds, punctual: bool
) -> None:
    trace = Trace(limits, Captions(limits), punctual)
    trace.run(stream)
    check(trace)
    again = Trace(limits, Captions(limits), punctual)
    again.run(stream)
    assert (again.shown, again.captions.counts) == (trace.shown, trace.captions.counts)


@given(STREAMS, LIMITS, st.booleans())
@settings(max_examples=5 * settings().max_examples)
def test_whatever_a_stream_brings_no_bound_is_exceeded(
    stream: list[tuple[int, Result]], limits: CaptionThresholds, punctual: bool
) -> None:
    """With bounds that so short a stream reaches: sizes are checked whenever somebody looks."""
    with pytest.MonkeyPatch.context() as patch:
        for name, most in (
            ("pending_results.MAX_OPEN", 3),
            ("pending_results.MAX_HELD", 2),
            ("pending_results.MAX_CLOSED", 3),
            ("shown_texts.MAX_TEXTS", 3),
        ):
            patch.setattr(f"handlers.transcription.audio_processor.captions.{name}", most)
        trace = Trace(limits, Captions(limits), punctual)
        trace.run(stream)
    check_rate(trace)


def flood(captions: Captions, numbers: range) -> None:
    """Results that never end, finals that wait for them, and texts that are never the same."""
    for number in numbers:
        captions.take(partial(f"open {number % 97}-{number // 500}", f"text {number}", start_ms=number % 7), number)
        captions.take(partial(f"dim {number % 89}", f"dim {number}", 0.1, start_ms=number % 5), number)
        captions.take(final(f"final {number}", f"final {number}", start_ms=1000 + number % 3), number)


def test_memory_is_bounded_whatever_a_stream_does() -> None:
    captions = Captions(thresholds(dedup_cache_ttl=60))
    for hundred in range(60):
        flood(captions, range(100 * hundred, 100 * hundred + 100))
        check_sizes(captions)
    assert sizes(captions)[1:4] == (MAX_HELD, MAX_TEXTS, MAX_CLOSED), "the flood reached the bounds"


def steps(captions: Captions, numbers: range) -> int:
    """How many lines of Python a flood takes."""
    count = 0

    def line(_frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return line

    before = sys.gettrace()
    sys.settrace(line)
    try:
        flood(captions, numbers)
    finally:
        sys.settrace(before)
    return count


def test_an_event_costs_the_same_however_many_came_before() -> None:
    captions = Captions(thresholds(dedup_cache_ttl=60))
    flood(captions, range(3000))
    early = steps(captions, range(3000, 3500))
    flood(captions, range(3500, 15_000))
    late = steps(captions, range(15_000, 15_500))
    assert late <= early * 1.1, "five times the history would otherwise cost several times as much"


def test_a_final_takes_the_place_of_a_partial_that_says_the_same() -> None:
    """What a partial says may change: if it kept the final away, the words could be nowhere in the end."""
    captions = Captions(DEPLOYED)
    assert lines(captions.take(partial("a", "hello", 1.0), 0)) == [("partial", "a", "hello")]
    assert lines(captions.take(final("b", "Hello."), 10)) == [("retracted", "a", ""), ("final", "b", "Hello.")]
    assert lines(captions.take(final("a", "Yellow."), 20)) == [("final", "a", "Yellow.")]


def test_a_final_without_words_takes_the_line_away() -> None:
    captions = Captions(DEPLOYED)
    captions.take(partial("a", "hello", 1.0), 0)
    assert lines(captions.take(final("a", ""), 10)) == [("retracted", "a", "")]
    assert captions.take(partial("a", "hello again", 1.0), 20) == []
    assert captions.finish(30) == []
    assert captions.counts.orphans == 0

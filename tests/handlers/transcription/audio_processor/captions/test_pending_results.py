"""Tests of the conditions for which partials and finals wait before they are shown, and of the maximum waits.

A partial is a version of a result (a piece of recognised speech) that may still change. If its stability is below 0.85,
it is deferred: it waits for a pause in the changes of its text. A final, the last version of a result, waits for the
results that started earlier. The last argument of each call is the time in milliseconds.
"""

from hypothesis import given
from hypothesis import strategies as st

from handlers.transcription.audio_processor.captions.caption_decisions import Captions
from handlers.transcription.audio_processor.captions.pending_results import (
    MAX_CLOSED,
    MAX_PENDING_FINALS,
    FinalsInOrder,
    OpenResults,
    PendingFinal,
    ResultVersion,
)
from tests.handlers.transcription.caption_samples import DEFAULT_THRESHOLDS, as_tuples, final, partial, thresholds


def test_a_less_stable_repetition_of_a_shown_text_is_a_duplicate_and_does_not_wait() -> None:
    captions = Captions(DEFAULT_THRESHOLDS)
    captions.accept(partial("a", "hello", 0.2), 0)
    captions.accept(partial("a", "hello", 0.9), 1)
    assert captions.accept(partial("a", "hello", 0.2), 9_000) == []
    assert captions.counts.duplicates == 1, "the text has not changed for nine seconds, so it need not wait for a pause"


def test_newer_versions_do_not_extend_the_wait_beyond_five_seconds() -> None:
    captions = Captions(DEFAULT_THRESHOLDS)
    for number in range(5):
        assert captions.accept(partial("a", f"word {number}", 0.2), 1000 * number) == []
    assert captions.next_due_ms() == 5000
    assert as_tuples(captions.take_due(5000)) == [("partial", "a", "word 4")]
    captions.accept(partial("a", "word 5", 0.2), 5500)
    assert captions.next_due_ms() == 7500, "the next version waits for a pause of two seconds again"


def test_the_most_stable_of_several_deferred_partials_is_shown_first() -> None:
    captions = Captions(thresholds(max_rate_per_second=1))
    captions.accept(partial("a", "worse", 0.2), 0)
    captions.accept(partial("b", "better", 0.4), 0)
    captions.accept(partial("c", "later", 0.4), 500)
    assert captions.next_due_ms() == 2000
    assert as_tuples(captions.take_due(2000)) == [("partial", "b", "better")]
    assert as_tuples(captions.take_due(3000)) == [("partial", "a", "worse")]


FINALS = st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 5), st.none() | st.integers(0, 5)), max_size=40)
"""Time before each final, the start of its speech, and the earliest start of an open result or None. A result is open
until its final arrives."""


@given(FINALS)
def test_finals_are_shown_in_order_when_no_earlier_result_is_open_or_after_five_seconds(
    steps: list[tuple[int, int, int | None]],
) -> None:
    finals, now_ms, waiting = FinalsInOrder(5000), 0, list[tuple[int, int, int]]()
    for number, (gap_ms, start_ms, first_open_ms) in enumerate(steps):
        now_ms += gap_ms
        finals.add(PendingFinal(ResultVersion(final("a", "x", start_ms=start_ms), now_ms, number), orphan=False))
        waiting = sorted([*waiting, (start_ms, number, now_ms)])
        ready = [
            (start_ms, number, received_ms)
            for start_ms, number, received_ms in waiting
            if first_open_ms is None or start_ms <= first_open_ms or now_ms - received_ms >= 5000
        ]
        expected = [pending for pending in waiting if ready and pending <= max(ready)]
        shown_numbers = [pending.version.number for pending in finals.take_ready(now_ms, first_open_ms)]
        assert shown_numbers == [number for _, number, _ in expected]
        waiting = [pending for pending in waiting if pending not in expected]
        assert finals.next_overdue_ms() == min((received_ms + 5000 for _, _, received_ms in waiting), default=None)


def test_if_too_many_finals_wait_the_first_is_shown_without_waiting() -> None:
    finals = FinalsInOrder(5000)
    for number in range(MAX_PENDING_FINALS + 1):
        version = ResultVersion(final("a", "x", start_ms=100 - number), 0, number)
        finals.add(PendingFinal(version, orphan=False))
    assert [pending.version.result.start_ms for pending in finals.take_ready(0, 0)] == [100 - MAX_PENDING_FINALS]
    assert len(finals._pending) == MAX_PENDING_FINALS


def test_the_oldest_ids_of_closed_results_are_forgotten_first() -> None:
    """A result is closed when its final has arrived, or when none is expected any more."""
    results = OpenResults(DEFAULT_THRESHOLDS)
    for number in range(MAX_CLOSED + 1):
        results.close(str(number))
    assert not results.is_closed("0")
    assert results.is_closed("1")
    assert results.is_closed(str(MAX_CLOSED))

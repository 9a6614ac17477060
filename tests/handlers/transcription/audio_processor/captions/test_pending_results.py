"""Conditions and maximum times for which results and captions wait."""

from itertools import pairwise

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


def test_the_same_words_with_less_stability_keep_their_waiting_time() -> None:
    captions = Captions(DEFAULT_THRESHOLDS)
    captions.accept(partial("x", "early"), 0)
    captions.accept(partial("a", "hello", 0.2), 0)
    captions.accept(partial("a", "hello", 0.9), 1)
    assert captions.accept(partial("a", "hello", 0.2), 9_000) == []
    assert captions.counts.duplicates == 1, "decided at once"


def test_newer_versions_do_not_extend_the_wait_beyond_five_seconds() -> None:
    captions = Captions(DEFAULT_THRESHOLDS)
    for number in range(5):
        assert captions.accept(partial("a", f"word {number}", 0.2), 1000 * number) == []
    assert captions.next_due_ms() == 5000
    assert as_tuples(captions.take_due(5000)) == [("partial", "a", "word 4")]
    captions.accept(partial("a", "word 5", 0.2), 5500)
    assert captions.next_due_ms() == 7500, "a new wait has begun"


def test_the_most_stable_of_several_deferred_partials_is_shown_first() -> None:
    captions = Captions(thresholds(max_rate_per_second=1))
    captions.accept(partial("a", "worse", 0.2), 0)
    captions.accept(partial("b", "better", 0.4), 0)
    assert as_tuples(captions.take_due(2000)) == [("partial", "b", "better")]
    assert as_tuples(captions.take_due(3000)) == [("partial", "a", "worse")]


GAPS = st.lists(st.tuples(st.integers(100, 3000), st.booleans()), min_size=1, max_size=15)


@given(GAPS, st.sampled_from([500, 2000, 5000]), st.sampled_from([200, 1000, 2000]))
def test_a_single_result_is_shown_at_the_time_that_a_simulation_finds(
    gaps: list[tuple[int, bool]], most_ms: int, pause_ms: int
) -> None:
    """The simulation advances in steps of a hundredth of a second and stores only what waits, and since when."""
    arrivals, now_ms = dict[int, str](), 0
    for number, (gap, sentence) in enumerate(gaps):
        now_ms += gap // 10 * 10
        arrivals[now_ms] = f"word {number}" + ("." if sentence else "")
    expected, waits, since_ms, newest_ms = list[tuple[int, str]](), "", 0, 0
    for moment in range(0, now_ms + 6000, 10):
        if waits and (moment - newest_ms >= pause_ms or moment - since_ms >= most_ms):
            expected.append((moment, waits))
            waits = ""
        if moment in arrivals:
            since_ms, newest_ms = (since_ms if waits else moment), moment
            waits = arrivals[moment]
            if waits.endswith("."):
                expected.append((moment, waits))
                waits = ""
    changed = thresholds(
        max_buffer_timeout=most_ms / 1000, pause_threshold=pause_ms / 1000, orphan_timeout=60, max_rate_per_second=20
    )
    captions, shown = Captions(changed), list[tuple[int, str]]()
    for (moment, text), (until, _) in pairwise([*arrivals.items(), (now_ms + 6000, "")]):
        shown += [(moment, caption.text) for caption in captions.accept(partial("a", text, 0.1), moment)]
        while (due_ms := captions.next_due_ms()) is not None and due_ms < until:
            shown += [(due_ms, caption.text) for caption in captions.take_due(due_ms)]
    assert shown == expected


HELD = st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 5), st.none() | st.integers(0, 5)), max_size=40)


@given(HELD)
def test_finals_are_shown_in_order_once_no_earlier_result_is_open(steps: list[tuple[int, int, int | None]]) -> None:
    finals, now_ms, held = FinalsInOrder(5000), 0, list[tuple[int, int, int]]()
    for number, (gap, start_ms, first_open_ms) in enumerate(steps):
        now_ms += gap
        finals.add(PendingFinal(ResultVersion(final("a", "x", start_ms=start_ms), now_ms, number), orphan=False))
        held = sorted([*held, (start_ms, number, now_ms)])
        left = [caption.version.number for caption in finals.take_ready(now_ms, first_open_ms)]
        free = [
            final for final in held if first_open_ms is None or final[0] <= first_open_ms or now_ms - final[2] >= 5000
        ]
        expected = [final for final in held if free and final <= max(free)]
        assert left == [final[1] for final in expected]
        held = [final for final in held if final not in expected]
        assert finals.next_overdue_ms() == min((final[2] + 5000 for final in held), default=None)


def test_if_too_many_finals_wait_the_first_is_shown_without_waiting() -> None:
    finals = FinalsInOrder(5000)
    for number in range(MAX_PENDING_FINALS + 1):
        starts = 100 - number
        finals.add(PendingFinal(ResultVersion(final("a", "x", start_ms=starts), 0, number), orphan=False))
    assert [caption.version.result.start_ms for caption in finals.take_ready(0, 0)] == [100 - MAX_PENDING_FINALS]
    assert len(finals._pending) == MAX_PENDING_FINALS


def test_the_oldest_ids_of_closed_results_are_forgotten_first() -> None:
    results = OpenResults(DEFAULT_THRESHOLDS)
    for number in range(MAX_CLOSED + 1):
        results.close(str(number))
    assert not results.is_closed("0")
    assert results.is_closed("1")
    assert results.is_closed(str(MAX_CLOSED))

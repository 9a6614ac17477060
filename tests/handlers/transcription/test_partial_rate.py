"""Tests of the rate limit of partials: how many are shown in a second, and which of those that wait.

A partial is a version of a result (a piece of recognised speech) that may still change. The third argument of
`partial` is the stability, the share of words that are marked as stable. The last argument of each call is the time in
milliseconds.
"""

import pytest

from handlers.transcription.audio_processor.captions.caption_decisions import Captions
from tests.handlers.transcription.caption_samples import as_tuples, final, partial, thresholds


def captions_at_rate_limit() -> Captions:
    """Return captions whose limit of two partials in a second was reached at time 0."""
    captions = Captions(thresholds(max_rate_per_second=2))
    for number in range(2):
        assert captions.accept(partial(f"early {number}", f"early {number}"), 0)
    return captions


def test_the_rate_applies_to_each_period_of_a_second() -> None:
    captions = Captions(thresholds(max_rate_per_second=2))
    assert captions.accept(partial("a", "one"), 900)
    assert captions.accept(partial("a", "two"), 1100)
    assert captions.accept(partial("a", "three"), 1899) == []
    assert captions.next_due_ms() == 1900
    assert captions.take_due(1899) == []
    assert as_tuples(captions.accept(partial("b", "four"), 1900)) == [("partial", "a", "three")], (
        "the partial that waited is shown before the new one"
    )
    assert as_tuples(captions.take_due(2100)) == [("partial", "b", "four")]
    assert captions.counts.dropped == 0


@pytest.mark.parametrize(
    ("waiting", "shown"),
    [
        ([("a", "good", 0.9), ("b", "best", 0.99), ("c", "newest", 0.9)], ("b", "best")),
        ([("a", "old", 0.9), ("b", "new", 0.9)], ("b", "new")),
        ([("a", "stable", 0.86), ("b", "Unknown.", None)], ("a", "stable")),
        ([("a", "hello", 1.0), ("a", "hello you", 0.9), ("a", "hello all", 0.9)], ("a", "hello")),
    ],
    ids=["most stable", "newest", "a stability before the end of a sentence", "same result"],
)
def test_the_most_stable_and_then_the_newest_partial_is_shown_and_the_others_are_dropped(
    waiting: list[tuple[str, str, float | None]], shown: tuple[str, str]
) -> None:
    captions = captions_at_rate_limit()
    for waiting_partial in waiting:
        captions.accept(partial(*waiting_partial), 100)
    assert as_tuples(captions.take_due(1000)) == [("partial", *shown)]
    assert captions.counts.dropped == len(waiting) - 1
    assert captions.take_due(2000) == []


def test_a_stable_partial_that_waits_for_the_rate_is_shown_before_an_unstable_one() -> None:
    """The unstable one waits for a pause of two seconds, which is over when the rate allows the next partial."""
    captions = Captions(thresholds(max_rate_per_second=1))
    captions.accept(partial("a", "unstable", 0.1), 0)
    captions.accept(partial("b", "early"), 1000)
    captions.accept(partial("c", "stable"), 1500)
    assert as_tuples(captions.take_due(2000)) == [("partial", "c", "stable")]
    assert as_tuples(captions.take_due(3000)) == [("partial", "a", "unstable")]


def test_partials_that_wait_when_their_result_becomes_final_do_not_count_as_dropped() -> None:
    captions = captions_at_rate_limit()
    captions.accept(partial("a", "one"), 100)
    captions.accept(partial("a", "two"), 200)
    assert captions.accept(final("a", "three", start_ms=0), 300)
    assert captions.take_due(1000) == []
    assert captions.counts.dropped == 0


def test_a_duplicate_is_skipped_in_favour_of_the_next_most_stable_partial() -> None:
    captions = captions_at_rate_limit()
    captions.accept(partial("a", "same", 1.0), 100)
    captions.accept(partial("b", "other", 0.9), 150)
    captions.accept(final("c", "same"), 200)
    assert as_tuples(captions.take_due(1000)) == [("partial", "b", "other")]
    assert (captions.counts.dropped, captions.counts.duplicates) == (0, 1)

"""Rate limit of partials: how many are shown in a second, and which."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.transcription.audio_processor.captions.caption_decisions import Captions
from handlers.transcription.audio_processor.captions.pending_results import PartialRate
from tests.handlers.transcription.caption_samples import as_tuples, final, partial, thresholds


def busy(most: int = 2) -> Captions:
    """Return captions whose rate limit is used up by partials at time 0."""
    captions = Captions(thresholds(max_rate_per_second=most))
    for number in range(most):
        assert captions.accept(partial(f"early {number}", f"early {number}"), 0)
    return captions


def test_any_second_counts_and_not_only_whole_ones() -> None:
    captions = Captions(thresholds(max_rate_per_second=2))
    assert captions.accept(partial("a", "one"), 900)
    assert captions.accept(partial("a", "two"), 1100)
    assert captions.accept(partial("a", "three"), 1899) == []
    assert captions.next_due_ms() == 1900
    assert captions.take_due(1899) == []
    assert as_tuples(captions.accept(partial("b", "four"), 1900)) == [("partial", "a", "three")], (
        "it waited for this moment"
    )
    assert as_tuples(captions.take_due(2100)) == [("partial", "b", "four")]
    assert captions.counts.dropped == 0


@pytest.mark.parametrize(
    ("candidates", "leaves"),
    [
        ([("a", "good", 0.9), ("b", "best", 0.99), ("c", "newest", 0.9)], ("b", "best")),
        ([("a", "old", 0.9), ("b", "new", 0.9)], ("b", "new")),
        ([("a", "sure", 0.86), ("b", "Who knows.", None)], ("a", "sure")),
        ([("a", "hello", 1.0), ("a", "hello you", 0.9), ("a", "hello all", 0.9)], ("a", "hello")),
    ],
)
def test_the_most_stable_and_newest_candidate_is_shown_and_the_others_are_counted(
    candidates: list[tuple[str, str, float | None]], leaves: tuple[str, str]
) -> None:
    captions = busy()
    for candidate in candidates:
        captions.accept(partial(*candidate), 100)
    assert as_tuples(captions.take_due(1000)) == [("partial", *leaves)]
    assert captions.counts.dropped == len(candidates) - 1
    assert captions.take_due(2000) == []


def test_a_deferred_partial_comes_after_the_candidates_of_the_same_moment() -> None:
    captions = Captions(thresholds(max_rate_per_second=1))
    captions.accept(partial("a", "unsure", 0.1), 0)
    captions.accept(partial("b", "early"), 1000)
    captions.accept(partial("c", "competes"), 1500)
    assert as_tuples(captions.take_due(2000)) == [("partial", "c", "competes")]
    assert as_tuples(captions.take_due(3000)) == [("partial", "a", "unsure")]


def test_candidates_of_a_result_that_became_final_do_not_count_as_dropped() -> None:
    captions = busy()
    captions.accept(partial("a", "one"), 100)
    captions.accept(partial("a", "two"), 200)
    assert captions.accept(final("a", "three", start_ms=0), 300)
    assert captions.take_due(1000) == []
    assert captions.counts.dropped == 0


def test_duplicates_make_room_for_the_next_best_candidate() -> None:
    captions = busy()
    captions.accept(partial("a", "same", 1.0), 100)
    captions.accept(partial("b", "other", 0.9), 150)
    captions.accept(final("c", "same"), 200)
    assert as_tuples(captions.take_due(1000)) == [("partial", "b", "other")]
    assert (captions.counts.dropped, captions.counts.duplicates) == (0, 1)


@given(st.integers(1, 4), st.lists(st.sampled_from([0, 1, 250, 499, 500, 999, 1000, 1001]), max_size=40))
def test_a_moment_is_free_if_fewer_partials_than_the_rate_were_shown_in_the_second_before(
    most: int, gaps: list[int]
) -> None:
    rate, left, now_ms = PartialRate(most), list[int](), 0
    for gap in gaps:
        now_ms += gap
        free = sum(now_ms - 1000 < candidate <= now_ms for candidate in left) < most
        assert rate.is_free(now_ms) is free
        if free:
            rate.add_partial(now_ms)
            left.append(now_ms)

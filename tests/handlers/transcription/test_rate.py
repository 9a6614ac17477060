"""How many partials leave in a second, and which."""

from hypothesis import given
from hypothesis import strategies as st

from handlers.transcription.captions import Captions
from handlers.transcription.waiting import Rate
from tests.handlers.transcription.captioning import final, lines, partial, thresholds


def busy(most: int = 2) -> Captions:
    """A stream whose second is used up: its partials left at 0, at most so many."""
    captions = Captions(thresholds(max_rate_per_second=most))
    for number in range(most):
        assert captions.take(partial(f"early {number}", f"early {number}"), 0)
    return captions


def test_as_many_as_the_rate_leave_at_once_and_the_next_waits_for_a_second() -> None:
    captions = busy(2)
    assert captions.take(partial("a", "late"), 1) == []
    assert captions.next_due_ms() == 1000
    assert captions.due(999) == []
    assert lines(captions.due(1000)) == [("partial", "a", "late")]
    assert captions.counts.dropped == 0


def test_any_second_counts_not_only_whole_ones() -> None:
    captions = Captions(thresholds(max_rate_per_second=2))
    assert captions.take(partial("a", "one"), 900)
    assert captions.take(partial("a", "two"), 1100)
    assert captions.take(partial("a", "three"), 1899) == []
    assert captions.next_due_ms() == 1900


def test_the_surest_leaves_and_the_others_are_dropped_and_counted() -> None:
    captions = busy()
    captions.take(partial("a", "good", 0.9), 100)
    captions.take(partial("b", "best", 0.99), 200)
    captions.take(partial("c", "newest", 0.9), 300)
    assert lines(captions.due(1000)) == [("partial", "b", "best")]
    assert captions.counts.dropped == 2
    assert captions.due(2000) == []


def test_among_equally_sure_ones_the_newest_leaves() -> None:
    captions = busy()
    captions.take(partial("a", "old", 0.9), 100)
    captions.take(partial("b", "new", 0.9), 100)
    assert lines(captions.due(1000)) == [("partial", "b", "new")]


def test_one_without_a_flag_comes_after_all_others() -> None:
    captions = busy()
    captions.take(partial("a", "sure", 0.86), 100)
    captions.take(partial("b", "Who knows.", None), 200)
    assert lines(captions.due(1000)) == [("partial", "a", "sure")]


def test_versions_of_one_result_compete_like_any_others() -> None:
    captions = busy()
    captions.take(partial("a", "hello", 1.0), 100)
    captions.take(partial("a", "hello you", 0.9), 200)
    assert lines(captions.due(1000)) == [("partial", "a", "hello")]
    assert captions.counts.dropped == 1


def test_a_candidate_that_arrives_in_the_free_moment_comes_after_those_that_waited() -> None:
    captions = busy(1)
    captions.take(partial("a", "first"), 100)
    assert lines(captions.take(partial("b", "second"), 1000)) == [("partial", "a", "first")]
    assert lines(captions.due(2000)) == [("partial", "b", "second")]


def test_one_that_has_waited_long_enough_in_the_free_moment_comes_after_those_that_competed_for_it() -> None:
    captions = Captions(thresholds(max_rate_per_second=1))
    captions.take(partial("a", "unsure", 0.1), 0)
    captions.take(partial("b", "early"), 1000)
    captions.take(partial("c", "competes"), 1500)
    assert lines(captions.due(2000)) == [("partial", "c", "competes")]
    assert lines(captions.due(3000)) == [("partial", "a", "unsure")]


def test_candidates_of_a_result_that_became_final_are_not_dropped_but_replaced() -> None:
    captions = busy()
    captions.take(partial("a", "one"), 100)
    captions.take(partial("a", "two"), 200)
    assert captions.take(final("a", "three", start_ms=0), 300)
    assert captions.due(1000) == []
    assert captions.counts.dropped == 0


def test_those_that_turned_out_as_duplicates_make_room_for_the_next_best() -> None:
    captions = busy()
    captions.take(partial("a", "same", 1.0), 100)
    captions.take(partial("b", "other", 0.9), 150)
    captions.take(final("c", "same"), 200)
    assert lines(captions.due(1000)) == [("partial", "b", "other")]
    assert (captions.counts.dropped, captions.counts.duplicates) == (0, 1)


def test_finals_are_never_limited() -> None:
    captions = busy(1)
    for number in range(30):
        assert lines(captions.take(final(str(number), f"final {number}"), 1)) == [
            ("final", str(number), f"final {number}")
        ]


def test_nothing_is_dropped_or_shown_once_partials_are_given_up() -> None:
    captions = busy()
    captions.take(partial("a", "late"), 1)
    captions.fall_back("stream_failed")
    assert captions.due(1000) == []
    assert captions.counts.dropped == 0


@given(st.integers(1, 4), st.lists(st.sampled_from([0, 1, 250, 499, 500, 999, 1000, 1001]), max_size=40))
def test_a_moment_is_free_exactly_when_fewer_than_the_rate_left_in_the_second_before(
    most: int, gaps: list[int]
) -> None:
    rate, left, now_ms = Rate(most), list[int](), 0
    for gap in gaps:
        now_ms += gap
        free = sum(now_ms - 1000 < one <= now_ms for one in left) < most
        assert rate.free(now_ms) is free
        if free:
            rate.leave(now_ms)
            left.append(now_ms)

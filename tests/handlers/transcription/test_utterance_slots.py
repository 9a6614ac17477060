from hypothesis import given
from hypothesis import strategies as st

from handlers.transcription.utterance_slots import REMEMBERED, SessionSlots, SlotOutcome

MOST = 2


def taken(flight: SessionSlots, utterance: str, overdue_ms: int = 100) -> SessionSlots:
    moved, how = flight.take_slot(utterance, overdue_ms, MOST, 0)
    assert how.outcome is SlotOutcome.TAKEN
    return moved


def test_only_the_first_call_begins_an_utterance() -> None:
    flight, mine = taken(SessionSlots(), "a").start("a", 1, now_ms=50, overdue_ms=900)
    assert mine
    assert flight.start("a", 1, now_ms=51, overdue_ms=900) == (flight, False), "Lambda may call twice"
    assert flight.due_ms == 900, "running has a time of its own"
    late = taken(SessionSlots(), "a", overdue_ms=100)
    assert late.start("a", 1, now_ms=100, overdue_ms=900) == (late, False), "its client may have sent it again"


def test_what_is_overdue_is_lost_once_and_may_be_sent_again() -> None:
    flight = taken(taken(SessionSlots(), "a", 100), "b", 200)
    swept, lost = flight.remove_overdue(150)
    assert lost == ("a",)
    assert swept.remove_overdue(150)[1] == ()
    _, how = swept.take_slot("a", 300, MOST, 200)
    assert (how.outcome, how.attempts) == (SlotOutcome.TAKEN, 2)


def test_an_attempt_that_was_overtaken_changes_nothing_any_more() -> None:
    """A processor that hung comes back while another works on the same utterance."""
    lost, _ = taken(SessionSlots(), "a", 100).remove_overdue(100)
    again = taken(lost, "a", 300)
    assert again.holds_slot("a", 2)
    assert not again.holds_slot("a", 1)
    assert again.finish("a", 1) == again
    assert again.plan_resend("a", 1, 5) == again
    assert again.start("a", 1, 200, 900) == (again, False)


def test_an_attempt_that_never_began_leaves_no_trace() -> None:
    flight, gone = taken(SessionSlots(), "a").release_unstarted("a", 1)
    assert gone
    assert (flight.slots, flight.resends) == ((), ())
    _, how = flight.take_slot("a", 300, MOST, 200)
    assert how.attempts == 1


def test_an_attempt_that_began_keeps_its_place_whatever_its_caller_heard() -> None:
    running, _ = taken(SessionSlots(), "a").start("a", 1, now_ms=50, overdue_ms=900)
    assert running.release_unstarted("a", 1) == (running, False)
    done = running.finish("a", 1)
    assert done.release_unstarted("a", 1) == (done, False)


def test_attempts_at_an_utterance_are_counted_until_it_is_done_and_go_on_where_its_captions_end() -> None:
    flight = taken(taken(SessionSlots(), "a").plan_resend("a", 1, 0), "a").plan_resend("a", 2, 700)
    flight, how = flight.take_slot("a", 300, MOST, 200)
    assert (how.from_ms, how.attempts) == (700, 3)
    assert flight.take_slot("a", 300, MOST, 200)[1].outcome is SlotOutcome.REPEATED
    full = taken(flight, "b")
    assert full.take_slot("c", 300, MOST, 200)[1].outcome is SlotOutcome.BUSY
    landed = full.finish("a", 3)
    assert landed.resends == ()
    assert landed.take_slot("a", 300, MOST, 200)[1].outcome is SlotOutcome.REPEATED
    assert landed.take_slot("c", 300, MOST, 200)[1].outcome is SlotOutcome.TAKEN


def test_the_first_to_be_lost_decides_when_to_look() -> None:
    assert SessionSlots().due_ms is None
    assert taken(taken(SessionSlots(), "a", 300), "b", 200).due_ms == 200


def test_addresses_are_few_within_a_time() -> None:
    flight, first = SessionSlots().count_direct_url(0, 1, 100)
    assert first
    assert flight.count_direct_url(99, 1, 100) == (flight, False)
    assert flight.count_direct_url(100, 1, 100)[1]


MOVES = st.lists(
    st.tuples(
        st.sampled_from(["offer", "begin", "land", "break", "back", "move", "sweep"]),
        st.sampled_from("abcdef"),
        st.integers(0, 3),
    ),
    max_size=60,
)


@given(MOVES)
def test_whatever_happens_places_are_bounded_and_one_attempt_at_a_time_holds(
    moves: list[tuple[str, str, int]],
) -> None:
    flight, now = SessionSlots(), 0
    running: dict[str, int] = {}
    done: set[str] = set()
    for move, utterance, back in moves:
        now += 7
        attempt = max(1, flight.attempt - back)  # any call may be late
        held = flight.holds_slot(utterance, attempt)
        match move:
            case "offer":
                flight, how = flight.take_slot(utterance, now + 20, MOST, now)
                assert not (how.outcome is SlotOutcome.TAKEN and (utterance in running or utterance in done))
            case "begin":
                flight, mine = flight.start(utterance, attempt, now, now + 30)
                assert not (mine and utterance in running)
                running |= {utterance: attempt} if mine else {}
            case "land":
                done |= {utterance} if held else set()
                flight = flight.finish(utterance, attempt, failed=bool(now % 2))
            case "break":
                flight = flight.plan_resend(utterance, attempt, now)
            case "back":
                flight, gone = flight.release_unstarted(utterance, attempt)
                assert not (gone and running.get(utterance) == attempt)
            case "move":
                flight = flight.move_to(f"c{now}", (utterance,))
                done -= {utterance}
            case _:
                flight, _ = flight.remove_overdue(now)
        running = {one: which for one, which in running.items() if flight.holds_slot(one, which)}
        assert len(flight.slots) <= MOST
        assert len({one.utterance for one in flight.slots}) == len(flight.slots)
        assert set(flight.failed) <= set(flight.done)
        assert not set(flight.done) & {one.utterance for one in flight.resends}


def test_what_is_remembered_is_bounded() -> None:
    flight = SessionSlots()
    for number in range(REMEMBERED * 2):
        flight = taken(flight, f"done-{number}")
        flight = flight.finish(f"done-{number}", flight.attempt, failed=True)
        flight = taken(flight, f"broken-{number}")
        flight = flight.plan_resend(f"broken-{number}", flight.attempt, 0)
    assert len(flight.done) == len(flight.failed) == len(flight.resends) == REMEMBERED
    assert len(flight.model_dump_json()) < 10_000, "an item of a few write units, never of many"

from hypothesis import given
from hypothesis import strategies as st

from handlers.transcription.utterance_slots import REMEMBERED, SessionSlots, SlotOutcome

MOST = 2


def taken(flight: SessionSlots, utterance: str, overdue_ms: int = 100) -> SessionSlots:
    moved, how = flight.take_slot(utterance, overdue_ms, MOST, 0)
    assert how.outcome is SlotOutcome.TAKEN
    return moved


def test_only_the_first_invocation_starts_an_attempt() -> None:
    flight, mine = taken(SessionSlots(), "a").start("a", 1, now_ms=50, overdue_ms=900)
    assert mine
    assert flight.start("a", 1, now_ms=51, overdue_ms=900) == (flight, False), "Lambda may invoke twice"
    assert flight.due_ms == 900, "a started attempt has its own deadline"
    late = taken(SessionSlots(), "a", overdue_ms=100)
    assert late.start("a", 1, now_ms=100, overdue_ms=900) == (late, False), "the client may have sent it again"


def test_an_overdue_utterance_is_lost_once_and_can_be_sent_again() -> None:
    flight = taken(taken(SessionSlots(), "a", 100), "b", 200)
    swept, lost = flight.remove_overdue(150)
    assert lost == ("a",)
    assert swept.remove_overdue(150)[1] == ()
    _, how = swept.take_slot("a", 300, MOST, 200)
    assert (how.outcome, how.attempts) == (SlotOutcome.TAKEN, 2)


def test_a_replaced_attempt_changes_nothing() -> None:
    """A processor that hung continues while another one processes the same utterance."""
    lost, _ = taken(SessionSlots(), "a", 100).remove_overdue(100)
    again = taken(lost, "a", 300)
    assert again.holds_slot("a", 2)
    assert not again.holds_slot("a", 1)
    assert again.finish("a", 1) == again
    assert again.plan_resend("a", 1, 5) == again
    assert again.start("a", 1, 200, 900) == (again, False)


def test_releasing_an_unstarted_attempt_leaves_no_trace() -> None:
    flight, gone = taken(SessionSlots(), "a").release_unstarted("a", 1)
    assert gone
    assert (flight.slots, flight.resends) == ((), ())
    _, how = flight.take_slot("a", 300, MOST, 200)
    assert how.attempts == 1


def test_a_started_attempt_keeps_its_slot_whatever_response_its_caller_got() -> None:
    running, _ = taken(SessionSlots(), "a").start("a", 1, now_ms=50, overdue_ms=900)
    assert running.release_unstarted("a", 1) == (running, False)
    done = running.finish("a", 1)
    assert done.release_unstarted("a", 1) == (done, False)


def test_attempts_are_counted_until_the_utterance_ends_and_continue_after_valid_captions() -> None:
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


def test_the_first_overdue_slot_determines_the_deadline() -> None:
    assert SessionSlots().due_ms is None
    assert taken(taken(SessionSlots(), "a", 300), "b", 200).due_ms == 200


def test_the_number_of_urls_in_a_period_is_limited() -> None:
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
def test_slots_are_limited_and_one_attempt_per_utterance_holds_one(
    moves: list[tuple[str, str, int]],
) -> None:
    flight, now = SessionSlots(), 0
    running: dict[str, int] = {}
    done: set[str] = set()
    for move, utterance, back in moves:
        now += 7
        attempt = max(1, flight.attempt - back)  # any invocation may be late
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


def test_the_number_of_remembered_utterances_is_limited() -> None:
    flight = SessionSlots()
    for number in range(REMEMBERED * 2):
        flight = taken(flight, f"done-{number}")
        flight = flight.finish(f"done-{number}", flight.attempt, failed=True)
        flight = taken(flight, f"broken-{number}")
        flight = flight.plan_resend(f"broken-{number}", flight.attempt, 0)
    assert len(flight.done) == len(flight.failed) == len(flight.resends) == REMEMBERED
    assert len(flight.model_dump_json()) < 10_000, "the item costs only a few write units"

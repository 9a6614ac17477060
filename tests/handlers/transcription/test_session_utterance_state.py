"""Slots, ended utterances and pending resends of a session after any sequence of changes."""

from hypothesis import given
from hypothesis import strategies as st

from handlers.transcription.session_utterance_state import MAX_REMEMBERED_UTTERANCES, SessionUtterances, SlotOutcome

MOST = 2


def take_slot(slots: SessionUtterances, utterance: str, overdue_ms: int = 100) -> SessionUtterances:
    moved, how = slots.take_slot(utterance, overdue_ms, MOST, 0)
    assert how.outcome is SlotOutcome.TAKEN
    return moved


def test_only_the_first_invocation_starts_an_attempt() -> None:
    slots, mine = take_slot(SessionUtterances(), "a").start("a", 1, now_ms=50, overdue_ms=900)
    assert mine
    assert slots.start("a", 1, now_ms=51, overdue_ms=900) == (slots, False), "Lambda may invoke twice"
    assert slots.due_ms == 900, "a started attempt has its own deadline"
    late = take_slot(SessionUtterances(), "a", overdue_ms=100)
    assert late.start("a", 1, now_ms=100, overdue_ms=900) == (late, False), "the client may have sent it again"


def test_an_overdue_utterance_is_lost_once_and_can_be_sent_again() -> None:
    slots = take_slot(take_slot(SessionUtterances(), "a", 100), "b", 200)
    swept, lost = slots.remove_overdue(150)
    assert lost == ("a",)
    assert swept.remove_overdue(150)[1] == ()
    _, how = swept.take_slot("a", 300, MOST, 200)
    assert (how.outcome, how.utterance_attempt) == (SlotOutcome.TAKEN, 2)


def test_a_replaced_attempt_changes_nothing() -> None:
    """A processor that hung continues while another processor handles the same utterance."""
    lost, _ = take_slot(SessionUtterances(), "a", 100).remove_overdue(100)
    again = take_slot(lost, "a", 300)
    assert again.holds_slot("a", 2)
    assert not again.holds_slot("a", 1)
    assert again.finish("a", 1) == again
    assert again.plan_resend("a", 1, 5) == again
    assert again.start("a", 1, 200, 900) == (again, False)


def test_releasing_an_unstarted_attempt_leaves_no_trace() -> None:
    slots, gone = take_slot(SessionUtterances(), "a").release_unstarted("a", 1)
    assert gone
    assert (slots.slots, slots.resends) == ((), ())
    _, how = slots.take_slot("a", 300, MOST, 200)
    assert how.utterance_attempt == 1


def test_a_started_attempt_keeps_its_slot_whatever_response_its_caller_got() -> None:
    running, _ = take_slot(SessionUtterances(), "a").start("a", 1, now_ms=50, overdue_ms=900)
    assert running.release_unstarted("a", 1) == (running, False)
    done = running.finish("a", 1)
    assert done.release_unstarted("a", 1) == (done, False)


def test_attempts_are_counted_until_the_utterance_ends_and_continue_after_valid_captions() -> None:
    slots = take_slot(take_slot(SessionUtterances(), "a").plan_resend("a", 1, 0), "a").plan_resend("a", 2, 700)
    slots, how = slots.take_slot("a", 300, MOST, 200)
    assert (how.from_ms, how.utterance_attempt) == (700, 3)
    assert slots.take_slot("a", 300, MOST, 200)[1].outcome is SlotOutcome.REPEATED
    full = take_slot(slots, "b")
    assert full.take_slot("c", 300, MOST, 200)[1].outcome is SlotOutcome.BUSY
    landed = full.finish("a", 3)
    assert landed.resends == ()
    assert landed.take_slot("a", 300, MOST, 200)[1].outcome is SlotOutcome.REPEATED
    assert landed.take_slot("c", 300, MOST, 200)[1].outcome is SlotOutcome.TAKEN


def test_the_first_overdue_slot_determines_the_deadline() -> None:
    assert SessionUtterances().due_ms is None
    assert take_slot(take_slot(SessionUtterances(), "a", 300), "b", 200).due_ms == 200


def test_the_number_of_urls_in_a_period_is_limited() -> None:
    slots, first = SessionUtterances().count_direct_url(0, 1, 100)
    assert first
    assert slots.count_direct_url(99, 1, 100) == (slots, False)
    assert slots.count_direct_url(100, 1, 100)[1]


MOVES = st.lists(
    st.tuples(
        st.sampled_from(["offer", "begin", "land", "break", "back", "move", "sweep"]),
        st.sampled_from("abcdef"),
        st.integers(0, 3),
    ),
    max_size=60,
)


@given(MOVES)
def test_slots_are_limited_and_one_attempt_per_utterance_holds_one(moves: list[tuple[str, str, int]]) -> None:
    slots, now = SessionUtterances(), 0
    running: dict[str, int] = {}
    done: set[str] = set()
    for move, utterance, back in moves:
        now += 7
        attempt = max(1, slots.attempt - back)  # any invocation may be late
        held = slots.holds_slot(utterance, attempt)
        match move:
            case "offer":
                slots, how = slots.take_slot(utterance, now + 20, MOST, now)
                assert not (how.outcome is SlotOutcome.TAKEN and (utterance in running or utterance in done))
            case "begin":
                slots, mine = slots.start(utterance, attempt, now, now + 30)
                assert not (mine and utterance in running)
                running |= {utterance: attempt} if mine else {}
            case "land":
                done |= {utterance} if held else set()
                slots = slots.finish(utterance, attempt, failed=bool(now % 2))
            case "break":
                slots = slots.plan_resend(utterance, attempt, now)
            case "back":
                slots, gone = slots.release_unstarted(utterance, attempt)
                assert not (gone and running.get(utterance) == attempt)
            case "move":
                slots = slots.prepare_move(f"c{now}", (utterance,))
                done -= {utterance}
            case _:
                slots, _ = slots.remove_overdue(now)
        running = {item: which for item, which in running.items() if slots.holds_slot(item, which)}
        assert len(slots.slots) <= MOST
        assert len({slot.utterance for slot in slots.slots}) == len(slots.slots)
        assert set(slots.failed) <= set(slots.done)
        assert not set(slots.done) & {resend.utterance for resend in slots.resends}


def test_the_number_of_remembered_utterances_is_limited() -> None:
    slots = SessionUtterances()
    for number in range(MAX_REMEMBERED_UTTERANCES * 2):
        slots = take_slot(slots, f"done-{number}")
        slots = slots.finish(f"done-{number}", slots.attempt, failed=True)
        slots = take_slot(slots, f"broken-{number}")
        slots = slots.plan_resend(f"broken-{number}", slots.attempt, 0)
    assert len(slots.done) == len(slots.failed) == len(slots.resends) == MAX_REMEMBERED_UTTERANCES
    assert len(slots.model_dump_json()) < 10_000, "the item costs only a few write units"

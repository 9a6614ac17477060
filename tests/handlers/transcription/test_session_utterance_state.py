"""Tests of the state of a session's utterances: slots, ended utterances and pending resends.

An utterance is a few seconds of speech. Each attempt to transcribe it takes one of the session's slots. The slot has a
deadline, and the utterance is lost if the slot is not released before. A lost utterance, or one whose attempt failed,
is a pending resend: the client must send it again.
"""

from hypothesis import given
from hypothesis import strategies as st

from handlers.transcription.session_utterance_state import MAX_REMEMBERED_UTTERANCES, SessionUtterances, SlotOutcome

MAX_SLOTS = 2


def take_slot(utterances: SessionUtterances, utterance: str, overdue_ms: int = 100) -> SessionUtterances:
    changed, decision = utterances.take_slot(utterance, overdue_ms, MAX_SLOTS, now_ms=0)
    assert decision.outcome is SlotOutcome.TAKEN
    return changed


def test_only_the_first_invocation_before_the_deadline_starts_an_attempt() -> None:
    running, started = take_slot(SessionUtterances(), "a").start("a", attempt=1, now_ms=50, overdue_ms=900)
    assert started
    assert running.start("a", attempt=1, now_ms=51, overdue_ms=900) == (running, False), "Lambda may invoke twice"
    assert running.remove_overdue(899)[1] == (), "a started attempt has a new deadline"
    assert running.remove_overdue(900)[1] == ("a",)
    overdue = take_slot(SessionUtterances(), "a", overdue_ms=100)
    assert overdue.start("a", attempt=1, now_ms=100, overdue_ms=900) == (overdue, False), "the deadline is over"


def test_an_overdue_utterance_is_lost_once_and_can_be_sent_again() -> None:
    utterances = take_slot(take_slot(SessionUtterances(), "a", overdue_ms=100), "b", overdue_ms=200)
    remaining, lost = utterances.remove_overdue(150)
    assert lost == ("a",)
    assert remaining.remove_overdue(150)[1] == ()
    _, decision = remaining.take_slot("a", 300, MAX_SLOTS, 200)
    assert (decision.outcome, decision.utterance_attempt) == (SlotOutcome.TAKEN, 2)


def test_an_attempt_that_was_replaced_by_a_newer_one_changes_nothing() -> None:
    """An invocation that hung may continue while another invocation processes the same utterance."""
    lost, _ = take_slot(SessionUtterances(), "a", overdue_ms=100).remove_overdue(100)
    utterances = take_slot(lost, "a", overdue_ms=300)
    assert utterances.holds_slot("a", attempt=2)
    assert not utterances.holds_slot("a", attempt=1)
    assert utterances.finish("a", attempt=1) == utterances
    assert utterances.plan_resend("a", attempt=1, from_ms=5) == utterances
    assert utterances.start("a", attempt=1, now_ms=200, overdue_ms=900) == (utterances, False)


def test_an_attempt_whose_slot_was_released_before_its_start_does_not_count() -> None:
    utterances, released = take_slot(SessionUtterances(), "a").release_unstarted("a", attempt=1)
    assert released
    assert (utterances.slots, utterances.resends) == ((), ())
    _, decision = utterances.take_slot("a", 300, MAX_SLOTS, 200)
    assert decision.utterance_attempt == 1


def test_a_started_or_ended_attempt_is_not_released_as_unstarted() -> None:
    """The caller releases the slot if an invocation failed. It may have failed only because its response was lost."""
    running, _ = take_slot(SessionUtterances(), "a").start("a", attempt=1, now_ms=50, overdue_ms=900)
    assert running.release_unstarted("a", attempt=1) == (running, False)
    ended = running.finish("a", attempt=1)
    assert ended.release_unstarted("a", attempt=1) == (ended, False)


def test_attempts_at_an_utterance_are_counted_and_the_next_one_starts_after_the_valid_captions() -> None:
    failed_once = take_slot(SessionUtterances(), "a").plan_resend("a", attempt=1, from_ms=0)
    failed_twice = take_slot(failed_once, "a").plan_resend("a", attempt=2, from_ms=700)
    utterances, decision = failed_twice.take_slot("a", 300, MAX_SLOTS, 200)
    assert (decision.from_ms, decision.utterance_attempt) == (700, 3)
    assert utterances.finish("a", attempt=3).resends == ()


def test_no_slot_is_taken_for_an_utterance_in_progress_or_ended_or_if_all_are_taken() -> None:
    full = take_slot(take_slot(SessionUtterances(), "a"), "b")
    assert full.take_slot("a", 300, MAX_SLOTS, 0)[1].outcome is SlotOutcome.REPEATED
    assert full.take_slot("c", 300, MAX_SLOTS, 0)[1].outcome is SlotOutcome.BUSY
    ended = full.finish("a", attempt=1)
    assert ended.take_slot("a", 300, MAX_SLOTS, 0)[1].outcome is SlotOutcome.REPEATED
    assert ended.take_slot("c", 300, MAX_SLOTS, 0)[1].outcome is SlotOutcome.TAKEN


CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["take slot", "start", "finish", "plan resend", "release unstarted", "move", "remove overdue"]),
        st.sampled_from("abcdef"),
        st.integers(0, 3),
    ),
    max_size=60,
)
"""Kind of change, utterance, and the number of attempts that were begun after the attempt that makes the change."""


@given(CHANGES)
def test_slots_are_limited_and_one_attempt_per_utterance_holds_one(changes: list[tuple[str, str, int]]) -> None:
    utterances, now_ms = SessionUtterances(), 0
    running_attempts: dict[str, int] = {}
    done: set[str] = set()
    for change, utterance, later_attempts in changes:
        now_ms += 7
        attempt = max(1, utterances.attempt - later_attempts)
        holds_slot = utterances.holds_slot(utterance, attempt)
        match change:
            case "take slot":
                utterances, decision = utterances.take_slot(utterance, now_ms + 20, MAX_SLOTS, now_ms)
                is_running_or_done = utterance in running_attempts or utterance in done
                assert not (decision.outcome is SlotOutcome.TAKEN and is_running_or_done)
            case "start":
                utterances, started = utterances.start(utterance, attempt, now_ms, now_ms + 30)
                assert not (started and utterance in running_attempts)
                running_attempts |= {utterance: attempt} if started else {}
            case "finish":
                done |= {utterance} if holds_slot else set()
                utterances = utterances.finish(utterance, attempt, failed=bool(now_ms % 2))
            case "plan resend":
                utterances = utterances.plan_resend(utterance, attempt, from_ms=now_ms)
            case "release unstarted":
                utterances, released = utterances.release_unstarted(utterance, attempt)
                assert not (released and running_attempts.get(utterance) == attempt)
            case "move":  # to a new connection, by a client that has not received the end of the utterance
                utterances = utterances.move(f"c{now_ms}", (utterance,))
                done -= {utterance}
            case _:
                utterances, _ = utterances.remove_overdue(now_ms)
        running_attempts = {
            name: number for name, number in running_attempts.items() if utterances.holds_slot(name, number)
        }
        assert len(utterances.slots) <= MAX_SLOTS
        assert len({slot.utterance for slot in utterances.slots}) == len(utterances.slots)
        assert set(utterances.failed) <= set(utterances.done)
        assert not set(utterances.done) & {resend.utterance for resend in utterances.resends}


def test_the_number_of_remembered_utterances_is_limited() -> None:
    utterances = SessionUtterances()
    for number in range(MAX_REMEMBERED_UTTERANCES * 2):
        utterances = take_slot(utterances, f"done-{number}")
        utterances = utterances.finish(f"done-{number}", utterances.attempt, failed=True)
        utterances = take_slot(utterances, f"broken-{number}")
        utterances = utterances.plan_resend(f"broken-{number}", utterances.attempt, from_ms=0)
    assert len(utterances.done) == len(utterances.failed) == len(utterances.resends) == MAX_REMEMBERED_UTTERANCES
    assert len(utterances.model_dump_json()) < 10_000, "each write of the item costs only a few write units"

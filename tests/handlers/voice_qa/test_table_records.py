"""Questions and allowances after any sequence of changes."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.voice_qa.table_records import (
    HOUR_MS,
    RETRY_MS,
    Allowance,
    Listener,
    QuestionRecord,
    QuestionStatus,
    allowance_key,
    connection_key,
    conversation_key,
    query_key,
)

NEW = QuestionRecord(session="s1", lecture_id="l1", text="Why?", listener=Listener(connection="c1"), asked_ms=1)
RUN_MS = 100
CALL = "call-1"
AT_ONCE, PER_HOUR = 2, 5
TIMES = st.integers(0, 1_000)
STEPS = st.lists(
    st.tuples(st.sampled_from(["ask", "begin", "answer", "fail", "retry", "give back"]), TIMES), max_size=30
)
ASKS = st.lists(st.tuples(st.sampled_from("abcde"), st.integers(0, HOUR_MS // 2), st.booleans()), max_size=40)


def step(question: QuestionRecord, name: str, now_ms: int) -> QuestionRecord:
    moves: dict[str, Callable[[], QuestionRecord]] = {
        "ask": lambda: question.apply_request(NEW.model_copy(update={"asked_ms": now_ms}), now_ms)[0],
        "begin": lambda: question.begin(now_ms, now_ms + RUN_MS, CALL)[0],
        "answer": question.mark_answered,
        "fail": lambda: question.mark_failed("AGENT_FAILED", retryable=False),
        "retry": lambda: question.mark_failed("AGENT_FAILED", retryable=True),
        "give back": question.release,
    }
    return moves[name]()


def apply_steps(steps: list[tuple[str, int]]) -> tuple[QuestionRecord, int]:
    """Return a question after a possible sequence of steps, each some time after the previous one, and the time.
    Only the current attempt ends a question."""
    question, now_ms = QuestionRecord(), 0
    for name, waited in steps:
        now_ms += waited
        if name in {"ask", "begin"} or question.status is QuestionStatus.RUNNING:
            question = step(question, name, now_ms)
    return question, now_ms


@given(STEPS, st.integers(0, RUN_MS - 1))
def test_no_worker_begins_while_another_one_is_running(steps: list[tuple[str, int]], waited: int) -> None:
    question, now_ms = apply_steps(steps)
    begun, mine = question.begin(now_ms, now_ms + RUN_MS, CALL)
    if mine:
        asked, worker_needed = begun.apply_request(NEW, now_ms + waited)
        assert not worker_needed
        assert asked.begin(now_ms + waited, now_ms + waited + RUN_MS, CALL) == (asked, False)
        assert asked.begin(now_ms + RUN_MS, now_ms + 2 * RUN_MS, CALL)[1], "a dead worker is replaced"


@given(STEPS, st.integers(0, 2 * RETRY_MS))
def test_only_a_retry_by_lambda_takes_over_before_the_timeout(steps: list[tuple[str, int]], waited: int) -> None:
    question, now_ms = apply_steps(steps)
    begun, mine = question.begin(now_ms, now_ms + 2 * RETRY_MS + 1, CALL)
    if mine:
        assert not begun.begin(now_ms + waited, now_ms + waited + RUN_MS, "call-2")[1]
        again, taken = begun.begin(now_ms + waited, now_ms + waited + RUN_MS, CALL)
        assert (taken, again.attempt) == (waited >= RETRY_MS, begun.attempt + taken)


@given(STEPS)
def test_a_worker_that_was_invoked_for_an_unanswered_question_can_begin(steps: list[tuple[str, int]]) -> None:
    question, now_ms = apply_steps(steps)
    asked, worker_needed = question.apply_request(NEW, now_ms)
    if worker_needed and asked.status is not QuestionStatus.ANSWERED:
        assert asked.begin(now_ms, now_ms + RUN_MS, CALL)[1]


@given(STEPS)
def test_asking_twice_at_the_same_time_does_not_change_the_question(steps: list[tuple[str, int]]) -> None:
    question, now_ms = apply_steps(steps)
    asked, _ = question.apply_request(NEW, now_ms)
    again, called = asked.apply_request(NEW, now_ms)
    place = asked.listener.model_copy(update={"request_count": asked.listener.request_count + 1})
    assert again == asked.model_copy(update={"calls": asked.calls + called, "listener": place})


@given(STEPS)
def test_asking_changes_the_listener_and_always_leads_to_an_answer(steps: list[tuple[str, int]]) -> None:
    question, now_ms = apply_steps(steps)
    wish = Listener(connection="c9", attempt=2, resume_from=4)
    new = NEW.model_copy(update={"listener": wish, "session": "s9"})
    asked, worker_needed = question.apply_request(new, now_ms)
    assert asked.listener == wish.model_copy(update={"request_count": question.listener.request_count + 1})
    assert asked.session == (question.session or ("s9" if worker_needed else ""))
    final = question.status is QuestionStatus.FAILED and not question.retryable
    working = question.status is QuestionStatus.RUNNING and question.running_until_ms > now_ms
    assert worker_needed == (not final and not working)


@given(STEPS)
def test_a_final_answer_or_failure_stays(steps: list[tuple[str, int]]) -> None:
    question, now_ms = apply_steps(steps)
    for ended in (question.mark_answered(), question.mark_failed("AUDIO_EMPTY", retryable=False)):
        asked, _ = ended.apply_request(NEW, now_ms)
        assert (asked.status, asked.code) == (ended.status, ended.code)
        assert asked.begin(now_ms, now_ms + RUN_MS, CALL) == (asked, False)
        assert asked.release() == asked


@given(STEPS)
def test_each_beginning_is_another_attempt(steps: list[tuple[str, int]]) -> None:
    question, now_ms = apply_steps(steps)
    begun, mine = question.begin(now_ms, now_ms + RUN_MS, CALL)
    assert begun.attempt == question.attempt + mine
    assert begun.apply_request(NEW, now_ms + RUN_MS)[0].attempt == begun.attempt, "asking again is not an attempt"


def test_a_listeners_number_applies_to_its_own_attempt() -> None:
    place = Listener(attempt=2, resume_from=4)
    assert [place.first_piece(attempt) for attempt in (1, 2, 3)] == [0, 4, 0]


def apply_requests(asks: list[tuple[str, int, bool]]) -> list[tuple[Allowance, Allowance, str, int, bool]]:
    """Return for each request: the allowance before and after, question id, time, and whether it was granted."""
    allowance, now_ms = Allowance(), 0
    history = []
    for name, waited, ends in asks:
        now_ms += waited
        if ends:
            allowance = allowance.end_question(name)
        after, granted = allowance.count_question(name, now_ms, now_ms + HOUR_MS // 4, AT_ONCE, PER_HOUR)
        history.append((allowance, after, name, now_ms, granted))
        allowance = after
    return history


@given(ASKS)
def test_an_allowance_is_limited_for_any_requests(asks: list[tuple[str, int, bool]]) -> None:
    for _, after, _, now_ms, granted in apply_requests(asks):
        assert len(after.running) <= AT_ONCE
        assert len(after.asked_ms) <= PER_HOUR
        assert len({name for name, _ in after.running}) == len(after.running)
        assert all(counted <= now_ms for counted in after.asked_ms)
        assert not granted or sum(now_ms - counted < HOUR_MS for counted in after.asked_ms) == len(after.asked_ms)
    full = Allowance(asked_ms=tuple(range(PER_HOUR)))
    assert not full.count_question("a", HOUR_MS - 1, HOUR_MS, AT_ONCE, PER_HOUR)[1]
    assert full.count_question("a", HOUR_MS, HOUR_MS + 1, AT_ONCE, PER_HOUR)[1], "an hour is exact to the millisecond"


@given(ASKS)
def test_no_more_than_allowed_is_granted_in_any_hour(asks: list[tuple[str, int, bool]]) -> None:
    counted = [
        now_ms
        for before, _, name, now_ms, granted in apply_requests(asks)
        if granted and not any(running_id == name and until > now_ms for running_id, until in before.running)
    ]
    for moment in counted:
        assert sum(moment - HOUR_MS < counted_ms <= moment for counted_ms in counted) <= PER_HOUR


@given(ASKS)
def test_a_refused_request_changes_nothing_and_a_granted_one_counts(asks: list[tuple[str, int, bool]]) -> None:
    for before, after, name, now_ms, granted in apply_requests(asks):
        if granted:
            assert (name, now_ms + HOUR_MS // 4) in after.running
        else:
            assert after == before


@given(ASKS, st.sampled_from("abcde"))
def test_an_ended_question_frees_its_place_and_asking_again_is_free(
    asks: list[tuple[str, int, bool]], name: str
) -> None:
    for _, after, asked, now_ms, granted in apply_requests(asks):
        assert len(after.end_question(name).running) <= len(after.running)
        assert after.end_question(name).asked_ms == after.asked_ms
        if granted:
            again, still = after.count_question(asked, now_ms, now_ms + HOUR_MS // 4, AT_ONCE, PER_HOUR)
            assert (still, again.asked_ms) == (True, after.asked_ms)


@pytest.mark.parametrize("identity", ["us-east-1:a", "eu-central-1:b"])
def test_no_identity_can_access_the_projects_items(identity: str) -> None:
    for key in (query_key(identity, "q"), allowance_key(identity), connection_key(identity)):
        assert not key["sessionId"].startswith(f"{identity}#")
    assert conversation_key(identity, "s", "l") == {"sessionId": f"{identity}#s", "lectureId": "l"}

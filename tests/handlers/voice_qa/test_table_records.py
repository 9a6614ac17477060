"""Questions and allowances after any sequence of changes, and the keys of items."""

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
REQUEST_ID = "call-1"
MAX_AT_ONCE, MAX_PER_HOUR = 2, 5
STEPS = st.lists(
    st.tuples(st.sampled_from(["ask", "begin", "answer", "fail", "fail retryably", "release"]), st.integers(0, 1_000)),
    max_size=30,
)
REQUESTS = st.lists(st.tuples(st.sampled_from("abcde"), st.integers(0, HOUR_MS // 2), st.booleans()), max_size=40)
"""Requests of a guest: the question's id, the time since the previous request, and True if the question ends before it."""


def apply_step(question: QuestionRecord, name: str, now_ms: int) -> QuestionRecord:
    steps: dict[str, Callable[[], QuestionRecord]] = {
        "ask": lambda: question.apply_request(NEW.model_copy(update={"asked_ms": now_ms}), now_ms)[0],
        "begin": lambda: question.begin(now_ms, now_ms + RUN_MS, REQUEST_ID)[0],
        "answer": question.mark_answered,
        "fail": lambda: question.mark_failed("AGENT_FAILED", retryable=False),
        "fail retryably": lambda: question.mark_failed("AGENT_FAILED", retryable=True),
        "release": question.release,
    }
    return steps[name]()


def apply_steps(steps: list[tuple[str, int]]) -> tuple[QuestionRecord, int]:
    """Return a question after a possible sequence of steps, and the time of the last step.

    Each step has the milliseconds since the previous one. Steps that only the current attempt performs are skipped if
    none is running.
    """
    question, now_ms = QuestionRecord(), 0
    for name, elapsed_ms in steps:
        now_ms += elapsed_ms
        if name in {"ask", "begin"} or question.status is QuestionStatus.RUNNING:
            question = apply_step(question, name, now_ms)
    return question, now_ms


@given(STEPS, st.integers(0, RUN_MS - 1))
def test_no_attempt_begins_while_another_one_is_running(steps: list[tuple[str, int]], elapsed_ms: int) -> None:
    question, now_ms = apply_steps(steps)
    begun, has_begun = question.begin(now_ms, now_ms + RUN_MS, REQUEST_ID)
    if has_begun:
        asked, worker_needed = begun.apply_request(NEW, now_ms + elapsed_ms)
        assert not worker_needed
        assert asked.begin(now_ms + elapsed_ms, now_ms + elapsed_ms + RUN_MS, REQUEST_ID) == (asked, False)
        assert asked.begin(now_ms + RUN_MS, now_ms + 2 * RUN_MS, REQUEST_ID)[1], "a dead worker is replaced"


@given(STEPS, st.integers(0, 2 * RETRY_MS))
def test_only_a_retry_by_lambda_replaces_a_running_attempt(steps: list[tuple[str, int]], elapsed_ms: int) -> None:
    question, now_ms = apply_steps(steps)
    begun, has_begun = question.begin(now_ms, now_ms + 2 * RETRY_MS + 1, REQUEST_ID)
    if has_begun:
        assert not begun.begin(now_ms + elapsed_ms, now_ms + elapsed_ms + RUN_MS, "call-2")[1]
        replaced, has_replaced = begun.begin(now_ms + elapsed_ms, now_ms + elapsed_ms + RUN_MS, REQUEST_ID)
        assert (has_replaced, replaced.attempt) == (elapsed_ms >= RETRY_MS, begun.attempt + has_replaced)


@given(STEPS)
def test_a_worker_that_was_invoked_for_an_unanswered_question_can_begin(steps: list[tuple[str, int]]) -> None:
    question, now_ms = apply_steps(steps)
    asked, worker_needed = question.apply_request(NEW, now_ms)
    if worker_needed and asked.status is not QuestionStatus.ANSWERED:
        assert asked.begin(now_ms, now_ms + RUN_MS, REQUEST_ID)[1]


@given(STEPS)
def test_a_repeated_request_changes_only_the_counters_of_calls_and_requests(steps: list[tuple[str, int]]) -> None:
    question, now_ms = apply_steps(steps)
    asked, _ = question.apply_request(NEW, now_ms)
    repeated, worker_needed = asked.apply_request(NEW, now_ms)
    listener = asked.listener.model_copy(update={"request_count": asked.listener.request_count + 1})
    assert repeated == asked.model_copy(update={"calls": asked.calls + worker_needed, "listener": listener})


@given(STEPS)
def test_a_request_changes_the_listener_and_needs_a_worker_unless_one_is_running_or_the_question_has_failed(
    steps: list[tuple[str, int]],
) -> None:
    question, now_ms = apply_steps(steps)
    listener = Listener(connection="c9", attempt=2, resume_from=4)
    new = NEW.model_copy(update={"listener": listener, "session": "s9"})
    asked, worker_needed = question.apply_request(new, now_ms)
    assert asked.listener == listener.model_copy(update={"request_count": question.listener.request_count + 1})
    assert asked.session == (question.session or ("s9" if worker_needed else ""))
    has_failed = question.status is QuestionStatus.FAILED and not question.retryable
    is_running = question.status is QuestionStatus.RUNNING and question.running_until_ms > now_ms
    assert worker_needed == (not has_failed and not is_running)


@given(STEPS)
def test_a_final_answer_or_failure_stays(steps: list[tuple[str, int]]) -> None:
    question, now_ms = apply_steps(steps)
    for ended in (question.mark_answered(), question.mark_failed("AUDIO_EMPTY", retryable=False)):
        asked, _ = ended.apply_request(NEW, now_ms)
        assert (asked.status, asked.code) == (ended.status, ended.code)
        assert asked.begin(now_ms, now_ms + RUN_MS, REQUEST_ID) == (asked, False)
        assert asked.release() == asked


@given(STEPS)
def test_each_begin_is_another_attempt(steps: list[tuple[str, int]]) -> None:
    question, now_ms = apply_steps(steps)
    begun, has_begun = question.begin(now_ms, now_ms + RUN_MS, REQUEST_ID)
    assert begun.attempt == question.attempt + has_begun
    assert begun.apply_request(NEW, now_ms + RUN_MS)[0].attempt == begun.attempt, "a request is not an attempt"


def test_the_requested_piece_applies_only_to_the_named_attempt() -> None:
    listener = Listener(attempt=2, resume_from=4)
    assert [listener.first_piece(attempt) for attempt in (1, 2, 3)] == [0, 4, 0]


def apply_requests(requests: list[tuple[str, int, bool]]) -> list[tuple[Allowance, Allowance, str, int, bool]]:
    """Return for each request: the allowance before and after, question id, time, and whether it was granted."""
    allowance, now_ms = Allowance(), 0
    history = []
    for name, elapsed_ms, ends in requests:
        now_ms += elapsed_ms
        if ends:
            allowance = allowance.end_question(name)
        after, granted = allowance.count_question(name, now_ms, now_ms + HOUR_MS // 4, MAX_AT_ONCE, MAX_PER_HOUR)
        history.append((allowance, after, name, now_ms, granted))
        allowance = after
    return history


@given(REQUESTS)
def test_an_allowance_stays_within_its_limits(requests: list[tuple[str, int, bool]]) -> None:
    for _, after, _, now_ms, granted in apply_requests(requests):
        assert len(after.running) <= MAX_AT_ONCE
        assert len(after.asked_ms) <= MAX_PER_HOUR
        assert len({name for name, _ in after.running}) == len(after.running)
        assert all(counted <= now_ms for counted in after.asked_ms)
        assert not granted or sum(now_ms - counted < HOUR_MS for counted in after.asked_ms) == len(after.asked_ms)
    full = Allowance(asked_ms=tuple(range(MAX_PER_HOUR)))
    assert not full.count_question("a", HOUR_MS - 1, HOUR_MS, MAX_AT_ONCE, MAX_PER_HOUR)[1]
    assert full.count_question("a", HOUR_MS, HOUR_MS + 1, MAX_AT_ONCE, MAX_PER_HOUR)[1], "the hour ends exactly"


@given(REQUESTS)
def test_no_more_than_allowed_is_granted_in_any_hour(requests: list[tuple[str, int, bool]]) -> None:
    counted = [
        now_ms
        for before, _, name, now_ms, granted in apply_requests(requests)
        if granted and not any(running_id == name and until > now_ms for running_id, until in before.running)
    ]
    for moment in counted:
        assert sum(moment - HOUR_MS < counted_ms <= moment for counted_ms in counted) <= MAX_PER_HOUR


@given(REQUESTS)
def test_a_refused_request_changes_nothing_and_a_granted_one_counts(requests: list[tuple[str, int, bool]]) -> None:
    for before, after, name, now_ms, granted in apply_requests(requests):
        if granted:
            assert (name, now_ms + HOUR_MS // 4) in after.running
        else:
            assert after == before


@given(REQUESTS, st.sampled_from("abcde"))
def test_an_ended_question_stops_running_and_a_repeated_one_is_not_counted_again(
    requests: list[tuple[str, int, bool]], name: str
) -> None:
    for _, after, requested, now_ms, granted in apply_requests(requests):
        assert len(after.end_question(name).running) <= len(after.running)
        assert after.end_question(name).asked_ms == after.asked_ms
        if granted:
            until_ms = now_ms + HOUR_MS // 4
            repeated, still_granted = after.count_question(requested, now_ms, until_ms, MAX_AT_ONCE, MAX_PER_HOUR)
            assert (still_granted, repeated.asked_ms) == (True, after.asked_ms)


@pytest.mark.parametrize("identity", ["us-east-1:a", "eu-central-1:b"])
def test_only_keys_of_conversations_begin_with_the_identity_id(identity: str) -> None:
    for key in (query_key(identity, "q"), allowance_key(identity), connection_key(identity)):
        assert not key["sessionId"].startswith(f"{identity}#")
    assert conversation_key(identity, "s", "l") == {"sessionId": f"{identity}#s", "lectureId": "l"}

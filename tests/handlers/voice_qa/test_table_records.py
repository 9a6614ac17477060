"""Records of questions, and allowances (the limits of a guest), after any sequence of changes.

An attempt is one try of a worker to answer a question. The listener is the connection that gets the answer.
"""

from collections.abc import Callable
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from handlers.voice_qa.table_records import (
    HOUR_MS,
    RETRY_MS,
    Allowance,
    Listener,
    QuestionRecord,
    QuestionStatus,
)

NEW_REQUEST = QuestionRecord(session="s1", lecture_id="l1", text="Why?", listener=Listener(connection="c1"), asked_ms=1)
"""Request for a question, as the WebSocket handler applies it to the stored record."""
RUN_MS = 100
"""Time limit of an attempt."""
REQUEST_ID = "call-1"
"""Request id of a worker's invocation. A retry by Lambda has the same one."""
MAX_AT_ONCE, MAX_PER_HOUR, RUN_LIMIT_MS = 2, 5, HOUR_MS // 4
"""Limits of a guest's allowance, and the time for which a question without an end counts as being answered."""
STEPS = st.lists(
    st.tuples(st.sampled_from(["ask", "begin", "answer", "fail", "fail retryably", "release"]), st.integers(0, 1_000)),
    max_size=30,
)
"""Steps of a question: name, and milliseconds since the previous step."""
REQUESTS = st.lists(st.tuples(st.sampled_from("abcde"), st.integers(0, HOUR_MS // 2), st.booleans()), max_size=40)
"""Requests of a guest: question id, milliseconds since the previous request, and True if an earlier question with this
id ends before the request."""
Steps = list[tuple[str, int]]
Requests = list[tuple[str, int, bool]]


def apply_step(question: QuestionRecord, name: str, now_ms: int) -> QuestionRecord:
    steps: dict[str, Callable[[], QuestionRecord]] = {
        "ask": lambda: question.apply_request(NEW_REQUEST.model_copy(update={"asked_ms": now_ms}), now_ms)[0],
        "begin": lambda: question.begin(now_ms, now_ms + RUN_MS, REQUEST_ID)[0],
        "answer": question.mark_answered,
        "fail": lambda: question.mark_failed("AGENT_FAILED", retryable=False),
        "fail retryably": lambda: question.mark_failed("AGENT_FAILED", retryable=True),
        "release": question.release,
    }
    return steps[name]()


def apply_steps(steps: Steps) -> tuple[QuestionRecord, int]:
    """Return a question after these steps, and the time of the last step.

    Steps that only a running attempt performs are skipped if none is running.
    """
    question, now_ms = QuestionRecord(), 0
    for name, elapsed_ms in steps:
        now_ms += elapsed_ms
        if name in {"ask", "begin"} or question.status is QuestionStatus.RUNNING:
            question = apply_step(question, name, now_ms)
    return question, now_ms


@given(STEPS, st.integers(0, RUN_MS - 1))
def test_no_attempt_begins_while_another_one_is_running(steps: Steps, elapsed_ms: int) -> None:
    question, now_ms = apply_steps(steps)
    running_question, has_begun = question.begin(now_ms, now_ms + RUN_MS, REQUEST_ID)
    if has_begun:
        later_ms = now_ms + elapsed_ms
        after_request, worker_needed = running_question.apply_request(NEW_REQUEST, later_ms)
        assert not worker_needed
        assert after_request.begin(later_ms, later_ms + RUN_MS, REQUEST_ID) == (after_request, False)
        assert after_request.begin(now_ms + RUN_MS, now_ms + 2 * RUN_MS, REQUEST_ID)[1], "a dead worker is replaced"


@given(STEPS, st.integers(0, 2 * RETRY_MS))
def test_only_a_retry_by_lambda_replaces_a_running_attempt(steps: Steps, elapsed_ms: int) -> None:
    question, now_ms = apply_steps(steps)
    running_question, has_begun = question.begin(now_ms, now_ms + 2 * RETRY_MS + 1, REQUEST_ID)
    if has_begun:
        later_ms = now_ms + elapsed_ms
        assert not running_question.begin(later_ms, later_ms + RUN_MS, "call-2")[1]
        # `RETRY_MS` is the shortest time after which Lambda retries an invocation.
        after_retry, has_replaced = running_question.begin(later_ms, later_ms + RUN_MS, REQUEST_ID)
        assert has_replaced == (elapsed_ms >= RETRY_MS)
        assert after_retry.attempt == running_question.attempt + has_replaced


@given(STEPS)
def test_a_worker_that_was_invoked_for_an_unanswered_question_can_begin(steps: Steps) -> None:
    question, now_ms = apply_steps(steps)
    after_request, worker_needed = question.apply_request(NEW_REQUEST, now_ms)
    if worker_needed and after_request.status is not QuestionStatus.ANSWERED:
        assert after_request.begin(now_ms, now_ms + RUN_MS, REQUEST_ID)[1]


@given(STEPS)
def test_a_repeated_request_changes_only_the_counters_of_calls_and_requests(steps: Steps) -> None:
    question, now_ms = apply_steps(steps)
    after_request, _ = question.apply_request(NEW_REQUEST, now_ms)
    repeated_question, worker_needed = after_request.apply_request(NEW_REQUEST, now_ms)
    listener = after_request.listener.model_copy(update={"request_count": after_request.listener.request_count + 1})
    assert repeated_question == after_request.model_copy(
        update={"calls": after_request.calls + worker_needed, "listener": listener}
    )


@given(STEPS)
def test_a_request_replaces_the_listener_but_not_the_conversation(steps: Steps) -> None:
    question, now_ms = apply_steps(steps)
    listener = Listener(connection="c9", attempt=2, resume_from=4)
    other_request = NEW_REQUEST.model_copy(update={"listener": listener, "session": "s9"})
    after_request, worker_needed = question.apply_request(other_request, now_ms)
    assert after_request.listener == listener.model_copy(update={"request_count": question.listener.request_count + 1})
    assert after_request.session == (question.session or ("s9" if worker_needed else ""))


@given(STEPS)
def test_a_request_needs_a_worker_unless_one_is_running_or_the_question_has_failed(steps: Steps) -> None:
    question, now_ms = apply_steps(steps)
    has_failed = question.status is QuestionStatus.FAILED and not question.retryable
    is_running = question.status is QuestionStatus.RUNNING and question.running_until_ms > now_ms
    assert question.apply_request(NEW_REQUEST, now_ms)[1] == (not has_failed and not is_running)


@given(STEPS)
def test_an_answered_or_failed_question_starts_no_further_attempt(steps: Steps) -> None:
    question, now_ms = apply_steps(steps)
    for ended_question in (question.mark_answered(), question.mark_failed("AUDIO_EMPTY", retryable=False)):
        after_request, _ = ended_question.apply_request(NEW_REQUEST, now_ms)
        assert (after_request.status, after_request.code) == (ended_question.status, ended_question.code)
        assert after_request.begin(now_ms, now_ms + RUN_MS, REQUEST_ID) == (after_request, False)
        assert after_request.release() == after_request


@given(STEPS)
def test_an_attempt_is_counted_when_it_begins(steps: Steps) -> None:
    question, now_ms = apply_steps(steps)
    running_question, has_begun = question.begin(now_ms, now_ms + RUN_MS, REQUEST_ID)
    assert running_question.attempt == question.attempt + has_begun
    assert running_question.apply_request(NEW_REQUEST, now_ms + RUN_MS)[0].attempt == running_question.attempt, (
        "a request is not an attempt"
    )


def test_the_requested_piece_applies_only_to_the_named_attempt() -> None:
    """A client that asks again names an attempt and the first missing piece. Another attempt is sent from its start."""
    listener = Listener(attempt=2, resume_from=4)
    assert [listener.first_piece(attempt) for attempt in (1, 2, 3)] == [0, 4, 0]


class CountedRequest(NamedTuple):
    """A request for a question, with the guest's allowance before and after it."""

    query_id: str
    now_ms: int
    before: Allowance
    after: Allowance
    is_granted: bool

    @property
    def was_running(self) -> bool:
        """True if the question already counted as being answered."""
        return any(query_id == self.query_id and until_ms > self.now_ms for query_id, until_ms in self.before.running)


def count_question(allowance: Allowance, query_id: str, now_ms: int) -> tuple[Allowance, bool]:
    return allowance.count_question(query_id, now_ms, now_ms + RUN_LIMIT_MS, MAX_AT_ONCE, MAX_PER_HOUR)


def apply_requests(requests: Requests) -> list[CountedRequest]:
    allowance, now_ms = Allowance(), 0
    counted_requests = []
    for query_id, elapsed_ms, has_ended in requests:
        now_ms += elapsed_ms
        before = allowance.end_question(query_id) if has_ended else allowance
        allowance, is_granted = count_question(before, query_id, now_ms)
        counted_requests.append(CountedRequest(query_id, now_ms, before, allowance, is_granted))
    return counted_requests


@given(REQUESTS)
def test_an_allowance_stays_within_its_limits(requests: Requests) -> None:
    for request in apply_requests(requests):
        running, asked_ms = request.after.running, request.after.asked_ms
        assert len({query_id for query_id, _ in running}) == len(running) <= MAX_AT_ONCE
        assert len(asked_ms) <= MAX_PER_HOUR
        assert max(asked_ms, default=0) <= request.now_ms
        assert not request.is_granted or request.now_ms - min(asked_ms) < HOUR_MS, "older questions are removed"


def test_a_question_stops_counting_after_exactly_an_hour() -> None:
    full_allowance = Allowance(asked_ms=tuple(range(MAX_PER_HOUR)))
    assert [count_question(full_allowance, "a", now_ms)[1] for now_ms in (HOUR_MS - 1, HOUR_MS)] == [False, True]


@given(REQUESTS)
def test_no_more_questions_than_allowed_are_granted_in_any_hour(requests: Requests) -> None:
    times = [request.now_ms for request in apply_requests(requests) if request.is_granted and not request.was_running]
    for end in times:
        assert sum(end - HOUR_MS < time <= end for time in times) <= MAX_PER_HOUR


@given(REQUESTS)
def test_a_refused_request_changes_nothing_and_a_granted_one_counts(requests: Requests) -> None:
    for request in apply_requests(requests):
        if request.is_granted:
            assert (request.query_id, request.now_ms + RUN_LIMIT_MS) in request.after.running
        else:
            assert request.after == request.before


@given(REQUESTS, st.sampled_from("abcde"))
def test_the_end_of_a_question_does_not_change_the_hourly_count(requests: Requests, query_id: str) -> None:
    for request in apply_requests(requests):
        ended_allowance = request.after.end_question(query_id)
        assert query_id not in dict(ended_allowance.running)
        assert ended_allowance.asked_ms == request.after.asked_ms


@given(REQUESTS)
def test_a_repeated_question_that_is_being_answered_is_granted_and_not_counted_again(requests: Requests) -> None:
    for request in apply_requests(requests):
        if request.is_granted:
            repeated_allowance, is_granted = count_question(request.after, request.query_id, request.now_ms)
            assert (is_granted, repeated_allowance.asked_ms) == (True, request.after.asked_ms)

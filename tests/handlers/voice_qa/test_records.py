"""Rules of a question's record after any sequence of requests, attempts, ends and time limit checks."""

from hypothesis import given
from hypothesis import strategies as st

from handlers.voice_qa.records import Counter, Question, QuestionStatus

LIMIT_MS, RUN_MS = 100, 105
"""Time limit of a question, and the time after which an attempt counts as dead."""
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["ask", "begin", "answer", "fail", "fail finally", "check", "report", "report late"]),
        st.integers(0, 60),
    ),
    max_size=30,
)
"""Steps of a question: name, and milliseconds since the previous step."""


def request(now_ms: int) -> Question:
    return Question(
        identity="i",
        lecture="l",
        session=f"s{now_ms}",
        text="Why?",
        language="en-US",
        connection=f"c{now_ms}",
        resume_attempt=1,
        resume_from=0,
        asked_ms=now_ms,
    )


def apply_step(question: Question, name: str, number: int, now_ms: int) -> Question:
    own = question.is_run_by(question.worker) and bool(question.worker)
    match name:
        case "ask":
            return question.apply_request(request(now_ms), now_ms)
        case "begin":
            return question.begin(f"w{number}", now_ms + RUN_MS)
        case "answer" if own:
            return question.mark_answered()
        case "fail" | "fail finally" if own:
            return question.mark_failed(retryable=name == "fail")
        case "check":
            return question.fail_if_overdue(now_ms, LIMIT_MS)
        case "report" if question.has_ended:
            return question.mark_reported(question.request_count)
        case "report late":
            return question.mark_reported(question.request_count - 1)
    return question


@given(steps=STEPS)
def test_a_question_is_never_lost_and_each_attempt_has_one_worker(steps: list[tuple[str, int]]) -> None:
    question, now_ms = request(0), 0
    for number, (name, elapsed_ms) in enumerate(steps):
        now_ms += elapsed_ms
        before, question = question, apply_step(question, name, number, now_ms)
        assert question.session == "s0", "the conversation stays"
        assert question.attempt in {before.attempt, before.attempt + 1}
        if question.attempt > before.attempt:
            assert (before.status, question.status) == (QuestionStatus.ACCEPTED, QuestionStatus.RUNNING)
            assert question.is_run_by(f"w{number}")
        if question.worker != before.worker:
            assert question.attempt > before.attempt or not question.worker, "no worker gets the attempt of another"
        if before.status is QuestionStatus.FAILED and not before.retryable:
            assert question in {before, before.mark_reported(before.request_count)}
        if name == "ask" and question.request_count > before.request_count:
            assert question.connection == f"c{now_ms}", "the connection that asked last gets the answer"
            assert not question.reported
            is_alive = question.status is QuestionStatus.RUNNING and question.running_until_ms > now_ms
            assert question.needs_worker or is_alive, "somebody answers"
        if question.reported and not before.reported:
            assert name == "report"
    if question.status is QuestionStatus.RUNNING or question.status is QuestionStatus.ACCEPTED:
        ended = question.fail_if_overdue(question.asked_ms + LIMIT_MS, LIMIT_MS)
        assert (ended.has_ended, ended.retryable, ended.reported) == (True, True, False)
        assert question.fail_if_overdue(question.asked_ms + LIMIT_MS - 1, LIMIT_MS) == question


@given(names=st.lists(st.sampled_from("abcdefg"), max_size=20), limit=st.integers(1, 5))
def test_a_counter_counts_each_name_once_up_to_its_limit(names: list[str], limit: int) -> None:
    counter = Counter()
    for name in names:
        counter = counter.count(name, limit)
    assert counter.counted == tuple(dict.fromkeys(names))[:limit]

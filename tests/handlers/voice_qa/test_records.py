"""Rules of a question's record after any sequence of requests, attempts, ends and time limit checks."""

from hypothesis import given
from hypothesis import strategies as st

from handlers.voice_qa.records import Question, QuestionStatus

LIMIT_MS = 100
"""Time limit of a question."""
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["ask", "begin", "answer", "fail", "fail finally", "check", "report"]),
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
    match name:
        case "ask":
            return question.apply_request(request(now_ms), LIMIT_MS)
        case "begin":
            return question.begin(f"w{number}")
        case "answer" | "fail" | "fail finally" if question.is_run_by(question.worker):
            status = QuestionStatus.ANSWERED if name == "answer" else QuestionStatus.FAILED
            return question.end(status, retryable=name == "fail", reported=number % 2 == 0)
        case "check":
            return question.fail_if_overdue(now_ms, LIMIT_MS)
        case "report":
            return question.mark_reported()
    return question


@given(steps=STEPS)
def test_a_question_is_never_lost_and_each_attempt_has_one_worker(steps: list[tuple[str, int]]) -> None:
    question, now_ms = request(0), 0
    for number, (name, elapsed_ms) in enumerate(steps):
        now_ms += elapsed_ms
        before, question = question, apply_step(question, name, number, now_ms)
        assert question.session == "s0", "the conversation stays"
        if question.worker != before.worker and question.worker:
            assert (before.status, question.status) == (QuestionStatus.ACCEPTED, QuestionStatus.RUNNING)
            assert question.is_run_by(f"w{number}")
            assert question.attempt == before.attempt + (not before.is_stored), "a stored answer is sent again"
        else:
            assert question.attempt == before.attempt
        if question.is_stored and not before.is_stored:
            assert (before.status, name) == (QuestionStatus.ANSWERED, "ask")
        if before.status is QuestionStatus.FAILED and not before.retryable:
            assert question in {before, before.mark_reported()}
        if name == "ask" and question.request_count > before.request_count:
            assert question.connection == f"c{now_ms}", "the connection that asked last gets the answer"
            assert not question.reported
            assert question.needs_worker or not question.is_overdue(now_ms, LIMIT_MS), "somebody answers"
    if not question.has_ended:
        ended = question.fail_if_overdue(question.asked_ms + LIMIT_MS, LIMIT_MS)
        assert (ended.has_ended, ended.retryable, ended.reported) == (True, True, False)
        assert not ended.is_run_by(question.worker)
        assert question.fail_if_overdue(question.asked_ms + LIMIT_MS - 1, LIMIT_MS) == question

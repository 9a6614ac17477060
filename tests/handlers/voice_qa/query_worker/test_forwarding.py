"""Forwarding of an answer: its numbered pieces go to the connection that asked last, from the piece that it lacks.

`worker.ask` asks the question, or asks it again on the same or another connection. The scripted answers contain
functions, which are called between the pieces.
"""

from itertools import pairwise
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handlers.common.json_models import Message
from handlers.voice_qa.messages import Answered
from handlers.voice_qa.query_worker.handler import MAX_LAST_POSTS, AnswerOutcome
from tests.handlers.common.fakes import ignore
from tests.handlers.voice_qa.query_worker.worker_harness import (
    AUDIO,
    AUDIO_BYTES,
    AWS_ERROR,
    GUEST_ID,
    INTERRUPTED,
    MORE_TEXT,
    QUERY_ID,
    TEXT,
    Step,
    WorkerHarness,
)
from tests.handlers.voice_qa.validate_lecture.lecture_harness import BUCKET


def test_a_client_that_reconnects_gets_the_answer_within_two_seconds(worker: WorkerHarness) -> None:
    def reconnect() -> None:
        assert not worker.ask("c2", resume_from=1), "the running worker sends the answer"

    waits = worker.wait(1_999), worker.wait(1)
    worker.answer_question(TEXT, reconnect, waits[0], MORE_TEXT, waits[1], TEXT, MORE_TEXT)
    assert worker.clients.piece_numbers("c1") == [0, 1]
    assert worker.clients.piece_numbers("c2") == [1, 2, 3]
    assert (worker.sent_messages("answered"), len(worker.sent_messages("answered", "c2"))) == ([], 1)


def test_a_client_that_reconnects_during_the_last_message_is_served_by_the_same_invocation(
    worker: WorkerHarness,
) -> None:
    """If another invocation posted to the new connection too, it would receive everything twice."""

    def reconnect(_connection: str, message: Message) -> None:
        if isinstance(message, Answered):
            worker.clients.after_post = ignore
            assert not worker.ask("c2")

    worker.ask()
    worker.clients.after_post = reconnect
    worker.invoke(TEXT, MORE_TEXT)
    assert worker.clients.piece_numbers("c1") == worker.clients.piece_numbers("c2") == [0, 1]
    assert len(worker.sent_messages("answered", "c2")) == 1


def test_a_message_that_cannot_be_posted_at_the_end_is_reported_by_the_time_limit_check(worker: WorkerHarness) -> None:
    worker.ask()
    worker.clients.failures = [AWS_ERROR] * (1 + MAX_LAST_POSTS)
    assert worker.invoke(TEXT) is AnswerOutcome.ANSWERED
    worker.check_time_limit()
    assert [error["retryable"] for error in worker.sent_messages("error")] == [True]


def test_without_a_connected_client_the_answer_is_completed_and_stored(
    worker: WorkerHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    worker.ask()
    worker.clients.gone.add("c1")
    assert worker.invoke(TEXT, AUDIO, MORE_TEXT) is AnswerOutcome.ANSWERED
    worker.check_time_limit()
    assert worker.log_lines(capsys.readouterr().out, "query_overdue") == [], "a client may leave without an alarm"
    assert (worker.clients.inbox, len(worker.turns)) == ({}, 1)
    assert worker.ask("c2", resume_from=1)
    assert worker.invoke() is AnswerOutcome.REPLAYED
    assert worker.clients.piece_numbers("c2") == [1, 2]
    [answered] = worker.sent_messages("answered", "c2")
    key = unquote(urlsplit(answered["audioUrl"]).path).removeprefix(f"/{BUCKET}").removeprefix("/")
    assert worker.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == AUDIO_BYTES
    assert len(worker.agent.questions) == 1, "the agent is asked once"


def test_a_client_with_pieces_of_a_failed_attempt_gets_all_pieces_of_the_next_attempt(worker: WorkerHarness) -> None:
    """Otherwise, the client would join the beginning of one answer to the end of another."""
    worker.answer_question(TEXT, TEXT, INTERRUPTED)
    worker.ask("c2", resume_from=2, attempt=1)
    worker.invoke(MORE_TEXT, TEXT, AUDIO)
    assert worker.clients.piece_numbers("c2") == [0, 1, 2]
    for connection, attempt, numbers in (("c3", 1, [0, 1, 2]), ("c4", 2, [1, 2])):
        worker.ask(connection, resume_from=1, attempt=attempt)
        worker.invoke()
        assert worker.clients.piece_numbers(connection) == numbers, "the same holds for a stored answer"
        assert worker.sent_messages("answered", connection)[0]["attempt"] == 2


def test_a_question_whose_stored_answer_is_gone_can_be_repeated(worker: WorkerHarness) -> None:
    worker.answer_question(TEXT)
    worker.s3.delete_object(Bucket=BUCKET, Key=f"responses/{GUEST_ID}/{QUERY_ID}.1.jsonl")
    worker.ask("c2")
    assert worker.invoke() is AnswerOutcome.FAILED
    [error] = worker.clients.inbox["c2"]
    assert (error["code"], error["retryable"]) == ("QUERY_FAILED", True)
    worker.agent.scripts.clear()
    assert worker.answer_question(TEXT) is AnswerOutcome.ANSWERED


EVENTS = st.lists(
    st.one_of(
        st.sampled_from(["send", "fail", "-c1", "-c2"]),
        st.just(2_000),
        st.tuples(st.sampled_from(["c1", "c2", "c3"]), st.integers(0, 6)),
    ),
    max_size=12,
)
"""Events: a piece arrives from the agent, the next post fails, a connection (after "-") closes, milliseconds pass, or a
connection requests the answer from a number on."""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(events=EVENTS)
def test_each_connection_gets_pieces_in_order_and_the_last_one_gets_all(
    worker: WorkerHarness, events: list[str | int | tuple[str, int]]
) -> None:
    worker.query_id = f"question-{len(worker.agent.questions)}"
    worker.clients.inbox.clear()
    worker.clients.gone.clear()
    starts: dict[str, list[int]] = {"c1": [0], "c2": [], "c3": []}
    asked: list[tuple[str, int]] = [("c1", 0)]
    steps: list[Step] = []

    def request(connection: str, number: int) -> None:
        worker.clients.gone.discard(connection)
        starts[connection].append(number)
        asked.append((connection, number))
        worker.ask(connection, resume_from=number)

    for event in events:
        match event:
            case "send":
                steps.append(TEXT)
            case "fail":
                steps.append(lambda: worker.clients.failures.append(AWS_ERROR))
            case int(milliseconds):
                steps.append(worker.wait(milliseconds))
            case (connection, number):
                steps.append(lambda connection=connection, number=number: request(connection, number))  # type: ignore[misc]
            case str(closed):
                steps.append(lambda closed=closed: worker.clients.gone.add(closed[1:]))  # type: ignore[misc]
    worker.ask()
    worker.invoke(*steps, worker.clients.failures.clear)
    for connection, requested in starts.items():
        numbers = worker.clients.piece_numbers(connection)
        restarts = [number for previous, number in pairwise(numbers) if number != previous + 1]
        assert {*numbers[:1], *restarts} <= {*requested}, "pieces start only at a requested number"
    last, first = asked[-1]
    if last not in worker.clients.gone:
        expected = list(range(first, sum(step is TEXT for step in steps)))
        assert worker.clients.inbox[last][-1]["type"] == "answered"
        assert not expected or worker.clients.piece_numbers(last)[-len(expected) :] == expected

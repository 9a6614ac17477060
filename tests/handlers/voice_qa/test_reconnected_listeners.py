"""Clients that ask a question again, on the same or another connection, receive the pieces that they lack.

The connection that asked last is the question's listener, to which the answer is posted. Each attempt to answer the
question numbers its pieces from 0. A client that asks again names the attempt and the first piece that it lacks.

`worker.ask` stores a request, and returns True if a worker must be invoked. The scripted answers contain functions,
which are called between the pieces.
"""

from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from handlers.voice_qa.query_worker.agent_question_processing import AnswerOutcome
from handlers.voice_qa.table_records import QuestionStatus
from tests.handlers.voice_qa.query_worker.worker_harness import (
    ANSWER_BROKEN_OFF,
    AUDIO,
    AWS_ERROR,
    GUEST_ID,
    MORE_TEXT,
    QUERY_ID,
    REMAINING_MS,
    TEXT,
    WorkerHarness,
)
from tests.handlers.voice_qa.validate_lecture.lecture_harness import BUCKET


def test_a_stored_answer_is_sent_again_from_the_requested_piece(worker: WorkerHarness) -> None:
    worker.answer_question(TEXT, AUDIO, MORE_TEXT)
    assert worker.ask("c2", resume_from=1)
    assert worker.invoke() is AnswerOutcome.REPLAYED
    assert worker.clients.inbox["c2"][:-1] == worker.clients.inbox["c1"][1:3]
    [answered_message] = worker.sent_messages("answered", "c2")
    assert (answered_message["pieces"], ".ogg" in answered_message["audioUrl"]) == (3, True)
    assert (len(worker.agent.questions), worker.running_question_count) == (1, 0)


@pytest.mark.parametrize("body", [None, b"{not json"], ids=["deleted", "unreadable"])
def test_a_question_whose_stored_answer_cannot_be_read_can_be_repeated(
    worker: WorkerHarness, body: bytes | None
) -> None:
    worker.answer_question(TEXT)
    key = f"responses/{GUEST_ID}/{QUERY_ID}.1.jsonl"
    if body is None:
        worker.s3.delete_object(Bucket=BUCKET, Key=key)
    else:
        worker.s3.put_object(Bucket=BUCKET, Key=key, Body=body)
    worker.ask("c2")
    assert worker.invoke() is AnswerOutcome.FAILED
    [error] = worker.clients.inbox["c2"]
    assert (error["code"], error["retryable"], worker.running_question_count) == ("QUERY_FAILED", True, 0)
    assert worker.ask("c2")
    worker.script_answer(TEXT)
    assert worker.invoke() is AnswerOutcome.ANSWERED


def test_a_client_that_reconnects_gets_the_answer_from_the_requested_piece(worker: WorkerHarness) -> None:
    worker.ask()

    def reconnect() -> None:
        worker.clients.gone.add("c1")
        assert not worker.ask("c2", resume_from=1)

    worker.script_answer(TEXT, MORE_TEXT, reconnect, TEXT, MORE_TEXT)
    assert worker.invoke() is AnswerOutcome.ANSWERED
    assert (worker.clients.piece_numbers("c1"), worker.clients.piece_numbers("c2")) == ([0, 1], [1, 2, 3])
    assert len(worker.sent_messages("answered", "c2")) == 1


@pytest.mark.parametrize("first_disconnected", [False, True])
def test_a_new_listener_is_found_within_two_seconds(worker: WorkerHarness, *, first_disconnected: bool) -> None:
    worker.ask()
    if first_disconnected:
        worker.clients.gone.add("c1")
    worker.script_answer(
        TEXT, lambda: worker.ask("c2"), worker.delay_step(1_999), MORE_TEXT, worker.delay_step(1), TEXT, MORE_TEXT
    )
    worker.invoke()
    assert worker.clients.piece_numbers("c1") == ([] if first_disconnected else [0, 1])
    assert worker.clients.piece_numbers("c2") == [0, 1, 2, 3]
    assert (worker.sent_messages("answered"), len(worker.sent_messages("answered", "c2"))) == ([], 1)


def test_without_a_listener_the_answer_is_completed_and_stored(worker: WorkerHarness) -> None:
    worker.ask()
    worker.clients.gone.add("c1")
    worker.script_answer(TEXT, MORE_TEXT, AUDIO)
    assert worker.invoke() is AnswerOutcome.ANSWERED
    assert worker.clients.inbox == {}
    assert (worker.question.status, len(worker.turns), worker.pauses) == (QuestionStatus.ANSWERED, 1, [])
    worker.ask("c2")
    worker.invoke()
    assert worker.clients.piece_numbers("c2") == [0, 1, 2]


def test_a_client_that_reconnects_after_the_last_piece_gets_the_missing_ones(worker: WorkerHarness) -> None:
    """The listener is not read between the last piece and the end. The update that ends the question returns it."""
    worker.answer_question(TEXT, MORE_TEXT, lambda: worker.ask("c2", resume_from=1))
    assert worker.clients.piece_numbers("c2") == [1]
    assert (worker.sent_messages("answered"), len(worker.sent_messages("answered", "c2"))) == ([], 1)


def test_a_client_that_reconnects_after_the_end_is_served_by_another_invocation(worker: WorkerHarness) -> None:
    """If both invocations posted to the new connection, it would receive everything twice."""
    worker.ask()
    # The first post fails, so all pieces are posted after the end of the question.
    worker.clients.failures = [AWS_ERROR]

    def reconnect_after_the_end(connection: str, _: Any) -> None:
        if connection == "c1" and worker.question.status is QuestionStatus.ANSWERED:
            worker.clients.gone.add("c1")
            worker.clients.after_post = lambda *_: None
            assert worker.ask("c2")

    worker.clients.after_post = reconnect_after_the_end
    worker.script_answer(TEXT, MORE_TEXT)
    worker.invoke()
    assert worker.clients.piece_numbers("c2") == []
    worker.invoke()
    assert worker.clients.piece_numbers("c2") == [0, 1]


@pytest.mark.parametrize(("resume_from", "received_numbers"), [(0, [1, 0, 1, 2]), (1, [1, 1, 2])])
def test_a_client_that_asks_again_on_the_same_connection_gets_the_pieces_again(
    worker: WorkerHarness, resume_from: int, received_numbers: list[int]
) -> None:
    """The first request names piece 1, which is sent. The second request names the same piece or an earlier one."""
    worker.ask(resume_from=1)
    worker.script_answer(TEXT, MORE_TEXT, lambda: worker.ask(resume_from=resume_from), worker.delay_step(2_000), TEXT)
    worker.invoke()
    assert worker.clients.piece_numbers("c1") == received_numbers


def test_a_client_with_pieces_of_a_failed_attempt_gets_all_pieces_of_the_next_attempt(worker: WorkerHarness) -> None:
    """Otherwise, the client would join the beginning of one answer to the end of another."""
    worker.answer_question(TEXT, TEXT, ANSWER_BROKEN_OFF)
    worker.ask("c2", resume_from=2, attempt=1)
    worker.script_answer(MORE_TEXT, TEXT, AUDIO)
    worker.invoke()
    assert worker.clients.attempts_and_numbers("c2") == [(2, 0), (2, 1), (2, 2)]
    worker.ask("c3", resume_from=1, attempt=1)
    worker.invoke()
    assert worker.clients.attempts_and_numbers("c3") == [(2, 0), (2, 1), (2, 2)], (
        "a stored answer is also sent from its first piece"
    )
    worker.ask("c4", resume_from=1, attempt=2)
    worker.invoke()
    assert worker.clients.attempts_and_numbers("c4") == [(2, 1), (2, 2)]
    for connection in ("c2", "c3", "c4"):
        assert worker.sent_messages("answered", connection)[0]["attempt"] == 2


def test_later_pieces_of_a_replaced_attempt_are_never_sent(worker: WorkerHarness) -> None:
    def answer_in_another_invocation() -> None:
        worker.clock.now_ms += REMAINING_MS
        worker.script_answer(MORE_TEXT, AUDIO)
        worker.invoke()

    outcome = worker.answer_question(TEXT, answer_in_another_invocation, TEXT, AUDIO, TEXT)
    assert outcome is AnswerOutcome.NO_LONGER_RUNNING
    assert worker.clients.attempts_and_numbers("c1") == [(1, 0), (2, 0), (2, 1)]
    worker.ask("c2", resume_from=1, attempt=1)
    worker.invoke()
    worker.ask("c3", resume_from=1, attempt=2)
    worker.invoke()
    assert worker.clients.attempts_and_numbers("c2") == [(2, 0), (2, 1)]
    assert worker.clients.attempts_and_numbers("c3") == [(2, 1)]
    first_message, *later_messages = [
        worker.sent_messages("answered", connection)[0] for connection in ("c1", "c2", "c3")
    ]
    assert (first_message["attempt"], first_message["pieces"]) == (2, 2)
    for message in later_messages:
        assert {**message, "audioUrl": ""} == {**first_message, "audioUrl": ""}
        assert urlsplit(message["audioUrl"]).path == urlsplit(first_message["audioUrl"]).path
    key = unquote(urlsplit(first_message["audioUrl"]).path).removeprefix("/").removeprefix(f"{BUCKET}/")
    assert worker.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == AUDIO.audio


def test_an_answer_of_a_replaced_attempt_is_not_added_to_the_conversation(worker: WorkerHarness) -> None:
    outcome = worker.answer_question(TEXT, worker.start_another_attempt, MORE_TEXT)
    assert outcome is AnswerOutcome.NO_LONGER_RUNNING
    assert worker.turns == []

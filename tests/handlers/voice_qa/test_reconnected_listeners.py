"""Reconnected listeners: a client that asks again, on another connection or much later, receives the rest of the
answer."""

from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from handlers.voice_qa.query_worker.question_answering import AnswerOutcome
from handlers.voice_qa.table_records import QuestionRecord, QuestionStatus, query_key
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


def test_a_stored_answer_is_sent_again_from_a_number(worker: WorkerHarness) -> None:
    worker.answer_question(TEXT, AUDIO, MORE_TEXT)
    assert worker.ask("c2", resume_from=1)
    assert worker.invoke() is AnswerOutcome.REPLAYED
    assert worker.clients.inbox["c2"][:-1] == worker.clients.inbox["c1"][1:3]
    [answered] = worker.sent_messages("answered", "c2")
    assert (answered["pieces"], ".ogg" in answered["audioUrl"]) == (3, True)
    assert (len(worker.agent.questions), worker.running_question_count) == (1, 0)


@pytest.mark.parametrize("body", [None, b"{not json"])
def test_a_question_whose_answer_is_no_longer_stored_can_be_asked_again(
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
    [told] = worker.clients.inbox["c2"]
    assert (told["code"], told["retryable"], worker.running_question_count) == ("QUERY_FAILED", True, 0)
    assert worker.ask("c2")
    worker.script_answer(TEXT)
    assert worker.invoke() is AnswerOutcome.ANSWERED


def test_a_client_on_another_connection_gets_the_rest_from_its_number(worker: WorkerHarness) -> None:
    worker.ask()

    def moves() -> None:
        worker.clients.gone.add("c1")
        assert not worker.ask("c2", resume_from=1)

    worker.script_answer(TEXT, MORE_TEXT, moves, TEXT, MORE_TEXT)
    assert worker.invoke() is AnswerOutcome.ANSWERED
    assert (worker.clients.piece_numbers("c1"), worker.clients.piece_numbers("c2")) == ([0, 1], [1, 2, 3])
    assert len(worker.sent_messages("answered", "c2")) == 1


@pytest.mark.parametrize("gone", [False, True])
def test_a_new_listener_is_found_within_two_seconds(worker: WorkerHarness, *, gone: bool) -> None:
    worker.ask()
    if gone:
        worker.clients.gone.add("c1")
    worker.script_answer(
        TEXT, lambda: worker.ask("c2"), worker.delay_step(1_999), MORE_TEXT, worker.delay_step(1), TEXT, MORE_TEXT
    )
    worker.invoke()
    assert (worker.clients.piece_numbers("c1"), worker.clients.piece_numbers("c2")) == (
        [] if gone else [0, 1],
        [0, 1, 2, 3],
    )
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


def test_a_client_that_reconnects_at_the_very_end_misses_nothing(worker: WorkerHarness) -> None:
    """The listener is not read between the last piece and the end. The update that ends the question returns it."""
    worker.answer_question(TEXT, MORE_TEXT, lambda: worker.ask("c2", resume_from=1))
    assert worker.clients.piece_numbers("c2") == [1]
    assert (worker.sent_messages("answered"), len(worker.sent_messages("answered", "c2"))) == ([], 1)


def test_after_the_end_another_invocation_serves_a_new_listener(worker: WorkerHarness) -> None:
    """If both invocations served it, it would receive everything twice."""
    worker.ask()
    worker.clients.failures = [AWS_ERROR]

    def comes(connection: str, _: Any) -> None:
        if connection == "c1" and worker.question.status is QuestionStatus.ANSWERED:
            worker.clients.gone.add("c1")
            worker.clients.after_post = lambda *_: None
            assert worker.ask("c2")

    worker.clients.after_post = comes
    worker.script_answer(TEXT, MORE_TEXT)
    worker.invoke()
    assert worker.clients.piece_numbers("c2") == []
    worker.invoke()
    assert worker.clients.piece_numbers("c2") == [0, 1]


@pytest.mark.parametrize(("resume_from", "heard"), [(0, [1, 0, 1, 2]), (1, [1, 1, 2])])
def test_a_client_that_asks_again_on_the_same_connection_gets_the_pieces_again(
    worker: WorkerHarness, resume_from: int, heard: list[int]
) -> None:
    worker.ask(resume_from=1)
    worker.script_answer(TEXT, MORE_TEXT, lambda: worker.ask(resume_from=resume_from), worker.delay_step(2_000), TEXT)
    worker.invoke()
    assert worker.clients.piece_numbers("c1") == heard


def test_a_client_with_pieces_of_a_failed_attempt_gets_all_of_the_next_one(worker: WorkerHarness) -> None:
    """Otherwise, the beginning of one answer would be continued with the end of another."""
    worker.answer_question(TEXT, TEXT, ANSWER_BROKEN_OFF)
    worker.ask("c2", resume_from=2, attempt=1)
    worker.script_answer(MORE_TEXT, TEXT, AUDIO)
    worker.invoke()
    assert worker.clients.attempts_and_numbers("c2") == [(2, 0), (2, 1), (2, 2)]
    worker.ask("c3", resume_from=1, attempt=1)
    worker.invoke()
    assert worker.clients.attempts_and_numbers("c3") == [(2, 0), (2, 1), (2, 2)], "also of the stored answer"
    worker.ask("c4", resume_from=1, attempt=2)
    worker.invoke()
    assert worker.clients.attempts_and_numbers("c4") == [(2, 1), (2, 2)]
    assert [worker.sent_messages("answered", connection)[0]["attempt"] for connection in ("c2", "c3", "c4")] == [
        2,
        2,
        2,
    ]


def test_pieces_of_a_replaced_invocation_are_never_sent(worker: WorkerHarness) -> None:
    def overtaken() -> None:
        worker.clock.now_ms += REMAINING_MS
        worker.script_answer(MORE_TEXT, AUDIO)
        worker.invoke()

    assert worker.answer_question(TEXT, overtaken, TEXT, AUDIO, TEXT) is AnswerOutcome.NO_LONGER_RUNNING
    assert worker.clients.attempts_and_numbers("c1") == [(1, 0), (2, 0), (2, 1)]
    worker.ask("c2", resume_from=1, attempt=1)
    worker.invoke()
    worker.ask("c3", resume_from=1, attempt=2)
    worker.invoke()
    assert (worker.clients.attempts_and_numbers("c2"), worker.clients.attempts_and_numbers("c3")) == (
        [(2, 0), (2, 1)],
        [(2, 1)],
    )
    first, *later = [worker.sent_messages("answered", connection)[0] for connection in ("c1", "c2", "c3")]
    assert (first["attempt"], first["pieces"]) == (2, 2)
    for message in later:
        assert {**message, "audioUrl": ""} == {**first, "audioUrl": ""}
        assert urlsplit(message["audioUrl"]).path == urlsplit(first["audioUrl"]).path
    key = unquote(urlsplit(first["audioUrl"]).path).removeprefix("/").removeprefix(f"{BUCKET}/")
    assert worker.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == AUDIO.audio


def test_an_answer_of_a_replaced_invocation_is_not_in_the_conversation(worker: WorkerHarness) -> None:
    """The replaced invocation ends before its successor."""

    def overtaken() -> None:
        worker.clock.now_ms += REMAINING_MS
        begun, mine = worker.question.begin(worker.clock.now_ms, worker.clock.now_ms + REMAINING_MS, "second")
        assert mine
        worker.items.change(QuestionRecord, query_key(GUEST_ID, QUERY_ID), lambda _: (begun, None))

    assert worker.answer_question(TEXT, overtaken, MORE_TEXT) is AnswerOutcome.NO_LONGER_RUNNING
    assert worker.turns == []

"""Reconnected listeners: a client that asks again, on another connection or much later, receives the rest of the
answer."""

import json
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from handlers.voice_qa.query_worker.handler import AnsweringFailed
from handlers.voice_qa.query_worker.question_answering import AnswerOutcome
from handlers.voice_qa.table_records import QuestionRecord, QuestionStatus, query_key
from tests.handlers.voice_qa.query_worker.worker_harness import (
    BROKE,
    ERROR,
    HELLO,
    IDENTITY,
    QUERY,
    REMAINING_MS,
    SOUND,
    WORLD,
    WorkerHarness,
)
from tests.handlers.voice_qa.validate_lecture.lecture_harness import BUCKET

TEXT = {"type": "text", "queryId": QUERY, "attempt": 1, "number": 0, "text": "x"}
OTHERS = json.dumps(TEXT | {"queryId": "other-query"}).encode()
MIXED = f"{json.dumps(TEXT)}\n{json.dumps(TEXT | {'attempt': 2, 'number': 1})}".encode()


def test_a_stored_answer_is_sent_again_from_a_number(worker_harness: WorkerHarness) -> None:
    worker_harness.answer_question(HELLO, SOUND, WORLD)
    assert worker_harness.ask("c2", resume_from=1)
    assert worker_harness.call() is AnswerOutcome.REPLAYED
    assert worker_harness.clients.inbox["c2"][:-1] == worker_harness.clients.inbox["c1"][1:3]
    [answered] = worker_harness.sent_messages("answered", "c2")
    assert (answered["pieces"], ".ogg" in answered["audioUrl"]) == (3, True)
    assert (len(worker_harness.agent.asked), worker_harness.counted) == (1, 0)


@pytest.mark.parametrize("body", [None, b"{not json", OTHERS, MIXED])
def test_a_question_whose_answer_is_no_longer_stored_can_be_asked_again(
    worker_harness: WorkerHarness, body: bytes | None
) -> None:
    worker_harness.answer_question(HELLO)
    key = f"responses/{IDENTITY}/{QUERY}.1.jsonl"
    if body is None:
        worker_harness.s3.delete_object(Bucket=BUCKET, Key=key)
    else:
        worker_harness.s3.put_object(Bucket=BUCKET, Key=key, Body=body)
    worker_harness.ask("c2")
    assert worker_harness.call() is AnswerOutcome.FAILED
    [told] = worker_harness.clients.inbox["c2"]
    assert (told["code"], told["retryable"], worker_harness.counted) == ("QUERY_FAILED", True, 0)
    assert worker_harness.ask("c2")
    worker_harness.script_answer(HELLO)
    assert worker_harness.call() is AnswerOutcome.ANSWERED


def test_a_client_on_another_connection_gets_the_rest_from_its_number(worker_harness: WorkerHarness) -> None:
    worker_harness.ask()

    def moves() -> None:
        worker_harness.clients.gone.add("c1")
        assert not worker_harness.ask("c2", resume_from=1)

    worker_harness.script_answer(HELLO, WORLD, moves, HELLO, WORLD)
    assert worker_harness.call() is AnswerOutcome.ANSWERED
    assert (worker_harness.clients.numbers("c1"), worker_harness.clients.numbers("c2")) == ([0, 1], [1, 2, 3])
    assert len(worker_harness.sent_messages("answered", "c2")) == 1


@pytest.mark.parametrize("gone", [False, True])
def test_a_new_listener_is_found_within_two_seconds(worker_harness: WorkerHarness, *, gone: bool) -> None:
    worker_harness.ask()
    if gone:
        worker_harness.clients.gone.add("c1")
    worker_harness.script_answer(
        HELLO, lambda: worker_harness.ask("c2"), worker_harness.wait(1_999), WORLD, worker_harness.wait(1), HELLO, WORLD
    )
    worker_harness.call()
    assert (worker_harness.clients.numbers("c1"), worker_harness.clients.numbers("c2")) == (
        [] if gone else [0, 1],
        [0, 1, 2, 3],
    )
    assert (worker_harness.sent_messages("answered"), len(worker_harness.sent_messages("answered", "c2"))) == ([], 1)


def test_without_a_listener_the_answer_is_completed_and_stored(worker_harness: WorkerHarness) -> None:
    worker_harness.ask()
    worker_harness.clients.gone.add("c1")
    worker_harness.script_answer(HELLO, WORLD, SOUND)
    assert worker_harness.call() is AnswerOutcome.ANSWERED
    assert worker_harness.clients.inbox == {}
    assert (worker_harness.question.status, len(worker_harness.turns), worker_harness.paused) == (
        QuestionStatus.ANSWERED,
        1,
        [],
    )
    worker_harness.ask("c2")
    worker_harness.call()
    assert worker_harness.clients.numbers("c2") == [0, 1, 2]


def test_a_client_that_reconnects_at_the_very_end_misses_nothing(worker_harness: WorkerHarness) -> None:
    """The listener is not read between the last piece and the end. The update that ends the question returns it."""
    worker_harness.answer_question(HELLO, WORLD, lambda: worker_harness.ask("c2", resume_from=1))
    assert worker_harness.clients.numbers("c2") == [1]
    assert (worker_harness.sent_messages("answered"), len(worker_harness.sent_messages("answered", "c2"))) == ([], 1)


def test_after_the_end_another_invocation_serves_a_new_listener(worker_harness: WorkerHarness) -> None:
    """If both invocations served it, it would receive everything twice."""
    worker_harness.ask()
    worker_harness.clients.failures = [ERROR]

    def comes(connection: str, _: Any) -> None:
        if connection == "c1" and worker_harness.question.status is QuestionStatus.ANSWERED:
            worker_harness.clients.gone.add("c1")
            worker_harness.clients.after = lambda *_: None
            assert worker_harness.ask("c2")

    worker_harness.clients.after = comes
    worker_harness.script_answer(HELLO, WORLD)
    worker_harness.call()
    assert worker_harness.clients.numbers("c2") == []
    worker_harness.call()
    assert worker_harness.clients.numbers("c2") == [0, 1]


@pytest.mark.parametrize(("resume_from", "heard"), [(0, [1, 0, 1, 2]), (1, [1, 1, 2])])
def test_a_client_that_asks_again_on_the_same_connection_gets_the_pieces_again(
    worker_harness: WorkerHarness, resume_from: int, heard: list[int]
) -> None:
    worker_harness.ask(resume_from=1)
    worker_harness.script_answer(
        HELLO, WORLD, lambda: worker_harness.ask(resume_from=resume_from), worker_harness.wait(2_000), HELLO
    )
    worker_harness.call()
    assert worker_harness.clients.numbers("c1") == heard


def test_a_restarted_answer_is_another_attempt(worker_harness: WorkerHarness) -> None:
    worker_harness.ask()
    worker_harness.script_answer(HELLO, ZeroDivisionError())
    with pytest.raises(AnsweringFailed):
        worker_harness.call()
    worker_harness.script_answer(WORLD, HELLO)
    worker_harness.call()
    assert worker_harness.clients.pieces("c1") == [(1, 0), (2, 0), (2, 1)]
    [answered] = worker_harness.sent_messages("answered")
    assert (answered["attempt"], answered["pieces"]) == (2, 2)
    assert {answer.attempt for answer in worker_harness.answers.get(IDENTITY, QUERY, 2)} == {2}


def test_a_client_with_pieces_of_a_failed_attempt_gets_all_of_the_next_one(worker_harness: WorkerHarness) -> None:
    """Otherwise, the beginning of one answer would be continued with the end of another."""
    worker_harness.answer_question(HELLO, HELLO, BROKE)
    worker_harness.ask("c2", resume_from=2, attempt=1)
    worker_harness.script_answer(WORLD, HELLO, SOUND)
    worker_harness.call()
    assert worker_harness.clients.pieces("c2") == [(2, 0), (2, 1), (2, 2)]
    worker_harness.ask("c3", resume_from=1, attempt=1)
    worker_harness.call()
    assert worker_harness.clients.pieces("c3") == [(2, 0), (2, 1), (2, 2)], "also of the stored answer"
    worker_harness.ask("c4", resume_from=1, attempt=2)
    worker_harness.call()
    assert worker_harness.clients.pieces("c4") == [(2, 1), (2, 2)]
    assert [
        worker_harness.sent_messages("answered", connection)[0]["attempt"] for connection in ("c2", "c3", "c4")
    ] == [2, 2, 2]


def test_pieces_of_a_replaced_invocation_are_never_sent(worker_harness: WorkerHarness) -> None:
    def overtaken() -> None:
        worker_harness.clock.now_ms += REMAINING_MS
        worker_harness.script_answer(WORLD, SOUND)
        worker_harness.call()

    assert worker_harness.answer_question(HELLO, overtaken, HELLO, SOUND, HELLO) is AnswerOutcome.OVERTAKEN
    assert worker_harness.clients.pieces("c1") == [(1, 0), (2, 0), (2, 1)]
    worker_harness.ask("c2", resume_from=1, attempt=1)
    worker_harness.call()
    worker_harness.ask("c3", resume_from=1, attempt=2)
    worker_harness.call()
    assert (worker_harness.clients.pieces("c2"), worker_harness.clients.pieces("c3")) == ([(2, 0), (2, 1)], [(2, 1)])
    first, *later = [worker_harness.sent_messages("answered", connection)[0] for connection in ("c1", "c2", "c3")]
    assert (first["attempt"], first["pieces"]) == (2, 2)
    for message in later:
        assert {**message, "audioUrl": ""} == {**first, "audioUrl": ""}
        assert urlsplit(message["audioUrl"]).path == urlsplit(first["audioUrl"]).path
    key = unquote(urlsplit(first["audioUrl"]).path).removeprefix("/").removeprefix(f"{BUCKET}/")
    assert worker_harness.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == SOUND.audio


def test_an_answer_of_a_replaced_invocation_is_not_in_the_conversation(worker_harness: WorkerHarness) -> None:
    """The replaced invocation ends before its successor."""

    def overtaken() -> None:
        worker_harness.clock.now_ms += REMAINING_MS
        begun, mine = worker_harness.question.begin(
            worker_harness.clock.now_ms, worker_harness.clock.now_ms + REMAINING_MS, "second"
        )
        assert mine
        worker_harness.items.change(QuestionRecord, query_key(IDENTITY, QUERY), lambda _: (begun, None))

    assert worker_harness.answer_question(HELLO, overtaken, WORLD) is AnswerOutcome.OVERTAKEN
    assert worker_harness.turns == []

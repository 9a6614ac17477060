"""Reconnected listeners: a client that asks again, on another connection or much later, receives the rest of the
answer."""

import json
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from handlers.voice_qa.query_worker.handler import AnsweringFailed
from handlers.voice_qa.query_worker.question_answering import AnswerOutcome
from handlers.voice_qa.table_records import QuestionRecord, QuestionStatus, query_key
from tests.handlers.voice_qa.query_worker.worker_setup import (
    BROKE,
    ERROR,
    HELLO,
    IDENTITY,
    QUERY,
    REMAINING_MS,
    SOUND,
    WORLD,
    Desk,
)
from tests.handlers.voice_qa.validate_lecture.lecture_setup import BUCKET

TEXT = {"type": "text", "queryId": QUERY, "attempt": 1, "number": 0, "text": "x"}
OTHERS = json.dumps(TEXT | {"queryId": "other-query"}).encode()
MIXED = f"{json.dumps(TEXT)}\n{json.dumps(TEXT | {'attempt': 2, 'number': 1})}".encode()


def test_a_stored_answer_is_sent_again_from_a_number(desk: Desk) -> None:
    desk.hears(HELLO, SOUND, WORLD)
    assert desk.asks("c2", resume_from=1)
    assert desk.call() is AnswerOutcome.REPLAYED
    assert desk.clients.inbox["c2"][:-1] == desk.clients.inbox["c1"][1:3]
    [answered] = desk.said("answered", "c2")
    assert (answered["pieces"], ".ogg" in answered["audioUrl"]) == (3, True)
    assert (len(desk.agent.asked), desk.counted) == (1, 0)


@pytest.mark.parametrize("body", [None, b"{not json", OTHERS, MIXED])
def test_a_question_whose_answer_is_no_longer_stored_can_be_asked_again(desk: Desk, body: bytes | None) -> None:
    desk.hears(HELLO)
    key = f"responses/{IDENTITY}/{QUERY}.1.jsonl"
    if body is None:
        desk.s3.delete_object(Bucket=BUCKET, Key=key)
    else:
        desk.s3.put_object(Bucket=BUCKET, Key=key, Body=body)
    desk.asks("c2")
    assert desk.call() is AnswerOutcome.FAILED
    [told] = desk.clients.inbox["c2"]
    assert (told["code"], told["retryable"], desk.counted) == ("QUERY_FAILED", True, 0)
    assert desk.asks("c2")
    desk.answers_with(HELLO)
    assert desk.call() is AnswerOutcome.ANSWERED


def test_a_client_on_another_connection_gets_the_rest_from_its_number(desk: Desk) -> None:
    desk.asks()

    def moves() -> None:
        desk.clients.gone.add("c1")
        assert not desk.asks("c2", resume_from=1)

    desk.answers_with(HELLO, WORLD, moves, HELLO, WORLD)
    assert desk.call() is AnswerOutcome.ANSWERED
    assert (desk.clients.numbers("c1"), desk.clients.numbers("c2")) == ([0, 1], [1, 2, 3])
    assert len(desk.said("answered", "c2")) == 1


@pytest.mark.parametrize("gone", [False, True])
def test_a_new_listener_is_found_within_two_seconds(desk: Desk, *, gone: bool) -> None:
    desk.asks()
    if gone:
        desk.clients.gone.add("c1")
    desk.answers_with(HELLO, lambda: desk.asks("c2"), desk.wait(1_999), WORLD, desk.wait(1), HELLO, WORLD)
    desk.call()
    assert (desk.clients.numbers("c1"), desk.clients.numbers("c2")) == ([] if gone else [0, 1], [0, 1, 2, 3])
    assert (desk.said("answered"), len(desk.said("answered", "c2"))) == ([], 1)


def test_without_a_listener_the_answer_is_completed_and_stored(desk: Desk) -> None:
    desk.asks()
    desk.clients.gone.add("c1")
    desk.answers_with(HELLO, WORLD, SOUND)
    assert desk.call() is AnswerOutcome.ANSWERED
    assert desk.clients.inbox == {}
    assert (desk.question.status, len(desk.turns), desk.paused) == (QuestionStatus.ANSWERED, 1, [])
    desk.asks("c2")
    desk.call()
    assert desk.clients.numbers("c2") == [0, 1, 2]


def test_a_client_that_reconnects_at_the_very_end_misses_nothing(desk: Desk) -> None:
    """The listener is not read between the last piece and the end. The update that ends the question returns it."""
    desk.hears(HELLO, WORLD, lambda: desk.asks("c2", resume_from=1))
    assert desk.clients.numbers("c2") == [1]
    assert (desk.said("answered"), len(desk.said("answered", "c2"))) == ([], 1)


def test_after_the_end_another_invocation_serves_a_new_listener(desk: Desk) -> None:
    """If both invocations served it, it would receive everything twice."""
    desk.asks()
    desk.clients.failures = [ERROR]

    def comes(connection: str, _: Any) -> None:
        if connection == "c1" and desk.question.status is QuestionStatus.ANSWERED:
            desk.clients.gone.add("c1")
            desk.clients.after = lambda *_: None
            assert desk.asks("c2")

    desk.clients.after = comes
    desk.answers_with(HELLO, WORLD)
    desk.call()
    assert desk.clients.numbers("c2") == []
    desk.call()
    assert desk.clients.numbers("c2") == [0, 1]


@pytest.mark.parametrize(("resume_from", "heard"), [(0, [1, 0, 1, 2]), (1, [1, 1, 2])])
def test_a_client_that_asks_again_on_the_same_connection_gets_the_pieces_again(
    desk: Desk, resume_from: int, heard: list[int]
) -> None:
    desk.asks(resume_from=1)
    desk.answers_with(HELLO, WORLD, lambda: desk.asks(resume_from=resume_from), desk.wait(2_000), HELLO)
    desk.call()
    assert desk.clients.numbers("c1") == heard


def test_a_restarted_answer_is_another_attempt(desk: Desk) -> None:
    desk.asks()
    desk.answers_with(HELLO, ZeroDivisionError())
    with pytest.raises(AnsweringFailed):
        desk.call()
    desk.answers_with(WORLD, HELLO)
    desk.call()
    assert desk.clients.pieces("c1") == [(1, 0), (2, 0), (2, 1)]
    [answered] = desk.said("answered")
    assert (answered["attempt"], answered["pieces"]) == (2, 2)
    assert {one.attempt for one in desk.answers.get(IDENTITY, QUERY, 2)} == {2}


def test_a_client_with_pieces_of_a_failed_attempt_gets_all_of_the_next_one(desk: Desk) -> None:
    """Otherwise, the beginning of one answer would be continued with the end of another."""
    desk.hears(HELLO, HELLO, BROKE)
    desk.asks("c2", resume_from=2, attempt=1)
    desk.answers_with(WORLD, HELLO, SOUND)
    desk.call()
    assert desk.clients.pieces("c2") == [(2, 0), (2, 1), (2, 2)]
    desk.asks("c3", resume_from=1, attempt=1)
    desk.call()
    assert desk.clients.pieces("c3") == [(2, 0), (2, 1), (2, 2)], "also of the stored answer"
    desk.asks("c4", resume_from=1, attempt=2)
    desk.call()
    assert desk.clients.pieces("c4") == [(2, 1), (2, 2)]
    assert [desk.said("answered", one)[0]["attempt"] for one in ("c2", "c3", "c4")] == [2, 2, 2]


def test_pieces_of_a_replaced_invocation_are_never_sent(desk: Desk) -> None:
    def overtaken() -> None:
        desk.clock.now_ms += REMAINING_MS
        desk.answers_with(WORLD, SOUND)
        desk.call()

    assert desk.hears(HELLO, overtaken, HELLO, SOUND, HELLO) is AnswerOutcome.OVERTAKEN
    assert desk.clients.pieces("c1") == [(1, 0), (2, 0), (2, 1)]
    desk.asks("c2", resume_from=1, attempt=1)
    desk.call()
    desk.asks("c3", resume_from=1, attempt=2)
    desk.call()
    assert (desk.clients.pieces("c2"), desk.clients.pieces("c3")) == ([(2, 0), (2, 1)], [(2, 1)])
    first, *later = [desk.said("answered", one)[0] for one in ("c1", "c2", "c3")]
    assert (first["attempt"], first["pieces"]) == (2, 2)
    for one in later:
        assert {**one, "audioUrl": ""} == {**first, "audioUrl": ""}
        assert urlsplit(one["audioUrl"]).path == urlsplit(first["audioUrl"]).path
    key = unquote(urlsplit(first["audioUrl"]).path).removeprefix("/").removeprefix(f"{BUCKET}/")
    assert desk.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == SOUND.audio


def test_an_answer_of_a_replaced_invocation_is_not_in_the_conversation(desk: Desk) -> None:
    """The replaced invocation ends before the one that replaced it."""

    def overtaken() -> None:
        desk.clock.now_ms += REMAINING_MS
        begun, mine = desk.question.begin(desk.clock.now_ms, desk.clock.now_ms + REMAINING_MS, "second")
        assert mine
        desk.items.change(QuestionRecord, query_key(IDENTITY, QUERY), lambda _: (begun, None))

    assert desk.hears(HELLO, overtaken, WORLD) is AnswerOutcome.OVERTAKEN
    assert desk.turns == []

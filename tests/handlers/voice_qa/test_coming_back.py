"""Whoever comes back to a question, on another connection or long after, hears the rest of its answer."""

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


def test_a_kept_answer_is_said_again_from_a_number(desk: Desk) -> None:
    desk.hears(HELLO, SOUND, WORLD)
    assert desk.asks("c2", resume_from=1)
    assert desk.call() is AnswerOutcome.REPLAYED
    assert desk.clients.inbox["c2"][:-1] == desk.clients.inbox["c1"][1:3]
    [answered] = desk.said("answered", "c2")
    assert (answered["pieces"], ".ogg" in answered["audioUrl"]) == (3, True)
    assert (len(desk.agent.asked), desk.counted) == (1, 0)


@pytest.mark.parametrize("body", [None, b"{not json", OTHERS, MIXED])
def test_an_answer_that_is_not_kept_any_more_can_be_asked_for_anew(desk: Desk, body: bytes | None) -> None:
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


def test_whoever_comes_back_on_another_connection_hears_the_rest_from_his_number(desk: Desk) -> None:
    desk.asks()

    def moves() -> None:
        desk.clients.gone.add("c1")
        assert not desk.asks("c2", resume_from=1)

    desk.answers_with(HELLO, WORLD, moves, HELLO, WORLD)
    assert desk.call() is AnswerOutcome.ANSWERED
    assert (desk.clients.numbers("c1"), desk.clients.numbers("c2")) == ([0, 1], [1, 2, 3])
    assert len(desk.said("answered", "c2")) == 1


@pytest.mark.parametrize("gone", [False, True])
def test_whoever_comes_back_is_found_within_two_seconds_whether_the_old_connection_still_stands_or_not(
    desk: Desk, *, gone: bool
) -> None:
    desk.asks()
    if gone:
        desk.clients.gone.add("c1")
    desk.answers_with(HELLO, lambda: desk.asks("c2"), desk.wait(1_999), WORLD, desk.wait(1), HELLO, WORLD)
    desk.call()
    assert (desk.clients.numbers("c1"), desk.clients.numbers("c2")) == ([] if gone else [0, 1], [0, 1, 2, 3])
    assert (desk.said("answered"), len(desk.said("answered", "c2"))) == ([], 1)


def test_where_nobody_listens_the_answer_is_finished_and_kept(desk: Desk) -> None:
    desk.asks()
    desk.clients.gone.add("c1")
    desk.answers_with(HELLO, WORLD, SOUND)
    assert desk.call() is AnswerOutcome.ANSWERED
    assert desk.clients.inbox == {}
    assert (desk.question.status, len(desk.turns), desk.paused) == (QuestionStatus.ANSWERED, 1, [])
    desk.asks("c2")
    desk.call()
    assert desk.clients.numbers("c2") == [0, 1, 2]


def test_whoever_comes_back_at_the_very_end_misses_nothing(desk: Desk) -> None:
    """Nothing is looked up between the last piece and the end; the change that ends the question says who listens."""
    desk.hears(HELLO, WORLD, lambda: desk.asks("c2", resume_from=1))
    assert desk.clients.numbers("c2") == [1]
    assert (desk.said("answered"), len(desk.said("answered", "c2"))) == ([], 1)


def test_after_the_end_another_call_serves_whoever_comes(desk: Desk) -> None:
    """Followed by both calls, he would hear everything twice."""
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
def test_a_client_that_asks_again_on_the_same_connection_hears_it_again(
    desk: Desk, resume_from: int, heard: list[int]
) -> None:
    desk.asks(resume_from=1)
    desk.answers_with(HELLO, WORLD, lambda: desk.asks(resume_from=resume_from), desk.wait(2_000), HELLO)
    desk.call()
    assert desk.clients.numbers("c1") == heard


def test_an_answer_that_begins_anew_is_another_attempt(desk: Desk) -> None:
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


def test_whoever_has_pieces_of_an_attempt_that_broke_gets_all_of_the_next(desk: Desk) -> None:
    """Or the beginning of one answer would go on with the end of another."""
    desk.hears(HELLO, HELLO, BROKE)
    desk.asks("c2", resume_from=2, attempt=1)
    desk.answers_with(WORLD, HELLO, SOUND)
    desk.call()
    assert desk.clients.pieces("c2") == [(2, 0), (2, 1), (2, 2)]
    desk.asks("c3", resume_from=1, attempt=1)
    desk.call()
    assert desk.clients.pieces("c3") == [(2, 0), (2, 1), (2, 2)], "and of what is kept"
    desk.asks("c4", resume_from=1, attempt=2)
    desk.call()
    assert desk.clients.pieces("c4") == [(2, 1), (2, 2)]
    assert [desk.said("answered", one)[0]["attempt"] for one in ("c2", "c3", "c4")] == [2, 2, 2]


def test_what_a_call_says_after_it_was_taken_for_lost_nobody_hears_then_or_later(desk: Desk) -> None:
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


def test_what_nobody_heard_is_no_part_of_the_conversation(desk: Desk) -> None:
    """A call that was overtaken ends before the one that overtook it."""

    def overtaken() -> None:
        desk.clock.now_ms += REMAINING_MS
        begun, mine = desk.question.begin(desk.clock.now_ms, desk.clock.now_ms + REMAINING_MS, "second")
        assert mine
        desk.items.change(QuestionRecord, query_key(IDENTITY, QUERY), lambda _: (begun, None))

    assert desk.hears(HELLO, overtaken, WORLD) is AnswerOutcome.OVERTAKEN
    assert desk.turns == []

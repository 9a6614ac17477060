"""Forwarding of an answer: its numbered pieces go to the client that asked, and its end to the connection that asked last.

`worker.ask` asks the question, or asks it again on the same or another connection. The scripted answers contain
functions, which are called between the pieces.
"""

import json

import pytest

from handlers.voice_qa.query_worker.handler import MAX_LAST_POSTS, AnswerOutcome
from tests.handlers.voice_qa.query_worker.worker_harness import (
    AUDIO,
    AUDIO_BYTES,
    AWS_ERROR,
    MORE_TEXT,
    TEXT,
    WorkerHarness,
)
from tests.handlers.voice_qa.validate_lecture.lecture_harness import BUCKET


def stored_answer(worker: WorkerHarness) -> tuple[list[str], bytes]:
    """Return the types of the stored pieces, and the spoken answer."""
    question = worker.question
    pieces, spoken = (
        worker.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        for key in (question.pieces_key, question.spoken_key)
    )
    return [json.loads(line)["type"] for line in pieces.splitlines()], spoken


def test_a_client_that_reconnects_is_told_when_the_complete_answer_is_stored(worker: WorkerHarness) -> None:
    def reconnect() -> None:
        worker.clients.gone.add("c1")
        assert not worker.ask("c2"), "the running worker tells the client"

    assert worker.answer_question(TEXT, reconnect, AUDIO, MORE_TEXT) is AnswerOutcome.ANSWERED
    assert (worker.clients.piece_numbers("c1"), worker.sent_messages("answered")) == ([0], [])
    [answered] = worker.clients.inbox["c2"]
    assert (answered["type"], answered["pieces"]) == ("answered", 3)
    assert stored_answer(worker) == (["text", "audio", "text"], AUDIO_BYTES)
    assert not worker.ask("c2"), "the stored answer needs no worker"
    assert len(worker.agent.questions) == 1, "the agent is asked once"


def test_without_a_connected_client_the_answer_is_completed_and_stored(
    worker: WorkerHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    worker.ask()
    worker.clients.gone.add("c1")
    assert worker.invoke(TEXT, AUDIO) is AnswerOutcome.ANSWERED
    worker.check_time_limit()
    assert worker.log_lines(capsys.readouterr().out, "query_overdue") == [], "a client may leave without an alarm"
    assert (worker.clients.inbox, len(worker.turns)) == ({}, 1)
    assert stored_answer(worker) == (["text", "audio"], AUDIO_BYTES)


def test_a_piece_that_cannot_be_posted_does_not_delay_the_others(worker: WorkerHarness) -> None:
    worker.ask()
    worker.clients.failures = [AWS_ERROR]
    assert worker.invoke(AUDIO, MORE_TEXT) is AnswerOutcome.ANSWERED
    assert worker.clients.piece_numbers("c1") == [1]
    assert worker.sent_messages("answered")[0]["pieces"] == 2, "so the client knows that a piece is missing"
    assert stored_answer(worker)[0] == ["audio", "text"]


@pytest.mark.parametrize("count", [MAX_LAST_POSTS - 1, MAX_LAST_POSTS])
def test_an_end_that_cannot_be_posted_is_reported_by_the_time_limit_check(worker: WorkerHarness, count: int) -> None:
    worker.ask()
    worker.clients.failures = [AWS_ERROR] * (1 + count)
    assert worker.invoke(TEXT) is AnswerOutcome.ANSWERED
    worker.check_time_limit()
    is_posted = count < MAX_LAST_POSTS
    [end] = worker.clients.inbox["c1"]
    assert (end["type"], end.get("retryable")) == (("answered", None) if is_posted else ("error", True))

"""How long an answer is waited for: by a body that gives what a test says, at the time that it says."""

from collections.abc import Iterable, Iterator
from itertools import repeat

import pytest

from handlers.voice_qa.query_worker.agent.agent_protocol import AnswerReader
from handlers.voice_qa.query_worker.agent.agent_types import (
    AgentAnswer,
    AgentCode,
    AgentFailed,
    AgentPiece,
    AgentTextPiece,
)
from handlers.voice_qa.query_worker.agent.http_connection import HttpExchange
from handlers.voice_qa.query_worker.agent.streamed_answer import AnswerLimits, StreamedAnswer
from tests.handlers.voice_qa.query_worker.agent.agent_servers import DONE, DURATION_MS, Clock, line, text

WAITING = line({"type": "waiting"})


class Body(HttpExchange):
    """Gives each part so many seconds after the one before."""

    def __init__(self, clock: Clock, step: float, parts: Iterable[bytes]) -> None:
        self.closed = 0
        self._clock = clock
        self._step = step
        self._parts: Iterator[bytes] = iter(parts)

    def read(self, deadline: float) -> bytes:
        if self._clock.at + self._step > deadline:
            self._clock.at = deadline
            raise TimeoutError
        self._clock.at += self._step
        return next(self._parts, b"")

    def close(self) -> None:
        self.closed += 1


def streamed(body: Body, clock: Clock, limits: AnswerLimits | None = None, begun: bytes = b"") -> AgentAnswer:
    reader = AnswerReader(DURATION_MS)
    return StreamedAnswer(body, begun, reader=reader, limits=limits or AnswerLimits(), asked_at=clock.at, now=clock.now)


def failure(step: float, parts: Iterable[bytes], begun: bytes = b"") -> tuple[AgentCode, float]:
    """How it failed, and after how long."""
    clock = Clock()
    body = Body(clock, step, parts)
    with pytest.raises(AgentFailed) as failed:
        list(streamed(body, clock, begun=begun))
    assert body.closed
    return failed.value.code, clock.at - Clock().at


def test_a_line_that_trickles_is_silence() -> None:
    letters = [bytes([byte]) for byte in line(text("a")) + line(DONE)]
    assert failure(2, letters) == (AgentCode.TOO_SLOW, 20)


def test_each_line_breaks_the_silence() -> None:
    clock = Clock()
    with streamed(Body(clock, 19, [WAITING, line(text("a")), line(DONE)]), clock) as found:
        assert list(found) == [AgentTextPiece("a")]


def test_signs_of_life_do_not_go_on_for_ever() -> None:
    assert failure(7, repeat(WAITING, 1000)) == (AgentCode.TOO_SLOW, 600)


def test_the_callers_time_is_no_silence_but_counts_for_the_whole() -> None:
    clock = Clock()
    pieces: list[AgentPiece] = []
    answer = streamed(Body(clock, 15, [line(text("b")), line(DONE)]), clock, begun=line(text("a")))
    for piece in answer:
        pieces.append(piece)
        clock.at += 100
    assert pieces == [AgentTextPiece("a"), AgentTextPiece("b")]


def test_a_whole_answer_lets_go_at_once() -> None:
    clock = Clock()
    body = Body(clock, 1, [])
    answer = streamed(body, clock, begun=line(text("a")) + line(DONE))
    assert list(answer) == [AgentTextPiece("a")]
    assert body.closed
    assert clock.at == Clock().at


def test_an_answer_that_nobody_listens_to_any_more_says_nothing() -> None:
    clock = Clock()
    body = Body(clock, 1, [line(text("b"))])
    with streamed(body, clock, begun=line(text("a"))) as answer:
        assert next(iter(answer)) == AgentTextPiece("a")
    assert body.closed
    assert list(answer) == []

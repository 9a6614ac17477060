"""Time limits of an answer, with a scripted response."""

from collections.abc import Iterable, Iterator
from itertools import repeat

import pytest

from handlers.voice_qa.query_worker.agent.agent_call import AnswerLimits, StreamedAnswer
from handlers.voice_qa.query_worker.agent.agent_protocol import AnswerReader
from handlers.voice_qa.query_worker.agent.agent_types import (
    AgentAnswer,
    AgentCode,
    AgentFailed,
    AgentPiece,
    AgentTextPiece,
)
from handlers.voice_qa.query_worker.agent.http_connection import HttpExchange
from tests.handlers.voice_qa.query_worker.agent.agent_servers import DONE, DURATION_MS, Clock, line, text

WAITING = line({"type": "waiting"})


class Body(HttpExchange):
    """Body that returns each part some seconds after the previous one."""

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


def create_answer(body: Body, clock: Clock, begun: bytes = b"") -> AgentAnswer:
    reader = AnswerReader(DURATION_MS)
    return StreamedAnswer(body, begun, reader=reader, limits=AnswerLimits(), asked_at=clock.at, now=clock.now)


def failure(step: float, parts: Iterable[bytes]) -> tuple[AgentCode, float]:
    """Return the failure and its time."""
    clock = Clock()
    body = Body(clock, step, parts)
    with pytest.raises(AgentFailed) as failed:
        list(create_answer(body, clock))
    assert body.closed
    return failed.value.code, clock.at - Clock().at


def test_a_line_that_arrives_slowly_counts_as_silence() -> None:
    letters = [bytes([byte]) for byte in line(text("a")) + line(DONE)]
    assert failure(2, letters) == (AgentCode.TOO_SLOW, 20)


def test_each_line_restarts_the_silence_limit() -> None:
    clock = Clock()
    with create_answer(Body(clock, 19, [WAITING, line(text("a")), line(DONE)]), clock) as found:
        assert list(found) == [AgentTextPiece("a")]


def test_empty_lines_do_not_extend_the_answer_limit() -> None:
    assert failure(7, repeat(WAITING, 1000)) == (AgentCode.TOO_SLOW, 600)


def test_the_callers_time_is_not_silence_but_counts_for_the_whole_answer() -> None:
    clock = Clock()
    pieces: list[AgentPiece] = []
    answer = create_answer(Body(clock, 15, [line(text("b")), line(DONE)]), clock, begun=line(text("a")))
    for piece in answer:
        pieces.append(piece)
        clock.at += 100
    assert pieces == [AgentTextPiece("a"), AgentTextPiece("b")]


def test_a_complete_answer_closes_its_connection_at_once() -> None:
    clock = Clock()
    body = Body(clock, 1, [])
    answer = create_answer(body, clock, begun=line(text("a")) + line(DONE))
    assert list(answer) == [AgentTextPiece("a")]
    assert body.closed
    assert clock.at == Clock().at


def test_a_closed_answer_yields_nothing() -> None:
    clock = Clock()
    body = Body(clock, 1, [line(text("b"))])
    with create_answer(body, clock, begun=line(text("a"))) as answer:
        assert next(iter(answer)) == AgentTextPiece("a")
    assert body.closed
    assert list(answer) == []

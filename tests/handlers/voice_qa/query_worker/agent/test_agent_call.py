"""Time limits of an answer that the agent streams, with a fake response body and a manual clock.

The agent, an external service, sends each piece of its answer as a line of JSON. By default, an answer fails after 20
seconds without a complete line (silence), and after 600 seconds in total.
"""

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
from tests.handlers.voice_qa.query_worker.agent.agent_servers import DONE, DURATION_MS, Clock, json_lines, text_message

LINE_A, LINE_B = json_lines(text_message("a")), json_lines(text_message("b"))
LAST_LINE = json_lines(DONE)
LINE_WITHOUT_PIECE = json_lines({"type": "waiting"})


class SlowBody(HttpExchange):
    """Response body that returns each part some seconds after the previous one."""

    def __init__(self, clock: Clock, seconds_per_part: float, parts: Iterable[bytes]) -> None:
        self.is_closed = False
        self._clock = clock
        self._seconds_per_part = seconds_per_part
        self._parts: Iterator[bytes] = iter(parts)

    def read(self, deadline: float) -> bytes:
        if self._clock.seconds + self._seconds_per_part > deadline:
            self._clock.seconds = deadline
            raise TimeoutError
        self._clock.seconds += self._seconds_per_part
        return next(self._parts, b"")

    def close(self) -> None:
        self.is_closed = True


def create_answer(body: SlowBody, clock: Clock, first_bytes: bytes = b"") -> AgentAnswer:
    reader, limits = AnswerReader(DURATION_MS), AnswerLimits()
    return StreamedAnswer(body, first_bytes, reader=reader, limits=limits, asked_at=clock.seconds, now=clock.now)


def failure_and_seconds(seconds_per_part: float, parts: Iterable[bytes]) -> tuple[AgentCode, float]:
    """Return the failure of an answer, and the seconds after which it failed."""
    clock = Clock()
    body = SlowBody(clock, seconds_per_part, parts)
    with pytest.raises(AgentFailed) as failed:
        list(create_answer(body, clock))
    assert body.is_closed
    return failed.value.code, clock.seconds - Clock().seconds


def test_the_bytes_of_an_incomplete_line_do_not_end_the_silence() -> None:
    single_bytes = [bytes([byte]) for byte in LINE_A + LAST_LINE]
    assert failure_and_seconds(2, single_bytes) == (AgentCode.TOO_SLOW, 20)


def test_each_complete_line_restarts_the_limit_of_silence() -> None:
    clock = Clock()
    with create_answer(SlowBody(clock, 19, [LINE_WITHOUT_PIECE, LINE_A, LAST_LINE]), clock) as answer:
        assert list(answer) == [AgentTextPiece("a")]


def test_lines_without_pieces_do_not_extend_the_limit_of_the_whole_answer() -> None:
    assert failure_and_seconds(7, repeat(LINE_WITHOUT_PIECE, 1000)) == (AgentCode.TOO_SLOW, 600)


def test_the_time_that_the_caller_needs_for_a_piece_does_not_count_as_silence() -> None:
    clock = Clock()
    pieces: list[AgentPiece] = []
    answer = create_answer(SlowBody(clock, 15, [LINE_B, LAST_LINE]), clock, first_bytes=LINE_A)
    for piece in answer:
        pieces.append(piece)
        clock.seconds += 100
    assert pieces == [AgentTextPiece("a"), AgentTextPiece("b")]


def test_a_complete_answer_closes_its_connection_at_once() -> None:
    clock = Clock()
    body = SlowBody(clock, 1, [])
    answer = create_answer(body, clock, first_bytes=LINE_A + LAST_LINE)
    assert list(answer) == [AgentTextPiece("a")]
    assert body.is_closed
    assert clock.seconds == Clock().seconds


def test_a_closed_answer_yields_nothing() -> None:
    clock = Clock()
    body = SlowBody(clock, 1, [LINE_B])
    with create_answer(body, clock, first_bytes=LINE_A) as answer:
        assert next(iter(answer)) == AgentTextPiece("a")
    assert body.is_closed
    assert list(answer) == []

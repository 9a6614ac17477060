"""Retries of a question to the agent, the external service that answers questions.

A question is sent again only before the first byte of an answer has arrived, which must happen within 10 seconds.
"""

import socket

import pytest

from handlers.voice_qa.query_worker.agent.agent_call import MAX_TRIES
from handlers.voice_qa.query_worker.agent.agent_types import AgentCode
from tests.handlers.voice_qa.query_worker.agent.agent_servers import (
    SHORT_ANSWER,
    SHORT_ANSWER_PIECES,
    Clock,
    agent_failure,
    ask_agent,
    response_headers,
    run_server,
    send_bytes,
    send_status,
    unused_port,
)


@pytest.mark.parametrize("code", [502, 503, 504, 429])
def test_a_transient_failure_is_retried(clock: Clock, code: int) -> None:
    with run_server(send_status(code), send_status(code), SHORT_ANSWER) as server:
        assert ask_agent(server.endpoint, clock) == SHORT_ANSWER_PIECES
        assert len(server.requests) == 3
    assert clock.waits == [0.1, 0.2]


def test_a_connection_that_closes_before_the_first_byte_of_the_answer_is_retried(clock: Clock) -> None:
    with run_server(
        send_bytes(),
        send_bytes(b"HTTP/1.1 200 OK\r\n"),
        send_bytes(response_headers()),
        send_bytes(response_headers("Content-Length: 9")),
        SHORT_ANSWER,
    ) as server:
        assert agent_failure(server.endpoint, clock).code is AgentCode.UNAVAILABLE
        assert len(server.requests) == MAX_TRIES
        assert ask_agent(server.endpoint, clock) == SHORT_ANSWER_PIECES


def test_an_unreachable_agent_is_retried_a_limited_number_of_times(clock: Clock) -> None:
    failure = agent_failure(f"http://127.0.0.1:{unused_port()}", clock)
    assert (failure.code, failure.retryable) == (AgentCode.UNAVAILABLE, True)
    assert clock.waits == [0.1, 0.2, 0.4]


@pytest.mark.parametrize(("random_share", "waits"), [(0.0, [0, 0, 0]), (1.0, [0.2, 0.4, 0.8])])
def test_pauses_grow_and_are_random(clock: Clock, random_share: float, waits: list[float]) -> None:
    clock.random_share = random_share
    with run_server(*[send_status(503)] * MAX_TRIES) as server:
        assert agent_failure(server.endpoint, clock).code is AgentCode.UNAVAILABLE
    assert clock.waits == waits


@pytest.mark.parametrize(
    ("retry_after", "pause"),
    [
        ("3", 3.1),
        *((ignored, 0.1) for ignored in ("", "-1", "Fri, 20 Nov 2026 10:00:00 GMT", "1.5", "9999999", "²")),
    ],
)
def test_seconds_in_retry_after_extend_the_pause(clock: Clock, retry_after: str, pause: float) -> None:
    with run_server(send_status(429, Retry_After=retry_after), SHORT_ANSWER) as server:
        assert ask_agent(server.endpoint, clock) == SHORT_ANSWER_PIECES
    assert clock.waits == [pause]


def test_a_retry_after_beyond_the_time_limit_fails_the_call_at_once(clock: Clock) -> None:
    with run_server(send_status(429, Retry_After="11")) as server:
        failure = agent_failure(server.endpoint, clock)
    assert (failure.code, failure.retryable) == (AgentCode.THROTTLED, True)
    assert clock.waits == []


def test_the_time_limit_for_the_first_byte_includes_all_tries_and_pauses(clock: Clock) -> None:
    def fail_after_nearly_five_seconds(connection: socket.socket) -> None:
        clock.seconds += 4.9
        send_status(503)(connection)

    with run_server(fail_after_nearly_five_seconds, fail_after_nearly_five_seconds) as server:
        assert agent_failure(server.endpoint, clock).code is AgentCode.UNAVAILABLE
        assert len(server.requests) == 2
    assert clock.waits == [0.1]


@pytest.mark.parametrize(
    ("status", "expected", "retryable"),
    [
        (204, AgentCode.MALFORMED, False),
        *((status, AgentCode.NO_ACCESS, False) for status in (301, 307, 401, 403, 404, 405, 407)),
        *((status, AgentCode.QUESTION_REJECTED, False) for status in (400, 413, 422)),
        *((status, AgentCode.FAILED, True) for status in (500, 501)),
    ],
)
def test_other_statuses_are_not_retried(clock: Clock, status: int, expected: AgentCode, retryable: bool) -> None:
    with run_server(send_status(status, Location="http://127.0.0.1:1/")) as server:
        failure = agent_failure(server.endpoint, clock)
    assert (failure.code, failure.retryable) == (expected, retryable)
    assert clock.waits == []

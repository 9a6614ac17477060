"""Retries before an answer starts: which failures are retried, and when."""

import socket

import pytest

from handlers.voice_qa.query_worker.agent.agent_call import MAX_TRIES
from handlers.voice_qa.query_worker.agent.agent_types import AgentCode, AgentFailed
from tests.handlers.voice_qa.query_worker.agent.agent_servers import (
    HELLO,
    SHORT,
    Clock,
    ask,
    failure,
    head,
    peer,
    raw,
    status,
    unused_port,
)


@pytest.mark.parametrize("code", [502, 503, 504, 429])
def test_a_transient_failure_is_retried(clock: Clock, code: int) -> None:
    with peer(status(code), status(code), SHORT) as serving:
        assert ask(serving.endpoint, clock) == HELLO
        assert len(serving.requests) == 3
    assert clock.waits == [0.1, 0.2]


def test_a_connection_that_closes_before_the_first_byte_is_retried(clock: Clock) -> None:
    with peer(raw(), raw(b"HTTP/1.1 200 OK\r\n"), raw(head()), raw(head("Content-Length: 9")), SHORT) as serving:
        with pytest.raises(AgentFailed) as failed:
            ask(serving.endpoint, clock)
        assert failed.value.code is AgentCode.UNAVAILABLE
        assert len(serving.requests) == MAX_TRIES
        assert ask(serving.endpoint, clock) == HELLO


def test_an_unreachable_agent_is_retried_a_limited_number_of_times(clock: Clock) -> None:
    failed = failure(f"http://127.0.0.1:{unused_port()}", clock)
    assert (failed.code, failed.retryable) == (AgentCode.UNAVAILABLE, True)
    assert clock.waits == [0.1, 0.2, 0.4]


@pytest.mark.parametrize(("share", "waits"), [(0.0, [0, 0, 0]), (1.0, [0.2, 0.4, 0.8])])
def test_pauses_grow_and_are_random(clock: Clock, share: float, waits: list[float]) -> None:
    clock.share = share
    with peer(*[status(503)] * MAX_TRIES) as serving:
        assert failure(serving.endpoint, clock).code is AgentCode.UNAVAILABLE
    assert clock.waits == waits


def test_retry_after_extends_the_pause(clock: Clock) -> None:
    with peer(status(429, Retry_After="3"), SHORT) as serving:
        assert ask(serving.endpoint, clock) == HELLO
    assert clock.waits == [3.1]


def test_a_retry_after_beyond_the_time_limit_fails_the_call_at_once(clock: Clock) -> None:
    with peer(status(429, Retry_After="11")) as serving:
        failed = failure(serving.endpoint, clock)
    assert (failed.code, failed.retryable) == (AgentCode.THROTTLED, True)
    assert clock.waits == []


@pytest.mark.parametrize("after", ["", "-1", "Fri, 20 Nov 2026 10:00:00 GMT", "1.5", "9999999", "²"])
def test_an_unreadable_retry_after_is_ignored(clock: Clock, after: str) -> None:
    with peer(status(429, Retry_After=after), SHORT) as serving:
        assert ask(serving.endpoint, clock) == HELLO
    assert clock.waits == [0.1]


def test_attempts_and_pauses_share_the_limit_for_the_first_byte(clock: Clock) -> None:
    def late(connection: socket.socket) -> None:
        clock.at += 4.9
        status(503)(connection)

    with peer(late, late) as serving:
        assert failure(serving.endpoint, clock).code is AgentCode.UNAVAILABLE
        assert len(serving.requests) == 2
    assert clock.waits == [0.1]


@pytest.mark.parametrize(
    ("code", "expected", "retryable"),
    [
        (204, AgentCode.MALFORMED, False),
        *((code, AgentCode.NO_ACCESS, False) for code in (301, 307, 401, 403, 404, 405, 407)),
        *((code, AgentCode.QUESTION_REJECTED, False) for code in (400, 413, 422)),
        *((code, AgentCode.FAILED, True) for code in (500, 501)),
    ],
)
def test_other_refusals_are_final(clock: Clock, code: int, expected: AgentCode, retryable: bool) -> None:
    with peer(status(code, Location="http://127.0.0.1:1/")) as serving:
        failed = failure(serving.endpoint, clock)
    assert (failed.code, failed.retryable) == (expected, retryable)
    assert clock.waits == []

"""Client of an HTTP agent: every kind of failure, on real sockets and with a clock that the test advances."""

import gzip
import socket
import threading
import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from handlers.voice_qa.query_worker.agent.agent_call import AnswerLimits
from handlers.voice_qa.query_worker.agent.agent_protocol import MAX_LINE, request_body
from handlers.voice_qa.query_worker.agent.agent_types import (
    AgentCode,
    AgentFailed,
    AgentPiece,
    AgentTextPiece,
    WrittenQuery,
)
from handlers.voice_qa.query_worker.agent.http_agent_client import HttpAgent
from tests.handlers.voice_qa.query_worker.agent.agent_servers import (
    CANARY,
    DONE,
    HELLO,
    QUESTION,
    SHORT,
    Clock,
    Script,
    agent,
    answer,
    ask,
    citation,
    failure,
    first_bytes,
    head,
    line,
    peer,
    raw,
    status,
    text,
    unused_port,
)


def closing(serving: Script, after: Callable[[], object]) -> Script:
    """Record actions of the peer before it closes the connection."""

    def script(connection: socket.socket) -> None:
        serving(connection)
        after()

    return script


def test_a_question_is_sent_and_answered(clock: Clock) -> None:
    with (
        peer(answer(text("Hello."), citation(0, 10**9), DONE)) as serving,
        agent(serving.endpoint + "/base/", clock).answer(QUESTION) as found,
    ):
        assert list(found) == HELLO
        assert found.dropped_citations == 1
        [(sent, body)] = serving.requests
    assert sent.startswith("POST /base/answer HTTP/1.1\r\n")
    assert f"Host: 127.0.0.1:{serving.port}\r\n" in sent
    assert "Accept-Encoding: identity\r\n" in sent
    assert "Connection: close\r\n" in sent
    assert body == request_body(QUESTION)
    assert clock.waits == []


def test_pieces_arrive_before_the_answer_is_complete(clock: Clock) -> None:
    heard = threading.Event()

    def script(connection: socket.socket) -> None:
        connection.sendall(head() + line(text("first")))
        assert heard.wait(20)
        connection.sendall(line(text("second")) + line(DONE))

    with peer(script) as serving, agent(serving.endpoint, clock).answer(QUESTION) as found:
        pieces = iter(found)
        assert next(pieces) == AgentTextPiece("first")
        heard.set()
        assert list(pieces) == [AgentTextPiece("second")]


@pytest.mark.parametrize(("behind", "pieces"), [(DONE, 2), (text("more"), 1), (text("more"), 0)])
def test_the_connection_is_closed_at_the_end_or_when_the_caller_leaves(
    clock: Clock, behind: dict[str, Any], pieces: int
) -> None:
    gone = threading.Event()

    def script(connection: socket.socket) -> None:
        connection.sendall(head() + line(text("Hello.")) + line(behind))
        assert connection.recv(1) == b""
        gone.set()

    with peer(script) as serving:
        with agent(serving.endpoint, clock).answer(QUESTION) as found:
            assert [piece for piece, _ in zip(found, range(pieces), strict=False)] == HELLO[:pieces]
        assert gone.wait(20)
        assert list(found) == []


def test_a_proxy_of_the_environment_is_not_used(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{unused_port()}")
    monkeypatch.setenv("no_proxy", "")
    with peer(SHORT) as serving:
        assert ask(serving.endpoint, clock) == HELLO


def test_a_compressed_answer_is_not_decompressed(clock: Clock) -> None:
    bomb = gzip.compress(bytes(50 * 1024 * 1024))
    with peer(raw(head("Content-Encoding: gzip"), bomb)) as serving:
        assert failure(serving.endpoint, clock).code is AgentCode.MALFORMED
    with peer(raw(head("Content-Encoding: Identity"), line(DONE))) as serving:
        assert ask(serving.endpoint, clock) == []
    with peer(raw(head(), bomb, b"\n")) as serving:
        assert failure(serving.endpoint, clock).code is AgentCode.MALFORMED


@pytest.mark.parametrize(
    "said",
    [
        CANARY.encode() + b"\r\n\r\n",
        b"HTTP/1.1 " + CANARY.encode() + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: x\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * 70_000,
    ],
)
def test_an_invalid_http_response_is_malformed(clock: Clock, said: bytes) -> None:
    with peer(raw(said)) as serving:
        assert failure(serving.endpoint, clock).code is AgentCode.MALFORMED


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\n", head()])
def test_a_silent_peer_times_out(said: bytes) -> None:
    over = threading.Event()
    with peer(closing(raw(said), lambda: over.wait(20))) as serving:
        with pytest.raises(AgentFailed) as failed:
            HttpAgent(serving.endpoint, AnswerLimits(first_byte_seconds=0.05)).answer(QUESTION)
        over.set()
    assert failed.value.code is AgentCode.FIRST_BYTE_LATE


def test_slow_headers_do_not_extend_the_timeout(clock: Clock) -> None:
    def trickle(connection: socket.socket) -> None:
        while True:
            clock.at += 1
            connection.sendall(b"H")

    with peer(trickle) as serving:
        assert failure(serving.endpoint, clock).code is AgentCode.FIRST_BYTE_LATE


def test_a_peer_that_stops_sending_is_disconnected() -> None:
    over = threading.Event()
    limits = AnswerLimits(silence_seconds=0.05)
    with peer(closing(raw(head(), line(text("first"))), lambda: over.wait(20))) as serving:
        with HttpAgent(serving.endpoint, limits).answer(QUESTION) as found, pytest.raises(AgentFailed) as failed:
            list(found)
        over.set()
    assert failed.value.code is AgentCode.TOO_SLOW


def failure_while_reading(endpoint: str, clock: Clock, each: Callable[[AgentPiece], None]) -> AgentFailed:
    """Return the failure of an answer, and call a function with each piece before it."""
    with agent(endpoint, clock).answer(QUESTION) as streamed:
        try:
            for piece in streamed:
                each(piece)
        except AgentFailed as failed:
            return failed
    pytest.fail("the answer did not fail")


def test_an_answer_of_fifteen_minutes_is_too_slow(clock: Clock) -> None:
    said = answer(*[text(f"minute {minute} ") for minute in range(15)], DONE)
    found: list[AgentPiece] = []

    def each(piece: AgentPiece) -> None:
        found.append(piece)
        clock.at += 60

    with peer(said) as serving:
        assert failure_while_reading(serving.endpoint, clock, each).code is AgentCode.TOO_SLOW
    assert len(found) == 10


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        (b"", AgentCode.BROKEN_OFF),
        (b'{"type": "te', AgentCode.BROKEN_OFF),
        (b'{"type": "done"}', AgentCode.BROKEN_OFF),
        (CANARY.encode() + b"\n", AgentCode.MALFORMED),
        (b"x" * (MAX_LINE + 1), AgentCode.TOO_MUCH),
        (line({"type": "error", "code": "throttled", "message": CANARY}), AgentCode.THROTTLED),
    ],
)
def test_nothing_is_retried_after_the_first_byte(clock: Clock, rest: bytes, expected: AgentCode) -> None:
    found: list[AgentPiece] = []
    with peer(raw(head(), line(text("first")), rest)) as serving:
        with agent(serving.endpoint, clock).answer(QUESTION) as streamed, pytest.raises(AgentFailed) as failed:
            found.extend(streamed)
        assert len(serving.requests) == 1
    assert failed.value.code is expected
    assert CANARY not in "".join(traceback.format_exception(failed.value))
    assert found == [AgentTextPiece("first")] or expected is not AgentCode.BROKEN_OFF
    assert clock.waits == []


@pytest.mark.parametrize(
    "rest", [b"", b"5\r\nab", b"5\r\nabcde\r\n", b"zz\r\n"], ids=["no chunk", "half", "no end", "no size"]
)
def test_a_body_that_stops_half_way_is_interrupted(clock: Clock, rest: bytes) -> None:
    first = line(text("first"))
    said = head("Transfer-Encoding: chunked") + b"%x\r\n%b\r\n" % (len(first), first) + rest
    with peer(raw(said)) as serving:
        assert failure(serving.endpoint, clock).code is AgentCode.BROKEN_OFF


def test_a_reset_connection_is_interrupted(clock: Clock) -> None:
    read = threading.Event()

    def script(connection: socket.socket) -> None:
        connection.sendall(head() + line(text("first")))
        assert read.wait(20)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    with peer(script) as serving:
        assert failure_while_reading(serving.endpoint, clock, lambda _: read.set()).code is AgentCode.BROKEN_OFF


def test_a_refusal_before_the_end_of_the_request_is_received(clock: Clock) -> None:
    long = replace(QUESTION, query=WrittenQuery("a" * 8 * 1024 * 1024))
    with peer(status(413), read=first_bytes) as serving:
        with pytest.raises(AgentFailed) as failed:
            agent(serving.endpoint, clock).answer(long)
        assert failed.value.code is AgentCode.QUESTION_REJECTED

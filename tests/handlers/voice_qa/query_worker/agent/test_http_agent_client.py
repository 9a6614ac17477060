"""Client of an agent, the external service that answers questions, over HTTP on real sockets.

It sends requests, reads streamed answers, and reports every kind of failure with a code.
"""

import gzip
import socket
import threading
import traceback
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
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
    QUESTION,
    SHORT_ANSWER,
    SHORT_ANSWER_PIECES,
    Clock,
    Script,
    agent_failure,
    ask_agent,
    citation_message,
    create_agent,
    json_lines,
    read_first_bytes,
    response_headers,
    run_server,
    send_answer,
    send_bytes,
    send_status,
    text_message,
    unused_port,
)


def send_and_wait(data: bytes, event: threading.Event) -> Script:
    """Return a script that sends these bytes, and closes the connection when the event is set."""

    def script(connection: socket.socket) -> None:
        connection.sendall(data)
        event.wait(20)

    return script


def test_a_question_is_sent_and_answered(clock: Clock) -> None:
    with (
        run_server(send_answer(text_message("Hello."), citation_message(0, 10**9), DONE)) as server,
        create_agent(server.endpoint + "/base/", clock).answer(QUESTION) as answer,
    ):
        assert list(answer) == SHORT_ANSWER_PIECES
        assert answer.dropped_citations == 1
        [(headers, body)] = server.requests
    assert headers.startswith("POST /base/answer HTTP/1.1\r\n")
    assert f"Host: 127.0.0.1:{server.port}\r\n" in headers
    assert "Accept-Encoding: identity\r\n" in headers
    assert "Connection: close\r\n" in headers
    assert body == request_body(QUESTION)
    assert clock.waits == []


def test_pieces_arrive_before_the_answer_is_complete(clock: Clock) -> None:
    first_piece_received = threading.Event()

    def script(connection: socket.socket) -> None:
        connection.sendall(response_headers() + json_lines(text_message("first")))
        assert first_piece_received.wait(20)
        connection.sendall(json_lines(text_message("second"), DONE))

    with run_server(script) as server, create_agent(server.endpoint, clock).answer(QUESTION) as answer:
        pieces = iter(answer)
        assert next(pieces) == AgentTextPiece("first")
        first_piece_received.set()
        assert list(pieces) == [AgentTextPiece("second")]


@pytest.mark.parametrize(
    ("second_message", "pieces_read"),
    [
        pytest.param(DONE, 2, id="complete answer"),
        pytest.param(text_message("more"), 1, id="caller stops after the first piece"),
        pytest.param(text_message("more"), 0, id="caller reads nothing"),
    ],
)
def test_the_connection_is_closed_at_the_end_of_the_answer_or_when_the_caller_stops(
    clock: Clock, second_message: dict[str, Any], pieces_read: int
) -> None:
    connection_closed = threading.Event()

    def script(connection: socket.socket) -> None:
        connection.sendall(response_headers() + json_lines(text_message("Hello."), second_message))
        assert connection.recv(1) == b""
        connection_closed.set()

    with run_server(script) as server:
        with create_agent(server.endpoint, clock).answer(QUESTION) as answer:
            assert list(islice(answer, pieces_read)) == SHORT_ANSWER_PIECES[:pieces_read]
        assert connection_closed.wait(20)
        assert list(answer) == []


def test_proxy_variables_of_the_environment_are_ignored(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{unused_port()}")
    monkeypatch.setenv("no_proxy", "")
    with run_server(SHORT_ANSWER) as server:
        assert ask_agent(server.endpoint, clock) == SHORT_ANSWER_PIECES


def test_a_compressed_answer_is_malformed_and_not_decompressed(clock: Clock) -> None:
    compressed = gzip.compress(bytes(50 * 1024 * 1024))
    with run_server(send_bytes(response_headers("Content-Encoding: gzip"), compressed)) as server:
        assert agent_failure(server.endpoint, clock).code is AgentCode.MALFORMED
    with run_server(send_bytes(response_headers("Content-Encoding: Identity"), json_lines(DONE))) as server:
        assert ask_agent(server.endpoint, clock) == []
    with run_server(send_bytes(response_headers(), compressed, b"\n")) as server:
        assert agent_failure(server.endpoint, clock).code is AgentCode.MALFORMED


@pytest.mark.parametrize(
    "response",
    [
        CANARY.encode() + b"\r\n\r\n",
        b"HTTP/1.1 " + CANARY.encode() + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: x\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * 70_000,
    ],
)
def test_an_invalid_http_response_is_malformed(clock: Clock, response: bytes) -> None:
    with run_server(send_bytes(response)) as server:
        assert agent_failure(server.endpoint, clock).code is AgentCode.MALFORMED


@pytest.mark.parametrize("data", [b"", b"HTTP/1.1 200 OK\r\n", response_headers()])
def test_a_response_without_a_first_byte_of_its_body_times_out(data: bytes) -> None:
    timed_out = threading.Event()
    with run_server(send_and_wait(data, timed_out)) as server:
        with pytest.raises(AgentFailed) as failed:
            HttpAgent(server.endpoint, AnswerLimits(first_byte_seconds=0.05)).answer(QUESTION)
        timed_out.set()
    assert failed.value.code is AgentCode.FIRST_BYTE_LATE


def test_slow_headers_do_not_extend_the_timeout(clock: Clock) -> None:
    def send_slowly(connection: socket.socket) -> None:
        while True:
            clock.seconds += 1
            connection.sendall(b"H")

    with run_server(send_slowly) as server:
        assert agent_failure(server.endpoint, clock).code is AgentCode.FIRST_BYTE_LATE


def test_an_answer_that_stops_without_its_end_times_out() -> None:
    timed_out = threading.Event()
    limits = AnswerLimits(silence_seconds=0.05)
    with run_server(send_and_wait(response_headers() + json_lines(text_message("first")), timed_out)) as server:
        with HttpAgent(server.endpoint, limits).answer(QUESTION) as answer, pytest.raises(AgentFailed) as failed:
            list(answer)
        timed_out.set()
    assert failed.value.code is AgentCode.TOO_SLOW


def failure_while_reading(endpoint: str, clock: Clock, process: Callable[[AgentPiece], None]) -> AgentFailed:
    """Ask a question whose answer fails, call a function with each earlier piece, and return the failure."""
    with create_agent(endpoint, clock).answer(QUESTION) as answer:
        try:
            for piece in answer:
                process(piece)
        except AgentFailed as failed:
            return failed
    pytest.fail("the answer did not fail")


def test_the_time_that_the_caller_needs_for_pieces_counts_towards_the_limit_of_ten_minutes(clock: Clock) -> None:
    script = send_answer(*[text_message(f"minute {minute} ") for minute in range(15)], DONE)
    pieces: list[AgentPiece] = []

    def process_for_a_minute(piece: AgentPiece) -> None:
        pieces.append(piece)
        clock.seconds += 60

    with run_server(script) as server:
        assert failure_while_reading(server.endpoint, clock, process_for_a_minute).code is AgentCode.TOO_SLOW
    assert len(pieces) == 10


@pytest.mark.parametrize(
    ("later_bytes", "expected"),
    [
        (b"", AgentCode.BROKEN_OFF),
        (b'{"type": "te', AgentCode.BROKEN_OFF),
        (b'{"type": "done"}', AgentCode.BROKEN_OFF),
        (CANARY.encode() + b"\n", AgentCode.MALFORMED),
        (b"x" * (MAX_LINE + 1), AgentCode.TOO_MUCH),
        (json_lines({"type": "error", "code": "throttled", "message": CANARY}), AgentCode.THROTTLED),
    ],
)
def test_nothing_is_retried_after_the_first_byte(clock: Clock, later_bytes: bytes, expected: AgentCode) -> None:
    pieces: list[AgentPiece] = []
    data = response_headers() + json_lines(text_message("first")) + later_bytes
    with run_server(send_bytes(data)) as server:
        with create_agent(server.endpoint, clock).answer(QUESTION) as answer, pytest.raises(AgentFailed) as failed:
            pieces.extend(answer)
        assert len(server.requests) == 1
    assert failed.value.code is expected
    assert CANARY not in "".join(traceback.format_exception(failed.value))
    assert pieces == [AgentTextPiece("first")] or expected is not AgentCode.BROKEN_OFF
    assert clock.waits == []


@pytest.mark.parametrize(
    "second_chunk",
    [b"", b"5\r\nab", b"5\r\nabcde\r\n", b"zz\r\n"],
    ids=["missing", "truncated", "no last chunk", "invalid size"],
)
def test_a_chunked_body_that_ends_before_its_last_chunk_has_broken_off(clock: Clock, second_chunk: bytes) -> None:
    line = json_lines(text_message("first"))
    first_chunk = b"%x\r\n%b\r\n" % (len(line), line)
    with run_server(send_bytes(response_headers("Transfer-Encoding: chunked"), first_chunk, second_chunk)) as server:
        assert agent_failure(server.endpoint, clock).code is AgentCode.BROKEN_OFF


def test_an_answer_whose_connection_is_reset_has_broken_off(clock: Clock) -> None:
    first_piece_received = threading.Event()

    def script(connection: socket.socket) -> None:
        connection.sendall(response_headers() + json_lines(text_message("first")))
        assert first_piece_received.wait(20)
        # With a linger time of 0, the server resets the connection when it closes it.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    with run_server(script) as server:
        failure = failure_while_reading(server.endpoint, clock, lambda _: first_piece_received.set())
    assert failure.code is AgentCode.BROKEN_OFF


def test_a_response_that_arrives_before_the_request_is_complete_is_read(clock: Clock) -> None:
    """The agent refuses a long question after it has read only the first bytes."""
    long_question = replace(QUESTION, query=WrittenQuery("a" * 8 * 1024 * 1024))
    with run_server(send_status(413), read=read_first_bytes) as server:
        with pytest.raises(AgentFailed) as failed:
            create_agent(server.endpoint, clock).answer(long_question)
        assert failed.value.code is AgentCode.QUESTION_REJECTED

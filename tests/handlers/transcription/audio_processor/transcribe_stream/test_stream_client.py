"""Tests of the client of an Amazon Transcribe stream, with peers over real sockets that misbehave.

A peer is the other end of the WebSocket connection. Each failure is reported with one of a few codes, and nothing that
the peer sends is in an exception or log line. Such texts contain the word "canary" in these tests.
"""

import contextlib
import logging
import socket
from collections.abc import Callable

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection

from handlers.transcription.audio_processor.transcribe_stream import websocket_client
from handlers.transcription.audio_processor.transcribe_stream.event_stream_frames import decode_frame, encode_frame
from handlers.transcription.audio_processor.transcribe_stream.stream_client import (
    MAX_CHUNK,
    StreamFailureCode,
    TranscribeStream,
    TranscribeStreamFailed,
)
from tests.handlers.transcription.websocket_peers import (
    TIMEOUT_SECONDS,
    answer_handshake,
    send_and_wait,
    tcp_server,
    websocket_server,
)

TRANSCRIPT_HEADERS = {":message-type": "event", ":event-type": "TranscriptEvent", ":content-type": "application/json"}
TRANSCRIPT_EVENT = encode_frame(TRANSCRIPT_HEADERS, b"{}")
UNKNOWN_EVENT = encode_frame({**TRANSCRIPT_HEADERS, ":event-type": "Other"}, b"other")


def receive_audio(connection: ServerConnection) -> list[bytes]:
    """Return the chunks of audio up to the empty chunk, with which the client ends the stream."""
    chunks: list[bytes] = []
    while not chunks or chunks[-1]:
        message = connection.recv()
        assert isinstance(message, bytes)
        chunks.append(decode_frame(message).payload)
    return chunks


def receive_all(url: str) -> None:
    with TranscribeStream.open(url, TIMEOUT_SECONDS) as stream:
        while stream.receive(TIMEOUT_SECONDS) is not None:
            pass


def failure_of(url: str) -> TranscribeStreamFailed:
    """Open a stream that only receives, and return its failure."""
    with pytest.raises(TranscribeStreamFailed) as error:
        receive_all(url)
    return error.value


@pytest.mark.parametrize(
    ("status", "code"),
    [
        *((status, StreamFailureCode.ACCESS_DENIED) for status in (400, 403, 404)),
        *((status, StreamFailureCode.THROTTLED) for status in (429, 503)),
        *((500, StreamFailureCode.INTERNAL), (302, StreamFailureCode.MALFORMED), (200, StreamFailureCode.MALFORMED)),
    ],
)
def test_each_http_status_of_a_refused_stream_has_a_failure_code(status: int, code: StreamFailureCode) -> None:
    with websocket_server(send_and_wait(), status) as url:
        assert failure_of(url).code is code


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (lambda peer: peer.sendall(b"SSH-2.0-canary\r\n\r\n"), StreamFailureCode.MALFORMED),
        (lambda peer: peer.sendall(b"HTTP/1.1 101 Yes\r\nUpgrade: canary\r\n\r\n"), StreamFailureCode.MALFORMED),
        (lambda peer: peer.shutdown(socket.SHUT_RDWR), StreamFailureCode.DROPPED),
    ],
    ids=["another protocol", "no WebSocket", "no answer"],
)
def test_a_stream_fails_if_its_peer_does_not_use_websockets(
    answer: Callable[[socket.socket], None], code: StreamFailureCode
) -> None:
    with tcp_server(answer) as url:
        assert failure_of(url).code is code
    with tcp_server(answer, reads_request=False) as url:
        # The peer answers at once. Its answer and the request can arrive in any order.
        assert failure_of(url).code in {StreamFailureCode.MALFORMED, StreamFailureCode.DROPPED}


def test_a_stream_whose_handshake_is_not_answered_fails_as_silent() -> None:
    with tcp_server(lambda _: None) as url:
        with pytest.raises(TranscribeStreamFailed) as error:
            TranscribeStream.open(url, 0.05)
        assert error.value.code is StreamFailureCode.SILENT


def test_a_stream_to_an_unreachable_peer_fails_as_dropped() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert failure_of(f"ws://127.0.0.1:{port}/").code is StreamFailureCode.DROPPED


@pytest.mark.parametrize(
    ("kind", "message", "code"),
    [
        ("BadRequestException", b"canary", StreamFailureCode.BAD_REQUEST),
        (
            "BadRequestException",
            b"timed out because no new audio was received for 15 seconds",
            StreamFailureCode.SILENT,
        ),
        ("LimitExceededException", b"canary", StreamFailureCode.THROTTLED),
        ("ServiceUnavailable", b"canary", StreamFailureCode.THROTTLED),
        ("AccessDeniedException", b"canary", StreamFailureCode.ACCESS_DENIED),
        ("CanaryException", b"canary", StreamFailureCode.INTERNAL),
    ],
)
def test_every_exception_of_the_service_has_a_failure_code(kind: str, message: bytes, code: StreamFailureCode) -> None:
    frame = encode_frame({":message-type": "exception", ":exception-type": kind}, b'{"Message": "%b"}' % message)
    with websocket_server(send_and_wait(frame)) as url:
        assert failure_of(url).code is code


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("text", StreamFailureCode.MALFORMED),
        *((b"", StreamFailureCode.MALFORMED), (TRANSCRIPT_EVENT * 2, StreamFailureCode.MALFORMED)),
        *(
            (encode_frame(headers, b"{}"), StreamFailureCode.MALFORMED)
            for headers in ({}, {":message-type": "exception"}, {":message-type": "canary"})
        ),
        (encode_frame({":message-type": "error", ":error-code": "canary"}, b""), StreamFailureCode.INTERNAL),
    ],
    ids=["text", "empty", "two frames", "no type", "exception without type", "unknown type", "error"],
)
def test_a_stream_fails_after_a_message_that_is_not_an_event(message: str | bytes, code: StreamFailureCode) -> None:
    with websocket_server(send_and_wait(message)) as url:
        assert failure_of(url).code is code


def test_a_message_that_is_too_long_counts_as_malformed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_client, "MAX_MESSAGE", len(TRANSCRIPT_EVENT) - 1)
    with websocket_server(send_and_wait(TRANSCRIPT_EVENT)) as url:
        assert failure_of(url).code is StreamFailureCode.MALFORMED


def test_events_of_unknown_types_are_ignored() -> None:
    with (
        websocket_server(send_and_wait(UNKNOWN_EVENT, UNKNOWN_EVENT, TRANSCRIPT_EVENT)) as url,
        TranscribeStream.open(url, TIMEOUT_SECONDS) as stream,
    ):
        assert stream.receive(TIMEOUT_SECONDS) == b"{}"
        assert stream.receive(0) is None
        assert not stream.ended


def test_unknown_events_do_not_extend_the_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_client, "CLOSE_SECONDS", 0.05)

    def send_unknown_events(connection: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                connection.send(UNKNOWN_EVENT)

    with websocket_server(send_unknown_events) as url, TranscribeStream.open(url, TIMEOUT_SECONDS) as stream:
        assert stream.receive(0.05) is None


@pytest.mark.parametrize(("code", "is_end"), [(1000, True), (1001, False), (1011, False)])
def test_only_the_normal_close_code_is_an_end(code: int, is_end: bool) -> None:
    def peer(connection: ServerConnection) -> None:
        receive_audio(connection)
        connection.close(code, "canary")

    with websocket_server(peer) as url, TranscribeStream.open(url, TIMEOUT_SECONDS) as stream:
        stream.end()
        if is_end:
            assert stream.receive(TIMEOUT_SECONDS) is None
            assert stream.ended
        else:
            with pytest.raises(TranscribeStreamFailed) as error:
                stream.receive(TIMEOUT_SECONDS)
            assert error.value.code is StreamFailureCode.DROPPED
            assert not stream.ended


def test_a_close_without_a_code_is_an_end() -> None:
    def close_without_code(peer: socket.socket) -> None:
        answer_handshake(peer)
        peer.recv(4096)
        peer.sendall(b"\x88\x00")

    with (
        tcp_server(close_without_code, reads_request=False) as url,
        TranscribeStream.open(url, TIMEOUT_SECONDS) as stream,
    ):
        stream.end()
        assert stream.receive(TIMEOUT_SECONDS) is None
        assert stream.ended


def test_a_stream_fails_if_the_peer_closes_it_before_the_end_of_the_audio() -> None:
    with websocket_server(lambda _: None) as url, TranscribeStream.open(url, TIMEOUT_SECONDS) as stream:
        while not stream._peer_gone:
            stream.send(b"audio")
        stream.end()
        with pytest.raises(TranscribeStreamFailed) as error:
            stream.receive(TIMEOUT_SECONDS)
        assert error.value.code is StreamFailureCode.DROPPED
        assert not stream.ended


def test_messages_that_a_peer_sent_before_it_closed_are_received_first() -> None:
    limit_exceeded = encode_frame({":message-type": "exception", ":exception-type": "LimitExceededException"}, b"{}")

    def peer(connection: ServerConnection) -> None:
        connection.send(TRANSCRIPT_EVENT)
        connection.send(limit_exceeded)

    with websocket_server(peer) as url, TranscribeStream.open(url, TIMEOUT_SECONDS) as stream:
        while not stream._peer_gone:
            stream.send(b"audio")
        assert stream.receive(0) == b"{}"
        calls: list[Callable[[], object]] = [lambda: stream.receive(0), lambda: stream.send(b"x"), stream.end]
        for call in [*calls, *calls]:
            with pytest.raises(TranscribeStreamFailed) as error:
                call()
            assert error.value.code is StreamFailureCode.THROTTLED, "each later call reports the same failure"
        assert not stream.ended


def test_audio_is_sent_in_chunks_that_the_service_accepts() -> None:
    received: list[bytes] = []
    with (
        websocket_server(lambda connection: received.extend(receive_audio(connection))) as url,
        TranscribeStream.open(url, TIMEOUT_SECONDS) as stream,
    ):
        stream.send(b"")
        stream.send(bytes(MAX_CHUNK) + b"rest")
        stream.send(b"more")
        stream.end()
        assert stream.receive(TIMEOUT_SECONDS) is None
        assert stream.ended
    assert received == [bytes(MAX_CHUNK), b"rest", b"more", b""]


def test_no_text_of_the_peer_and_no_url_is_in_an_exception_or_log_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    frame = encode_frame({":message-type": "exception", ":exception-type": "CanaryException"}, b'{"Message": "canary"}')
    for server in (
        websocket_server(send_and_wait(encode_frame(TRANSCRIPT_HEADERS, b"canary"), frame)),
        websocket_server(send_and_wait(b"canary")),
        websocket_server(send_and_wait(), 403),
    ):
        with server as url:
            failure = failure_of(url)
        assert str(failure) == failure.code.value
        assert failure.__context__ is None
        assert failure.__cause__ is None
    assert "canary" not in caplog.text

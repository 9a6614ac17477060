"""The stream client against misbehaving peers."""

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

TRANSCRIPT = {":message-type": "event", ":event-type": "TranscriptEvent", ":content-type": "application/json"}


def until_the_end(connection: ServerConnection) -> list[bytes]:
    """Return the audio events up to the one that ends the stream."""
    chunks: list[bytes] = []
    while not chunks or chunks[-1]:
        message = connection.recv()
        assert isinstance(message, bytes)
        chunks.append(decode_frame(message).payload)
    return chunks


def listen(url: str, heard: int) -> None:
    with TranscribeStream.open(url, TIMEOUT_SECONDS) as stream:
        for _ in range(heard):
            assert stream.receive(TIMEOUT_SECONDS) is not None
        stream.receive(TIMEOUT_SECONDS)


def failure_of(url: str, heard: int = 0) -> TranscribeStreamFailed:
    """Return the failure of a stream that only receives, after some transcripts."""
    with pytest.raises(TranscribeStreamFailed) as failed:
        listen(url, heard)
    return failed.value


@pytest.mark.parametrize(
    ("status", "code"),
    [
        *((status, StreamFailureCode.ACCESS_DENIED) for status in (400, 403, 404)),
        *((status, StreamFailureCode.THROTTLED) for status in (429, 503)),
        *((500, StreamFailureCode.INTERNAL), (302, StreamFailureCode.MALFORMED), (200, StreamFailureCode.MALFORMED)),
    ],
)
def test_a_stream_that_does_not_open_has_a_failure_code(status: int, code: StreamFailureCode) -> None:
    with websocket_server(send_and_wait(), status) as url:
        assert failure_of(url).code is code


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (lambda peer: peer.sendall(b"SSH-2.0-canary\r\n\r\n"), StreamFailureCode.MALFORMED),
        (lambda peer: peer.sendall(b"HTTP/1.1 101 Yes\r\nUpgrade: canary\r\n\r\n"), StreamFailureCode.MALFORMED),
        (lambda peer: peer.shutdown(socket.SHUT_RDWR), StreamFailureCode.DROPPED),
    ],
    ids=["noise", "no upgrade", "nothing"],
)
def test_a_peer_with_another_protocol_is_a_failure(
    answer: Callable[[socket.socket], None], code: StreamFailureCode
) -> None:
    with tcp_server(answer) as url:
        assert failure_of(url).code is code
    with tcp_server(answer, reads_request=False) as url:
        # The order of its bytes and of the request is random, but it is a failure in any case.
        assert failure_of(url).code in {StreamFailureCode.MALFORMED, StreamFailureCode.DROPPED}


def test_a_peer_that_never_answers_is_silent() -> None:
    with tcp_server(lambda _: None) as url:
        with pytest.raises(TranscribeStreamFailed) as failed:
            TranscribeStream.open(url, 0.05)
        assert failed.value.code is StreamFailureCode.SILENT


def test_an_unreachable_peer_counts_as_dropped() -> None:
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


FRAME = encode_frame(TRANSCRIPT, b"{}")


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("text", StreamFailureCode.MALFORMED),
        *((b"", StreamFailureCode.MALFORMED), (FRAME * 2, StreamFailureCode.MALFORMED)),
        *(
            (encode_frame(headers, b"{}"), StreamFailureCode.MALFORMED)
            for headers in ({}, {":message-type": "exception"}, {":message-type": "canary"})
        ),
        (encode_frame({":message-type": "error", ":error-code": "canary"}, b""), StreamFailureCode.INTERNAL),
    ],
    ids=["text", "empty", "two", "no type", "no kind", "other type", "error"],
)
def test_a_message_that_is_not_an_event_is_a_failure(message: str | bytes, code: StreamFailureCode) -> None:
    with websocket_server(send_and_wait(message)) as url:
        assert failure_of(url).code is code


def test_a_message_that_is_too_long_is_malformed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_client, "MAX_MESSAGE", len(FRAME) - 1)
    with websocket_server(send_and_wait(FRAME)) as url:
        assert failure_of(url).code is StreamFailureCode.MALFORMED


def test_events_of_unknown_types_are_ignored() -> None:
    other = encode_frame({**TRANSCRIPT, ":event-type": "Other"}, b"other")
    with (
        websocket_server(send_and_wait(other, other, FRAME)) as url,
        TranscribeStream.open(url, TIMEOUT_SECONDS) as stream,
    ):
        assert stream.receive(TIMEOUT_SECONDS) == b"{}"
        assert stream.receive(0) is None
        assert not stream.ended


def test_unknown_events_do_not_extend_the_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_client, "CLOSE_SECONDS", 0.05)
    other = encode_frame({**TRANSCRIPT, ":event-type": "Other"}, b"other")

    def flooding(connection: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                connection.send(other)

    with websocket_server(flooding) as url, TranscribeStream.open(url, TIMEOUT_SECONDS) as stream:
        assert stream.receive(0.05) is None


@pytest.mark.parametrize(("code", "ended"), [(1000, True), (1001, False), (1008, False), (1011, False), (4000, False)])
def test_only_a_normal_close_is_an_end(code: int, ended: bool) -> None:
    def peer(connection: ServerConnection) -> None:
        until_the_end(connection)
        connection.close(code, "canary")

    with websocket_server(peer) as url, TranscribeStream.open(url, TIMEOUT_SECONDS) as stream:
        stream.end()
        if ended:
            assert stream.receive(TIMEOUT_SECONDS) is None
            assert stream.ended
        else:
            with pytest.raises(TranscribeStreamFailed) as failed:
                stream.receive(TIMEOUT_SECONDS)
            assert failed.value.code is StreamFailureCode.DROPPED
            assert not stream.ended


def test_a_close_without_a_code_is_an_end() -> None:
    def peer(one: socket.socket) -> None:
        answer_handshake(one)
        one.recv(4096)
        one.sendall(b"\x88\x00")

    with tcp_server(peer, reads_request=False) as url, TranscribeStream.open(url, TIMEOUT_SECONDS) as stream:
        stream.end()
        assert stream.receive(TIMEOUT_SECONDS) is None
        assert stream.ended


def test_a_close_before_the_clients_end_is_a_failure() -> None:
    with websocket_server(lambda _: None) as url, TranscribeStream.open(url, TIMEOUT_SECONDS) as stream:
        while not stream._peer_gone:
            stream.send(b"audio")
        stream.end()
        with pytest.raises(TranscribeStreamFailed) as failed:
            stream.receive(TIMEOUT_SECONDS)
        assert failed.value.code is StreamFailureCode.DROPPED
        assert not stream.ended


def test_messages_that_a_peer_sent_before_it_closed_are_received_first() -> None:
    limit = encode_frame({":message-type": "exception", ":exception-type": "LimitExceededException"}, b"{}")

    def peer(connection: ServerConnection) -> None:
        connection.send(FRAME)
        connection.send(limit)

    with websocket_server(peer) as url, TranscribeStream.open(url, TIMEOUT_SECONDS) as stream:
        while not stream._peer_gone:
            stream.send(b"audio")
        assert stream.receive(0) == b"{}"
        attempts: list[Callable[[], object]] = [lambda: stream.receive(0), lambda: stream.send(b"x"), stream.end]
        for attempt in [*attempts, *attempts]:
            with pytest.raises(TranscribeStreamFailed) as failed:
                attempt()
            assert failed.value.code is StreamFailureCode.THROTTLED
        assert not stream.ended


def test_audio_is_sent_in_chunks_that_the_service_accepts() -> None:
    heard: list[bytes] = []
    with (
        websocket_server(lambda connection: heard.extend(until_the_end(connection))) as url,
        TranscribeStream.open(url, TIMEOUT_SECONDS) as stream,
    ):
        stream.send(b"")
        stream.send(bytes(MAX_CHUNK) + b"rest")
        stream.send(b"more")
        stream.end()
        assert stream.receive(TIMEOUT_SECONDS) is None
        assert stream.ended
    assert heard == [bytes(MAX_CHUNK), b"rest", b"more", b""]


def test_no_text_of_the_peer_and_no_url_is_exposed(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    frame = encode_frame({":message-type": "exception", ":exception-type": "CanaryException"}, b'{"Message": "canary"}')
    found = []
    with websocket_server(send_and_wait(encode_frame(TRANSCRIPT, b"canary"), frame)) as url:
        found.append(failure_of(url, heard=1))
    with websocket_server(send_and_wait(b"canary")) as url:
        found.append(failure_of(url))
    with websocket_server(send_and_wait(), 403) as url:
        found.append(failure_of(url))
    for failed in found:
        assert str(failed) == failed.code.value
        assert failed.__context__ is None
        assert failed.__cause__ is None
    assert "canary" not in caplog.text

"""Our side of a conversation, against peers that do what they should not."""

import contextlib
import logging
import socket
from collections.abc import Callable

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection

from handlers.transcription.audio_processor.transcribe_stream import websocket_client
from handlers.transcription.audio_processor.transcribe_stream.event_stream import decode, encode
from handlers.transcription.audio_processor.transcribe_stream.stream_client import (
    MAX_CHUNK,
    FailureCode,
    Stream,
    StreamFailed,
)
from tests.handlers.transcription.websocket_peers import PATIENCE, accepting, saying, shake_hands, speaking

TRANSCRIPT = {":message-type": "event", ":event-type": "TranscriptEvent", ":content-type": "application/json"}


def until_the_end(connection: ServerConnection) -> list[bytes]:
    """The audio events up to the one that ends the stream."""
    chunks: list[bytes] = []
    while not chunks or chunks[-1]:
        message = connection.recv()
        assert isinstance(message, bytes)
        chunks.append(decode(message).payload)
    return chunks


def listen(url: str, heard: int) -> None:
    with Stream.open(url, PATIENCE) as stream:
        for _ in range(heard):
            assert stream.receive(PATIENCE) is not None
        stream.receive(PATIENCE)


def failure_of(url: str, heard: int = 0) -> StreamFailed:
    """How a conversation fails in which we only listen, after so many transcripts."""
    with pytest.raises(StreamFailed) as failed:
        listen(url, heard)
    return failed.value


@pytest.mark.parametrize(
    ("status", "code"),
    [
        *((status, FailureCode.REFUSED) for status in (400, 403, 404)),
        *((status, FailureCode.THROTTLED) for status in (429, 503)),
        *((500, FailureCode.INTERNAL), (302, FailureCode.MALFORMED), (200, FailureCode.MALFORMED)),
    ],
)
def test_a_stream_that_does_not_open_says_why(status: int, code: FailureCode) -> None:
    with speaking(saying(), status) as url:
        assert failure_of(url).code is code


OTHERS: dict[str, Callable[[socket.socket], None]] = {
    "noise": lambda peer: peer.sendall(b"SSH-2.0-canary\r\n\r\n"),
    "no upgrade": lambda peer: peer.sendall(b"HTTP/1.1 101 Yes\r\nUpgrade: canary\r\n\r\n"),
    "nothing": lambda peer: peer.shutdown(socket.SHUT_RDWR),
}


@pytest.mark.parametrize(
    ("answer", "code"),
    [("noise", FailureCode.MALFORMED), ("no upgrade", FailureCode.MALFORMED), ("nothing", FailureCode.DROPPED)],
)
def test_a_peer_that_speaks_something_else(answer: str, code: FailureCode) -> None:
    with accepting(OTHERS[answer]) as url:
        assert failure_of(url).code is code
    with accepting(OTHERS[answer], polite=False) as url:
        # Whether it is heard before our request is out is chance; that it is a failure like others is not.
        assert failure_of(url).code in {FailureCode.MALFORMED, FailureCode.DROPPED}


def test_a_peer_that_never_answers_is_silent() -> None:
    with accepting(lambda _: None) as url:
        with pytest.raises(StreamFailed) as failed:
            Stream.open(url, 0.05)
        assert failed.value.code is FailureCode.SILENT


def test_nobody_there_is_a_drop() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert failure_of(f"ws://127.0.0.1:{port}/").code is FailureCode.DROPPED


@pytest.mark.parametrize(
    ("kind", "message", "code"),
    [
        ("BadRequestException", b"canary", FailureCode.REJECTED),
        ("BadRequestException", b"timed out because no new audio was received for 15 seconds", FailureCode.SILENT),
        ("LimitExceededException", b"canary", FailureCode.THROTTLED),
        ("ServiceUnavailable", b"canary", FailureCode.THROTTLED),
        ("AccessDeniedException", b"canary", FailureCode.REFUSED),
        ("CanaryException", b"canary", FailureCode.INTERNAL),
    ],
)
def test_every_exception_has_its_code(kind: str, message: bytes, code: FailureCode) -> None:
    frame = encode({":message-type": "exception", ":exception-type": kind}, b'{"Message": "%b"}' % message)
    with speaking(saying(frame)) as url:
        assert failure_of(url).code is code


FRAME = encode(TRANSCRIPT, b"{}")


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("text", FailureCode.MALFORMED),
        *((b"", FailureCode.MALFORMED), (FRAME * 2, FailureCode.MALFORMED)),
        *(
            (encode(headers, b"{}"), FailureCode.MALFORMED)
            for headers in ({}, {":message-type": "exception"}, {":message-type": "canary"})
        ),
        (encode({":message-type": "error", ":error-code": "canary"}, b""), FailureCode.INTERNAL),
    ],
    ids=["text", "empty", "two", "no type", "no kind", "other type", "error"],
)
def test_a_message_that_is_no_event_is_a_failure(message: str | bytes, code: FailureCode) -> None:
    with speaking(saying(message)) as url:
        assert failure_of(url).code is code


def test_a_message_that_is_too_long_is_malformed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_client, "MAX_MESSAGE", len(FRAME) - 1)
    with speaking(saying(FRAME)) as url:
        assert failure_of(url).code is FailureCode.MALFORMED


def test_events_of_unknown_kinds_are_passed_over() -> None:
    other = encode({**TRANSCRIPT, ":event-type": "Other"}, b"other")
    with speaking(saying(other, other, FRAME)) as url, Stream.open(url, PATIENCE) as stream:
        assert stream.receive(PATIENCE) == b"{}"
        assert stream.receive(0) is None
        assert not stream.ended


def test_unknown_events_do_not_keep_anybody_beyond_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_client, "CLOSE_SECONDS", 0.05)
    other = encode({**TRANSCRIPT, ":event-type": "Other"}, b"other")

    def flooding(connection: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                connection.send(other)

    with speaking(flooding) as url, Stream.open(url, PATIENCE) as stream:
        assert stream.receive(0.05) is None


def test_the_stream_has_ended_once_the_peer_closes_after_our_end() -> None:
    def peer(connection: ServerConnection) -> None:
        until_the_end(connection)
        connection.send(FRAME)

    with speaking(peer) as url, Stream.open(url, PATIENCE) as stream:
        stream.end()
        assert stream.receive(PATIENCE) == b"{}"
        assert [stream.receive(PATIENCE), stream.receive(PATIENCE)] == [None, None]
        assert stream.ended


@pytest.mark.parametrize(("code", "ended"), [(1000, True), (1001, False), (1008, False), (1011, False), (4000, False)])
def test_only_a_normal_close_is_an_end(code: int, ended: bool) -> None:
    def peer(connection: ServerConnection) -> None:
        until_the_end(connection)
        connection.close(code, "canary")

    with speaking(peer) as url, Stream.open(url, PATIENCE) as stream:
        stream.end()
        if ended:
            assert stream.receive(PATIENCE) is None
            assert stream.ended
        else:
            with pytest.raises(StreamFailed) as failed:
                stream.receive(PATIENCE)
            assert failed.value.code is FailureCode.DROPPED
            assert not stream.ended


def test_a_close_without_a_code_is_an_end() -> None:
    def peer(one: socket.socket) -> None:
        shake_hands(one)
        one.recv(4096)
        one.sendall(b"\x88\x00")

    with accepting(peer, polite=False) as url, Stream.open(url, PATIENCE) as stream:
        stream.end()
        assert stream.receive(PATIENCE) is None
        assert stream.ended


def test_an_end_that_came_too_late_is_none() -> None:
    with speaking(lambda _: None) as url, Stream.open(url, PATIENCE) as stream:
        while not stream._gone:
            stream.send(b"audio")
        stream.end()
        with pytest.raises(StreamFailed) as failed:
            stream.receive(PATIENCE)
        assert failed.value.code is FailureCode.DROPPED
        assert not stream.ended


def test_what_a_peer_said_before_it_went_is_heard_first() -> None:
    limit = encode({":message-type": "exception", ":exception-type": "LimitExceededException"}, b"{}")

    def peer(connection: ServerConnection) -> None:
        connection.send(FRAME)
        connection.send(limit)

    with speaking(peer) as url, Stream.open(url, PATIENCE) as stream:
        while not stream._gone:
            stream.send(b"audio")
        assert stream.receive(0) == b"{}"
        attempts: list[Callable[[], object]] = [lambda: stream.receive(0), lambda: stream.send(b"x"), stream.end]
        for attempt in [*attempts, *attempts]:
            with pytest.raises(StreamFailed) as failed:
                attempt()
            assert failed.value.code is FailureCode.THROTTLED
        assert not stream.ended


def test_audio_goes_out_in_pieces_that_the_service_takes() -> None:
    heard: list[bytes] = []
    with (
        speaking(lambda connection: heard.extend(until_the_end(connection))) as url,
        Stream.open(url, PATIENCE) as stream,
    ):
        stream.send(b"")
        stream.send(bytes(MAX_CHUNK) + b"rest")
        stream.send(b"more")
        stream.end()
        assert stream.receive(PATIENCE) is None
        assert stream.ended
    assert heard == [bytes(MAX_CHUNK), b"rest", b"more", b""]


def test_no_text_of_the_peer_and_no_address_gets_out(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    frame = encode({":message-type": "exception", ":exception-type": "CanaryException"}, b'{"Message": "canary"}')
    found = []
    with speaking(saying(encode(TRANSCRIPT, b"canary"), frame)) as url:
        found.append(failure_of(url, heard=1))
    with speaking(saying(b"canary")) as url:
        found.append(failure_of(url))
    with speaking(saying(), 403) as url:
        found.append(failure_of(url))
    for failed in found:
        assert str(failed) == failed.code.value
        assert failed.__context__ is None
        assert failed.__cause__ is None
    assert "canary" not in caplog.text

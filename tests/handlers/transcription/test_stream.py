"""Tests of the client of an Amazon Transcribe stream, with servers over real sockets on the local machine.

Every URL and many messages contain the word "canary", which must be in no log line and no exception.
"""

import contextlib
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import parse_qsl, urlsplit

import pytest
from botocore.credentials import Credentials
from botocore.eventstream import EventStreamBuffer
from botocore.exceptions import NoCredentialsError
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve
from werkzeug.serving import make_ssl_devcert

from handlers.transcription.audio import Encoding
from handlers.transcription.audio_processor.stream import (
    StreamFailureCode,
    StreamRequest,
    TranscribeStream,
    TranscribeStreamFailed,
    encode_frame,
    presign_stream_url,
)

TIMEOUT_SECONDS = 20.0
"""Time after which a test fails. No successful test waits that long."""
TRANSCRIPT_HEADERS = {":message-type": "event", ":event-type": "TranscriptEvent", ":content-type": "application/json"}
TRANSCRIPT_EVENT = encode_frame(TRANSCRIPT_HEADERS, b"{}")
UNKNOWN_EVENT = encode_frame({**TRANSCRIPT_HEADERS, ":event-type": "Other"}, b"other")

THROTTLED, REJECTED = StreamFailureCode.THROTTLED, StreamFailureCode.REJECTED
REFUSED, BROKEN = StreamFailureCode.REFUSED, StreamFailureCode.BROKEN

Service = Callable[[ServerConnection], object]
"""Behaviour of a server after the handshake. The connection is closed when it returns."""


@contextlib.contextmanager
def transcribe(service: Service, status: int = 101, context: ssl.SSLContext | None = None) -> Iterator[str]:
    """Run a WebSocket server and yield its URL. Unless `status` is 101, it refuses each handshake with this status."""

    def answer(connection: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            service(connection)

    silent_logger = logging.Logger("server", logging.CRITICAL + 1)  # noqa: LOG001
    with serve(
        answer,
        "127.0.0.1",
        0,
        process_request=lambda connection, _: None if status == 101 else connection.respond(HTTPStatus(status), "no"),
        close_timeout=1,
        compression=None,
        logger=silent_logger,
        ssl=context,
    ) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            port = server.socket.getsockname()[1]
            yield f"{'wss' if context else 'ws'}://127.0.0.1:{port}/?X-Amz-Signature=canary"
        finally:
            server.shutdown()
            thread.join(TIMEOUT_SECONDS)


def send(*messages: str | bytes) -> Service:
    """Return a service that sends these messages and then waits until the client closes the connection."""

    def service(connection: ServerConnection) -> None:
        for message in messages:
            connection.send(message)
        receive_audio(connection)
        connection.recv()

    return service


def receive_audio(connection: ServerConnection) -> list[bytes]:
    """Return the chunks of audio up to the empty chunk, with which the client ends the stream."""
    chunks: list[bytes] = []
    while not chunks or chunks[-1]:
        buffer: Any = EventStreamBuffer()
        buffer.add_data(connection.recv(decode=False))
        [event] = buffer
        assert event.headers == {
            ":content-type": "application/octet-stream",
            ":event-type": "AudioEvent",
            ":message-type": "event",
        }
        chunks.append(event.payload)
    return chunks


def failure_of(url: str) -> TranscribeStreamFailed:
    """Open a stream that only receives, and return its failure."""
    try:
        with TranscribeStream.open(url, TIMEOUT_SECONDS) as stream:
            while stream.receive(TIMEOUT_SECONDS) is not None:
                pass
    except TranscribeStreamFailed as failure:
        return failure
    pytest.fail("the stream did not fail")


def exception_frame(kind: str) -> bytes:
    return encode_frame({":message-type": "exception", ":exception-type": kind}, b'{"Message": "canary"}')


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, REFUSED), (403, REFUSED), (404, REFUSED), (429, THROTTLED), (503, THROTTLED), (500, BROKEN), (200, BROKEN)],
)
def test_each_http_status_of_a_refused_stream_has_a_failure_code(status: int, code: StreamFailureCode) -> None:
    with transcribe(send(), status) as url:
        assert failure_of(url).code is code


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (exception_frame("BadRequestException"), REJECTED),
        (exception_frame("LimitExceededException"), THROTTLED),
        (exception_frame("ServiceUnavailable"), THROTTLED),
        (exception_frame("AccessDeniedException"), REFUSED),
        (exception_frame("CanaryException"), BROKEN),
        *((encode_frame({":message-type": kind}, b"canary"), BROKEN) for kind in ("exception", "error")),
        *((message, BROKEN) for message in ("canary", b"", TRANSCRIPT_EVENT[:-1] + b"x", TRANSCRIPT_EVENT[:-1])),
    ],
    ids=lambda value: str(value)[:40],
)
def test_each_message_that_is_no_event_has_a_failure_code(message: str | bytes, code: StreamFailureCode) -> None:
    with transcribe(send(message)) as url:
        assert failure_of(url).code is code


def test_a_server_that_does_not_answer_the_handshake_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with pytest.raises(TranscribeStreamFailed) as error:
            TranscribeStream.open(f"ws://127.0.0.1:{listener.getsockname()[1]}/", 0.05)
        assert error.value.code is BROKEN


def test_only_transcript_events_are_returned_and_nothing_is_lost_when_the_time_is_over() -> None:
    may_send, ends_at = threading.Event(), time.monotonic() + TIMEOUT_SECONDS

    def service(connection: ServerConnection) -> None:
        assert may_send.wait(TIMEOUT_SECONDS)
        send(UNKNOWN_EVENT, *[TRANSCRIPT_EVENT] * 50)(connection)

    with transcribe(service) as url, TranscribeStream.open(url, TIMEOUT_SECONDS) as stream:
        assert stream.receive(0) is None
        may_send.set()
        payloads: list[bytes] = []
        while len(payloads) < 50 and time.monotonic() < ends_at:
            payload = stream.receive(0)  # often gives up while a message arrives
            payloads += [] if payload is None else [payload]
        assert payloads == [b"{}"] * 50
        assert stream.receive(0) is None
        assert not stream.ended


@pytest.mark.parametrize(("code", "is_end"), [(1000, True), (1001, False), (1011, False)])
def test_audio_is_sent_in_frames_and_only_the_normal_close_code_after_it_is_an_end(code: int, is_end: bool) -> None:
    received: list[bytes] = []

    def service(connection: ServerConnection) -> None:
        received.extend(receive_audio(connection))
        connection.close(code, "canary")

    with transcribe(service) as url, TranscribeStream.open(url, TIMEOUT_SECONDS) as stream:
        stream.send(bytes(9_600))
        stream.send(b"more")
        stream.end()
        with contextlib.nullcontext() if is_end else pytest.raises(TranscribeStreamFailed, match="broken"):
            assert stream.receive(TIMEOUT_SECONDS) is None
        assert stream.ended is is_end
    assert received == [bytes(9_600), b"more", b""]
    with transcribe(lambda connection: connection.close(code)) as url:
        assert failure_of(url).code is BROKEN, "the audio has not ended"


def test_messages_that_the_service_sent_before_it_closed_are_received_first() -> None:
    closed, ends_at = threading.Event(), time.monotonic() + TIMEOUT_SECONDS

    def service(connection: ServerConnection) -> None:
        connection.send(TRANSCRIPT_EVENT)
        connection.send(exception_frame("LimitExceededException"))
        connection.close()
        closed.set()

    with transcribe(service) as url, TranscribeStream.open(url, TIMEOUT_SECONDS) as stream:
        while not closed.is_set() and time.monotonic() < ends_at:
            stream.send(b"audio")  # reads the messages and the close, too
        stream.end()
        assert stream.receive(0) == b"{}"
        with pytest.raises(TranscribeStreamFailed, match="throttled"):
            stream.receive(0)
        assert not stream.ended


def test_a_service_that_reads_nothing_stops_the_sender_and_is_closed_in_time() -> None:
    test_ended = threading.Event()

    def send_forever(stream: TranscribeStream) -> NoReturn:
        while True:
            stream.send(bytes(32_768))

    with transcribe(lambda _: test_ended.wait(TIMEOUT_SECONDS)) as url:
        try:
            failure = pytest.raises(TranscribeStreamFailed, match="broken")
            with TranscribeStream.open(url, TIMEOUT_SECONDS) as stream, failure:
                send_forever(stream)
            assert stream._connection.transport.is_closing()
        finally:
            test_ended.set()


@pytest.mark.parametrize("is_trusted", [True, False])
def test_the_certificate_of_the_service_is_verified(
    tmp_path: Path, is_trusted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, private_key = make_ssl_devcert(str(tmp_path / "server"), host="localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, private_key)
    if is_trusted:
        monkeypatch.setenv("SSL_CERT_FILE", certificate)
    with transcribe(lambda connection: connection.send(exception_frame("ThrottlingException")), 101, context) as url:
        name = url.replace("127.0.0.1", "localhost")  # the certificate has no address
        assert failure_of(name).code is (THROTTLED if is_trusted else REFUSED)


def test_no_text_of_the_service_and_no_url_is_in_an_exception_or_log_line(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://canary:1")  # proxies are not used either
    for server in (
        transcribe(send(encode_frame(TRANSCRIPT_HEADERS, b"canary"), exception_frame("CanaryException"))),
        transcribe(send(b"canary")),
        transcribe(lambda connection: connection.close(1011, "canary")),
        transcribe(send(), 403),
    ):
        with server as url:
            failure = failure_of(url)
        assert str(failure) == failure.code.value
        assert failure.__context__ is None
    assert "canary" not in caplog.text


KEY, SECRET, TOKEN = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG", "IQoJb3JpZ2luX2VjE/+canary=="
REQUEST = StreamRequest("en-US", 16000, Encoding.PCM, stabilised=True)


def test_a_url_names_the_regions_endpoint_and_the_parameters_of_the_stream(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    url = urlsplit(presign_stream_url(Credentials(KEY, SECRET, TOKEN), "eu-central-1", REQUEST))
    assert (url.scheme, url.netloc) == ("wss", "transcribestreaming.eu-central-1.amazonaws.com:8443")
    assert url.path == "/stream-transcription-websocket"
    query = dict(parse_qsl(url.query, strict_parsing=True))
    assert len(query.pop("X-Amz-Signature")) == 64
    assert query.pop("X-Amz-Date").endswith("Z")
    assert query.pop("X-Amz-Credential").startswith(f"{KEY}/")
    assert query == {
        "language-code": "en-US",
        "media-encoding": "pcm",
        "sample-rate": "16000",
        "enable-partial-results-stabilization": "true",
        "partial-results-stability": "high",
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Expires": "60",
        "X-Amz-SignedHeaders": "host",
        "X-Amz-Security-Token": TOKEN,
    }
    assert "canary" not in caplog.text, "botocore must not log the request that it signs"


def test_missing_credentials_are_an_error() -> None:
    with pytest.raises(NoCredentialsError):
        presign_stream_url(None, "eu-west-1", REQUEST)

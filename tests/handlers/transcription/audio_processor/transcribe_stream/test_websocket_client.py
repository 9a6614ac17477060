"""Tests of the WebSocket client with peers over real sockets.

Whatever its peer, the other end of the connection, sends or omits, the client needs limited time and memory and closes
its socket. `is_over` is true when no more message can be received.
"""

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NoReturn

import pytest
from websockets.exceptions import ConnectionClosed, InvalidMessage
from websockets.sync.server import ServerConnection
from websockets.uri import WebSocketURI

from handlers.transcription.audio_processor.transcribe_stream import websocket_client
from handlers.transcription.audio_processor.transcribe_stream.websocket_client import PeerGone, WebSocket
from tests.handlers.certificates import write_self_signed_certificate
from tests.handlers.transcription.websocket_peers import (
    TIMEOUT_SECONDS,
    answer_handshake,
    ignore_until,
    send_and_wait,
    tcp_server,
    websocket_server,
)


@pytest.fixture(autouse=True)
def _all_sockets_are_closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Check that every socket is closed at the end of a test, even if no connection was opened."""
    sockets: list[socket.socket] = []
    original_init = WebSocket.__init__

    def init(self: WebSocket, sock: socket.socket, uri: WebSocketURI) -> None:
        sockets.append(sock)
        original_init(self, sock, uri)

    monkeypatch.setattr(WebSocket, "__init__", init)
    yield
    assert all(sock.fileno() == -1 for sock in sockets)


@pytest.fixture(autouse=True)
def _long_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Raise the time limit for sending, because the peer is a thread on a machine that may be busy."""
    monkeypatch.setattr(websocket_client, "SEND_SECONDS", TIMEOUT_SECONDS)


@contextlib.contextmanager
def connect_to(server: AbstractContextManager[str]) -> Iterator[WebSocket]:
    """Run a server while the block runs, and yield a client that is connected to it."""
    with server as url, contextlib.closing(WebSocket.open(url, TIMEOUT_SECONDS)) as client:
        yield client


def echo(connection: ServerConnection) -> None:
    """Send each message back."""
    with contextlib.suppress(ConnectionClosed):
        while True:
            connection.send(connection.recv())


SAID_FRAME = b"\x82\x04said"
"""WebSocket frame with the binary message `said`."""
PING_FRAME = b"\x89\x00"
FIRST_FRAGMENT, NEXT_FRAGMENT = b"\x02\x00", b"\x00\x00"
"""Empty fragments of a binary message, which is not complete."""
CLOSE_FRAME = b"\x88\x02\x03\xe8"
"""Close frame with code 1000, which is a normal end."""


def send_forever(client: WebSocket, message: bytes) -> NoReturn:
    while True:
        client.send(message)


@pytest.mark.parametrize("length", [0, 1, 200_000, websocket_client.MAX_MESSAGE])
def test_messages_are_sent_and_received_unchanged(length: int) -> None:
    with connect_to(websocket_server(echo)) as client:
        client.send(bytes(length))
        assert client.receive(TIMEOUT_SECONDS) == bytes(length)


def test_the_client_reads_while_it_sends_large_messages() -> None:
    """If the client and a peer that answers each message both only wrote, they would wait for each other."""
    with connect_to(websocket_server(echo)) as client:
        for _ in range(40):
            client.send(bytes(websocket_client.MAX_MESSAGE))
        assert [len(client.receive(TIMEOUT_SECONDS) or b"") for _ in range(40)] == [websocket_client.MAX_MESSAGE] * 40


def test_the_client_answers_pings_joins_fragments_and_drops_the_content_of_texts() -> None:
    def peer(connection: ServerConnection) -> None:
        assert connection.ping().wait(TIMEOUT_SECONDS)
        connection.send([b"answered ", b"in ", b"parts"])
        send_and_wait("a text message")(connection)

    with connect_to(websocket_server(peer)) as client:
        assert client.receive(TIMEOUT_SECONDS) == b"answered in parts"
        assert client.receive(TIMEOUT_SECONDS) == ""
        assert client.receive(0) is None


@pytest.mark.parametrize(
    ("first_frame", "repeated_frame"), [(b"", PING_FRAME), (FIRST_FRAGMENT, NEXT_FRAGMENT)], ids=["pings", "fragments"]
)
def test_a_peer_that_sends_endless_pings_or_fragments_is_disconnected(
    first_frame: bytes, repeated_frame: bytes
) -> None:
    def flood(peer: socket.socket) -> None:
        answer_handshake(peer, first_frame)
        with contextlib.suppress(OSError):
            while True:
                peer.sendall(repeated_frame * 30_000)

    with tcp_server(flood, reads_request=False) as url:
        client = WebSocket.open(url, TIMEOUT_SECONDS)
        assert client.receive(TIMEOUT_SECONDS) is None
        assert client.is_over
        assert len(client._outgoing) < 2 * websocket_client.MAX_UNWRITTEN_ANSWERS, "the peer does not read the answers"
        assert len(client._frames) <= websocket_client.MAX_FRAMES
        client._socket.close()  # ends the peer's loop


def test_no_message_is_sent_after_the_peer_has_closed_the_connection() -> None:
    with connect_to(websocket_server(lambda _: None)) as client:
        select.select([client._socket], [], [], TIMEOUT_SECONDS)  # waits for the close frame
        with pytest.raises(PeerGone):
            client.send(b"x")


def test_messages_sent_before_a_peer_closed_are_received_after_sending_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_client, "READ_BYTES", 100)  # so many messages are unread when sending fails

    def send_and_close(peer: socket.socket) -> None:
        answer_handshake(peer, SAID_FRAME * 5_000)
        peer.close()

    with connect_to(tcp_server(send_and_close, reads_request=False)) as client:
        with pytest.raises(PeerGone):
            send_forever(client, bytes(1000))
        assert sum(1 for _ in iter(lambda: client.receive(TIMEOUT_SECONDS), None)) == 5_000
        assert client.is_over


def test_messages_that_arrive_with_the_handshake_are_received() -> None:
    """A peer may accept the handshake, send a message and close the connection in one packet."""

    def accept_send_and_close(peer: socket.socket) -> None:
        answer_handshake(peer, SAID_FRAME, CLOSE_FRAME)

    with connect_to(tcp_server(accept_send_and_close, reads_request=False)) as client:
        assert [client.receive(TIMEOUT_SECONDS), client.receive(TIMEOUT_SECONDS)] == [b"said", None]
        assert client.peer_close_code == 1000


def test_a_slow_handshake_times_out() -> None:
    stop = threading.Event()

    def send_endless_headers_slowly(peer: socket.socket) -> None:
        with contextlib.suppress(OSError):
            peer.sendall(b"HTTP/1.1 101 Switching Protocols\r\n")
            while not stop.wait(0.005):
                peer.sendall(b"X: y\r\n" if not stop.is_set() else b"")

    with tcp_server(send_endless_headers_slowly) as url:
        try:
            with pytest.raises(TimeoutError):
                WebSocket.open(url, 0.05)
        finally:
            stop.set()


def test_a_handshake_with_endless_headers_is_refused() -> None:
    def send_endless_headers(peer: socket.socket) -> None:
        with contextlib.suppress(OSError):
            peer.sendall(b"HTTP/1.1 101 Switching Protocols\r\n" + b"X: y\r\n" * 100_000)

    with tcp_server(send_endless_headers) as url, pytest.raises(InvalidMessage):
        WebSocket.open(url, TIMEOUT_SECONDS)


def test_a_connection_that_ends_without_a_close_frame_is_over_and_has_no_close_code() -> None:
    with connect_to(websocket_server(lambda connection: connection.close_socket())) as client:
        assert client.receive(TIMEOUT_SECONDS) is None
        assert (client.is_over, client.peer_close_code, client.is_broken) == (True, None, False)


def test_after_an_invalid_frame_the_connection_is_broken() -> None:
    def send_invalid_frame(connection: ServerConnection) -> None:
        connection.socket.sendall(b"\xff\xff\xff\xff")
        send_and_wait()(connection)

    with connect_to(websocket_server(send_invalid_frame)) as client:
        assert client.receive(TIMEOUT_SECONDS) is None
        assert client.is_broken
        assert not client._awaits_close()


def test_a_client_that_only_sends_stores_few_received_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_client, "MAX_WAITING", 2)
    monkeypatch.setattr(websocket_client, "READ_BYTES", 50)
    with connect_to(websocket_server(send_and_wait(*[bytes(48)] * 20))) as client:
        for _ in range(200):
            client.send(b"x")
        assert len(client._messages) <= 2
        assert [client.receive(TIMEOUT_SECONDS) for _ in range(20)] == [bytes(48)] * 20


def test_sending_to_a_peer_that_reads_nothing_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_client, "SEND_SECONDS", 0.05)
    test_ended = threading.Event()
    with connect_to(websocket_server(ignore_until(test_ended))) as client:
        try:
            with pytest.raises(PeerGone):
                send_forever(client, bytes(100_000))
            assert client.is_over
        finally:
            test_ended.set()


def test_closing_waits_only_a_short_time_for_the_peers_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_client, "CLOSE_SECONDS", 0.05)
    test_ended = threading.Event()
    with websocket_server(ignore_until(test_ended)) as url:
        try:
            client = WebSocket.open(url, TIMEOUT_SECONDS)
            client.close()
            client.close()
            assert client.receive(TIMEOUT_SECONDS) is None
            assert client.is_over
        finally:
            test_ended.set()


def test_closing_sends_a_close_frame_even_if_received_messages_are_unread() -> None:
    close_codes: list[int | None] = []
    peer_ended = threading.Event()

    def peer(connection: ServerConnection) -> None:
        send_and_wait(*[bytes(1000)] * 200)(connection)
        close_codes.append(connection.close_code)
        peer_ended.set()

    with connect_to(websocket_server(peer)) as client:
        assert client.receive(TIMEOUT_SECONDS) == bytes(1000)
        client.close()
        assert peer_ended.wait(TIMEOUT_SECONDS)
    assert close_codes == [1000]


def test_proxies_in_environment_variables_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with connect_to(websocket_server(send_and_wait(b"said"))) as client:
        assert client.receive(TIMEOUT_SECONDS) == b"said"


@pytest.mark.parametrize("is_trusted", [True, False])
def test_the_peers_certificate_is_verified(tmp_path: Path, is_trusted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = write_self_signed_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    if is_trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    # `tcp_server` uses one thread. Two threads of `websocket_server` would use one TLS session and lose data.
    with tcp_server(
        lambda peer: answer_handshake(peer, SAID_FRAME * 30_000), reads_request=False, context=context
    ) as url:
        if is_trusted:
            with contextlib.closing(WebSocket.open(url, TIMEOUT_SECONDS)) as client:
                assert [client.receive(TIMEOUT_SECONDS) for _ in range(30_000)] == [b"said"] * 30_000
        else:
            with pytest.raises(ssl.SSLCertVerificationError):
                WebSocket.open(url, TIMEOUT_SECONDS)

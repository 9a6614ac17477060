"""The WebSocket client: limited in time and size for any peer, and without leaked sockets."""

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing
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
def _nothing_stays_behind(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Check that every socket is closed at the end of a test, even if no connection was opened."""
    made: list[socket.socket] = []
    init = WebSocket.__init__

    def remembering(self: WebSocket, sock: socket.socket, uri: WebSocketURI) -> None:
        made.append(sock)
        init(self, sock, uri)

    monkeypatch.setattr(WebSocket, "__init__", remembering)
    yield
    assert [entry.fileno() for entry in made] == [-1] * len(made)


@pytest.fixture(autouse=True)
def _peers_have_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Raise the client's time limits, because the peer is a thread on a busy machine."""
    monkeypatch.setattr(websocket_client, "SEND_SECONDS", TIMEOUT_SECONDS)


def echo(connection: ServerConnection) -> None:
    with contextlib.suppress(ConnectionClosed):
        while True:
            connection.send(connection.recv())


SAID = b"\x82\x04said"
"""A binary frame."""


def send_forever(one: WebSocket, message: bytes) -> NoReturn:
    while True:
        one.send(message)


@pytest.mark.parametrize("length", [0, 1, 200_000, websocket_client.MAX_MESSAGE])
def test_messages_are_sent_and_received_unchanged(length: int) -> None:
    with websocket_server(echo) as url, closing(WebSocket.open(url, TIMEOUT_SECONDS)) as one:
        one.send(bytes(length))
        assert one.receive(TIMEOUT_SECONDS) == bytes(length)


def test_large_messages_can_be_sent_to_a_peer_that_answers_all_of_them() -> None:
    """If both sides only wrote, they would wait for each other."""
    with websocket_server(echo) as url, closing(WebSocket.open(url, TIMEOUT_SECONDS)) as one:
        for _ in range(40):
            one.send(bytes(websocket_client.MAX_MESSAGE))
        assert [len(one.receive(TIMEOUT_SECONDS) or b"") for _ in range(40)] == [websocket_client.MAX_MESSAGE] * 40


def test_a_ping_is_answered_while_receiving_and_fragments_are_joined() -> None:
    def peer(connection: ServerConnection) -> None:
        assert connection.ping().wait(TIMEOUT_SECONDS)
        connection.send([b"answered ", b"in ", b"parts"])
        send_and_wait("a text, whose content is dropped")(connection)

    with websocket_server(peer) as url, closing(WebSocket.open(url, TIMEOUT_SECONDS)) as one:
        assert one.receive(TIMEOUT_SECONDS) == b"answered in parts"
        assert one.receive(TIMEOUT_SECONDS) == ""
        assert one.receive(0) is None


def test_pings_do_not_fill_the_memory() -> None:
    def flood(peer: socket.socket) -> None:
        answer_handshake(peer)
        with contextlib.suppress(OSError):
            while True:
                peer.sendall(b"\x89\x00" * 30_000)

    with tcp_server(flood, reads_request=False) as url:
        one = WebSocket.open(url, TIMEOUT_SECONDS)
        assert one.receive(TIMEOUT_SECONDS) is None
        assert one.is_over, "a peer that sends pings and reads no answers is disconnected"
        assert len(one._outgoing) < 2 * websocket_client.MAX_UNWRITTEN_ANSWERS
        one._socket.close()  # so that the flood ends


def test_a_message_with_endless_fragments_is_not_waited_for() -> None:
    def flood(peer: socket.socket) -> None:
        answer_handshake(peer, b"\x02\x00")
        with contextlib.suppress(OSError):
            while True:
                peer.sendall(b"\x00\x00" * 30_000)

    with tcp_server(flood, reads_request=False) as url:
        one = WebSocket.open(url, TIMEOUT_SECONDS)
        assert one.receive(TIMEOUT_SECONDS) is None
        assert one.is_over
        assert len(one._frames) <= websocket_client.MAX_FRAMES
        one._socket.close()  # so that the flood ends


def test_a_close_is_noticed_before_the_next_message() -> None:
    with websocket_server(lambda _: None) as url, closing(WebSocket.open(url, TIMEOUT_SECONDS)) as one:
        select.select([one._socket], [], [], TIMEOUT_SECONDS)
        with pytest.raises(PeerGone):
            one.send(b"x")


def test_all_messages_of_a_peer_are_received_although_it_reads_nothing_any_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(websocket_client, "READ_BYTES", 100)

    def peer(other: socket.socket) -> None:
        answer_handshake(other, SAID * 5_000)
        other.close()

    with tcp_server(peer, reads_request=False) as url, closing(WebSocket.open(url, TIMEOUT_SECONDS)) as one:
        with pytest.raises(PeerGone):
            send_forever(one, bytes(1000))
        assert sum(1 for _ in iter(lambda: one.receive(TIMEOUT_SECONDS), None)) == 5_000
        assert one.is_over


def test_messages_that_arrive_with_the_handshake_are_received() -> None:
    """A peer that opens, sends and closes at once may do so in one packet."""

    def answer(peer: socket.socket) -> None:
        answer_handshake(peer, SAID, b"\x88\x02\x03\xe8")

    with tcp_server(answer, reads_request=False) as url, closing(WebSocket.open(url, TIMEOUT_SECONDS)) as one:
        assert [one.receive(TIMEOUT_SECONDS), one.receive(TIMEOUT_SECONDS)] == [b"said", None]
        assert one.peer_close_code == 1000


def test_a_slow_handshake_times_out() -> None:
    stop = threading.Event()

    def trickle(peer: socket.socket) -> None:
        with contextlib.suppress(OSError):
            peer.sendall(b"HTTP/1.1 101 Switching Protocols\r\n")
            while not stop.wait(0.005):
                peer.sendall(b"X: y\r\n" if not stop.is_set() else b"")

    with tcp_server(trickle) as url:
        try:
            with pytest.raises(TimeoutError):
                WebSocket.open(url, 0.05)
        finally:
            stop.set()


def test_a_handshake_with_endless_headers_is_refused() -> None:
    def flood(peer: socket.socket) -> None:
        with contextlib.suppress(OSError):
            peer.sendall(b"HTTP/1.1 101 Switching Protocols\r\n" + b"X: y\r\n" * 100_000)

    with tcp_server(flood) as url, pytest.raises(InvalidMessage):
        WebSocket.open(url, TIMEOUT_SECONDS)


def test_a_peer_that_vanishes_is_over_without_a_close_code() -> None:
    with (
        websocket_server(lambda connection: connection.close_socket()) as url,
        closing(WebSocket.open(url, TIMEOUT_SECONDS)) as one,
    ):
        assert one.receive(TIMEOUT_SECONDS) is None
        assert (one.is_over, one.peer_close_code, one.is_broken) == (True, None, False)


def test_an_invalid_frame_violates_the_protocol() -> None:
    def peer(connection: ServerConnection) -> None:
        connection.socket.sendall(b"\xff\xff\xff\xff")
        send_and_wait()(connection)

    with websocket_server(peer) as url, closing(WebSocket.open(url, TIMEOUT_SECONDS)) as one:
        assert one.receive(TIMEOUT_SECONDS) is None
        assert one.is_broken
        assert not one._awaits_close()


def test_the_number_of_messages_kept_while_sending_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_client, "MAX_WAITING", 2)
    monkeypatch.setattr(websocket_client, "READ_BYTES", 50)
    with (
        websocket_server(send_and_wait(*[bytes(48)] * 20)) as url,
        closing(WebSocket.open(url, TIMEOUT_SECONDS)) as one,
    ):
        for _ in range(200):
            one.send(b"x")
        assert len(one._messages) <= 2
        assert [one.receive(TIMEOUT_SECONDS) for _ in range(20)] == [bytes(48)] * 20


def test_sending_to_a_peer_that_reads_nothing_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_client, "SEND_SECONDS", 0.05)
    go = threading.Event()
    with websocket_server(ignore_until(go)) as url, closing(WebSocket.open(url, TIMEOUT_SECONDS)) as one:
        try:
            with pytest.raises(PeerGone):
                send_forever(one, bytes(100_000))
            assert one.is_over
        finally:
            go.set()


def test_closing_does_not_wait_for_a_peer_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_client, "CLOSE_SECONDS", 0.05)
    go = threading.Event()
    with websocket_server(ignore_until(go)) as url:
        try:
            one = WebSocket.open(url, TIMEOUT_SECONDS)
            one.close()
            one.close()
            assert one.receive(TIMEOUT_SECONDS) is None
            assert one.is_over
        finally:
            go.set()


def test_closing_sends_a_close_frame() -> None:
    left: list[int | None] = []
    done = threading.Event()

    def peer(connection: ServerConnection) -> None:
        send_and_wait(*[bytes(1000)] * 200)(connection)
        left.append(connection.close_code)
        done.set()

    with websocket_server(peer) as url, closing(WebSocket.open(url, TIMEOUT_SECONDS)) as one:
        assert one.receive(TIMEOUT_SECONDS) == bytes(1000)
        one.close()
        assert done.wait(TIMEOUT_SECONDS)
    assert left == [1000]


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with websocket_server(send_and_wait(b"said")) as url, closing(WebSocket.open(url, TIMEOUT_SECONDS)) as one:
        assert one.receive(TIMEOUT_SECONDS) == b"said"


@pytest.mark.parametrize("trusted", [True, False])
def test_certificates_are_verified(tmp_path: Path, trusted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = write_self_signed_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    # The server has no second thread for reading, because two threads would use one TLS session and lose data.
    with tcp_server(lambda peer: answer_handshake(peer, SAID * 30_000), reads_request=False, context=context) as url:
        if trusted:
            with closing(WebSocket.open(url, TIMEOUT_SECONDS)) as one:
                assert [one.receive(TIMEOUT_SECONDS) for _ in range(30_000)] == [b"said"] * 30_000
        else:
            with pytest.raises(ssl.SSLCertVerificationError):
                WebSocket.open(url, TIMEOUT_SECONDS)

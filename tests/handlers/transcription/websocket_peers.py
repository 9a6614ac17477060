"""Servers for tests of the WebSocket client, over real sockets.

`websocket_server` implements the protocol. `tcp_server` only accepts a connection, so a test decides each byte that is
sent. Each URL contains the word "canary" in place of a signature, which must be in no log and no error.
"""

import contextlib
import logging
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from http import HTTPStatus

from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve
from websockets.utils import accept_key

TIMEOUT_SECONDS = 20.0
"""Time after which a test fails. No successful test waits that long."""
Peer = Callable[[ServerConnection], None]
"""Behaviour of a server after the handshake."""


@contextlib.contextmanager
def websocket_server(peer: Peer, status: int = 101) -> Iterator[str]:
    """Run a WebSocket server and yield its URL. Unless `status` is 101, it refuses each handshake with this status."""

    def check_request(connection: ServerConnection, _request: Request) -> Response | None:
        return None if status == 101 else connection.respond(HTTPStatus(status), "no")

    silent_logger = logging.Logger("peer", logging.CRITICAL + 1)  # noqa: LOG001
    with serve(
        peer, "127.0.0.1", 0, process_request=check_request, close_timeout=1, compression=None, logger=silent_logger
    ) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}/?X-Amz-Signature=canary"
        finally:
            server.shutdown()
            thread.join(TIMEOUT_SECONDS)


@contextlib.contextmanager
def tcp_server(
    answer: Callable[[socket.socket], None], *, reads_request: bool = True, context: ssl.SSLContext | None = None
) -> Iterator[str]:
    """Run a server that accepts one connection and calls `answer` with it, and yield its URL.

    By default, it first reads the client's request. With `context`, the connection uses TLS.
    """
    done = threading.Event()

    def accept() -> None:
        connection, _ = listener.accept()
        with (
            connection,
            contextlib.suppress(OSError),  # a client that does not trust the server closes the connection
            context.wrap_socket(connection, server_side=True) if context else connection as peer,
        ):
            if reads_request:
                peer.recv(4096)
            answer(peer)
            done.wait(TIMEOUT_SECONDS)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield f"{'wss' if context else 'ws'}://127.0.0.1:{listener.getsockname()[1]}/?X-Amz-Signature=canary"
        finally:
            done.set()
            thread.join(TIMEOUT_SECONDS)


def answer_handshake(peer: socket.socket, *frames: bytes) -> None:
    """Read a handshake request and accept it. The frames are sent in the same packet."""
    [key] = re.findall(rb"(?i)sec-websocket-key: (\S+)", peer.recv(65536))
    fields = ["Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Accept: {accept_key(key.decode())}"]
    head = "\r\n".join(["HTTP/1.1 101 Switching Protocols", *fields, "", ""])
    peer.sendall(head.encode() + b"".join(frames))


def send_and_wait(*messages: str | bytes) -> Peer:
    """Return a peer that sends these messages and then waits until the client closes the connection."""

    def peer(connection: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            for message in messages:
                connection.send(message)
            while True:
                connection.recv()

    return peer


def ignore_until(event: threading.Event) -> Peer:
    """Return a peer that neither reads nor answers until the event is set."""

    def peer(connection: ServerConnection) -> None:
        connection.recv_flow_control.acquire()
        event.wait(TIMEOUT_SECONDS)
        connection.recv_flow_control.release()

    return peer

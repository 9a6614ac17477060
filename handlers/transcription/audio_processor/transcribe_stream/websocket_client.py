"""WebSocket client for a stream of Amazon Transcribe. `stream_client` interprets the messages.

The "peer" is the other end of the connection, usually Amazon Transcribe.

The client reads and writes only while one of its methods runs, and each method has a time limit.

The library `websockets` implements the protocol. But the library's own client is not used, because it reads in a second
thread. OpenSSL does not allow two threads to use one TLS session.
"""

import contextlib
import logging
import select
import socket
import ssl
import time
from collections import deque
from typing import Self

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import WebSocketURI, parse_uri

MAX_MESSAGE = 256 * 1024
"""Maximum size of a received message in bytes."""
MAX_WAITING = 16
"""Number of received messages that may wait for the caller. If so many wait, nothing more is read until the caller
takes one."""
MAX_FRAMES = 1_000
"""Maximum number of frames of one message. It is limited because all frames are kept until the last one arrives, and
empty frames do not count towards MAX_MESSAGE."""
MAX_UNWRITTEN_ANSWERS = 256 * 1024
"""Maximum size in bytes of the answers to pings that wait to be written. A peer that sends pings but does not read the
answers is disconnected."""
READ_BYTES = 64 * 1024
"""Size of one read. It is larger than a TLS record. Otherwise a part of the record could stay in the TLS buffer, and
polling the socket would not show it."""
SEND_SECONDS = 0.2
"""Time limit for sending when the system's buffer is full. A peer that reads nothing for so long is treated as gone,
because the invocation cannot wait longer."""
CLOSE_SECONDS = 0.1
"""Time limit for the closing handshake. It is short, because all messages that matter were received before."""

# Created without `getLogger`, so that no logging configuration makes it log frames or URLs.
_SILENT_LOGGER = logging.Logger("websocket", logging.CRITICAL + 1)  # noqa: LOG001


class PeerGone(Exception):
    """The peer accepts no more messages."""


class WebSocket:
    def __init__(self, sock: socket.socket, uri: WebSocketURI) -> None:
        self._socket = sock
        self._protocol = ClientProtocol(uri, max_size=MAX_MESSAGE, logger=_SILENT_LOGGER)
        self._outgoing = bytearray()
        self._frames: list[Frame] = []
        """Frames of the message whose last frame has not arrived."""
        self._messages: deque[bytes | str] = deque()
        """Received messages that the caller has not taken."""
        self._sending_stopped = False
        self._unwritten_answers = 0
        """Number of bytes that answer pings and wait to be written."""

    @classmethod
    def open(cls, url: str, timeout_seconds: float) -> Self:
        """Connect to a URL. Errors of the network, of TLS and of the library's handshake are raised unchanged."""
        deadline = time.monotonic() + timeout_seconds
        uri = parse_uri(url)
        sock = _connect(uri, deadline)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(max(0.001, deadline - time.monotonic()))
            if uri.secure:
                sock = ssl.create_default_context().wrap_socket(sock, server_hostname=uri.host)
            sock.setblocking(False)
            opened = cls(sock, uri)
            opened._open_handshake(deadline)
        except BaseException:
            sock.close()
            raise
        return opened

    @property
    def is_over(self) -> bool:
        """True if no more message can be received."""
        return self._protocol.state is not State.OPEN and not self._messages

    @property
    def peer_close_code(self) -> int | None:
        """Code with which the peer has closed the connection, or None if it has not."""
        return None if self._protocol.close_rcvd is None else self._protocol.close_rcvd.code

    @property
    def is_broken(self) -> bool:
        """True if the peer has violated the protocol."""
        return self._protocol.parser_exc is not None and not isinstance(self._protocol.parser_exc, EOFError)

    def send(self, message: bytes) -> None:
        """Send a binary message. Raise PeerGone if the peer accepts no more messages."""
        self._step(deadline=0)  # reads first, to find out if the peer has closed the connection
        if self._sending_stopped or self._protocol.state is not State.OPEN:
            raise PeerGone
        self._protocol.send_binary(message)
        deadline = time.monotonic() + SEND_SECONDS
        while self._collect_outgoing():
            if not self._step(deadline) and self._collect_outgoing():
                self._disconnect()
                raise PeerGone

    def receive(self, timeout_seconds: float) -> bytes | str | None:
        """Return the next message, or None if none comes in time or the connection is over.

        Amazon Transcribe sends only binary messages. So the content of a text message is not needed, and an empty
        string is returned for it.
        """
        deadline = time.monotonic() + timeout_seconds
        while not self._messages and not self.is_over and self._step(deadline):
            pass
        return self._messages.popleft() if self._messages else None

    def close(self) -> None:
        """Send a close frame, wait a moment for the answer, and close the connection in any case."""
        deadline = time.monotonic() + CLOSE_SECONDS
        with contextlib.suppress(Exception):
            if self._protocol.state is State.OPEN:
                self._protocol.send_close(1000)
            self._messages.clear()
            while (self._collect_outgoing() or self._awaits_close()) and self._step(deadline):
                self._messages.clear()
        self._disconnect()
        self._socket.close()

    def _open_handshake(self, deadline: float) -> None:
        self._protocol.send_request(self._protocol.connect())
        while self._protocol.state is State.CONNECTING and self._protocol.handshake_exc is None:
            if not self._step(deadline):
                break
        if self._protocol.handshake_exc is not None:
            raise self._protocol.handshake_exc
        if self._protocol.state is State.CONNECTING:
            raise TimeoutError

    def _awaits_close(self) -> bool:
        return self._protocol.state is State.CLOSING and self.peer_close_code is None and not self.is_broken

    def _step(self, deadline: float) -> bool:
        """Write and read once, when the socket is ready.

        Return False if the deadline has passed or the connection is closed.
        """
        if self._protocol.state is State.CLOSED:
            return False
        reading = len(self._messages) < MAX_WAITING
        poll = select.poll()
        poll.register(
            self._socket, (select.POLLIN if reading else 0) | (select.POLLOUT if self._collect_outgoing() else 0)
        )
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            return False
        try:
            self._write()
            if reading:
                self._read()
        except OSError:
            self._disconnect()
        return time.monotonic() < deadline

    def _collect_outgoing(self) -> bool:
        """Move the library's outgoing bytes to the buffer, and return True if any wait to be written.

        The library asks for the end of sending by an empty item. It disappears here, which does no harm, because
        `close` ends sending too.
        """
        self._outgoing += b"".join(self._protocol.data_to_send())
        if self._sending_stopped:
            self._outgoing.clear()
        return bool(self._outgoing)

    def _write(self) -> None:
        try:
            if self._outgoing:
                del self._outgoing[: self._socket.send(self._outgoing)]
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        except OSError:
            # Only sending stops, because data that the peer has already sent may still be read.
            self._sending_stopped = True

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            data = self._socket.recv(READ_BYTES)
            if data:
                size_before = len(self._outgoing)
                self._protocol.receive_data(data)
                self._collect_outgoing()
                # The bytes that receiving adds to the outgoing ones are the library's answers, usually to pings.
                added = len(self._outgoing) - size_before
                self._unwritten_answers = self._unwritten_answers + added if self._outgoing else 0
                if self._unwritten_answers > MAX_UNWRITTEN_ANSWERS:
                    self._disconnect()
            else:
                self._protocol.receive_eof()
            self._collect_messages()

    def _collect_messages(self) -> None:
        for frame in self._protocol.events_received():
            if isinstance(frame, Frame) and frame.opcode in {Opcode.TEXT, Opcode.BINARY, Opcode.CONT}:
                self._frames.append(frame)
                if len(self._frames) > MAX_FRAMES:
                    self._frames.clear()
                    self._disconnect()
                    return
                if frame.fin:
                    binary = self._frames[0].opcode is Opcode.BINARY
                    self._messages.append(b"".join(frame.data for frame in self._frames) if binary else "")
                    self._frames.clear()

    def _disconnect(self) -> None:
        """Treat the connection as closed by the peer, without waiting for it."""
        self._sending_stopped = True
        self._protocol.receive_eof()


def _connect(uri: WebSocketURI, deadline: float) -> socket.socket:
    """Connect to the first address of the host that answers, before the deadline."""
    failure: OSError = TimeoutError()
    for family, kind, protocol, _, address in socket.getaddrinfo(uri.host, uri.port, type=socket.SOCK_STREAM):
        left = deadline - time.monotonic()
        if left <= 0:
            break
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(left)
            sock.connect(address)
        except OSError as error:
            sock.close()
            failure = error
            continue
        return sock
    raise failure

"""A WebSocket client that works in its caller's thread alone, and never for longer than it is allowed to.

It decides when bytes are read and written: only inside of a call. A second thread that reads, as the library's own
client has one, would use one TLS session from two threads, which OpenSSL does not allow. The protocol itself is the
library's, and what the messages mean is left to the caller.
"""

import contextlib
import logging
import select
import socket
import ssl
import time
from collections import deque
from types import TracebackType
from typing import Self

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import WebSocketURI, parse_uri

MAX_MESSAGE = 256 * 1024
MAX_WAITING = 16
"""Messages that may wait to be received while something is sent."""
MAX_PARTS = 1_000
"""Of one message: each is kept until the last has come, and may be empty."""
MAX_OWED = 256 * 1024
"""Answers to pings that may wait to be written: a peer that asks for them and reads none is let go."""
READ_BYTES = 64 * 1024
"""More than a TLS record: nothing is left inside of TLS, where waiting for the socket would not show it."""
SEND_SECONDS = 0.2
"""A peer that takes nothing for as long, when what the system holds for it is full, will not take any more; nor may an
invocation wait longer for it."""
CLOSE_SECONDS = 0.1
"""For a good-bye, which changes nothing any more: all that was to be heard has been."""

# Not in the hierarchy, so that no configuration of the process makes it write frames or addresses.
_UNHEARD = logging.Logger("websocket", logging.CRITICAL + 1)  # noqa: LOG001


class PeerGone(Exception):
    """The peer takes no more messages."""


class WebSocket:
    """An open connection."""

    def __init__(self, sock: socket.socket, uri: WebSocketURI) -> None:
        self._socket = sock
        self._protocol = ClientProtocol(uri, max_size=MAX_MESSAGE, logger=_UNHEARD)
        self._outgoing = bytearray()
        self._parts: list[Frame] = []
        self._messages: deque[bytes | str] = deque()
        self._deaf = False
        self._owed = 0

    @classmethod
    def open(cls, url: str, timeout_seconds: float) -> Self:
        """Connects; raises what the network, TLS or the library's handshake raises."""
        deadline = time.monotonic() + timeout_seconds
        uri = parse_uri(url)
        sock = _reached(uri, deadline)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(max(0.001, deadline - time.monotonic()))
            if uri.secure:
                sock = ssl.create_default_context().wrap_socket(sock, server_hostname=uri.host)
            sock.setblocking(False)
            opened = cls(sock, uri)
            opened._shake_hands(deadline)
        except BaseException:
            sock.close()
            raise
        return opened

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def is_over(self) -> bool:
        """Whether nothing can be received any more."""
        return self._protocol.state is not State.OPEN and not self._messages

    @property
    def peer_close_code(self) -> int | None:
        """The code with which the peer has closed, if it has."""
        return None if self._protocol.close_rcvd is None else self._protocol.close_rcvd.code

    @property
    def is_broken(self) -> bool:
        """Whether the peer has broken the protocol."""
        return self._protocol.parser_exc is not None and not isinstance(self._protocol.parser_exc, EOFError)

    def send(self, message: bytes) -> None:
        """Sends a binary message."""
        self._step(0)  # a peer that has closed meanwhile is to be noticed before it is spoken to
        if self._deaf or self._protocol.state is not State.OPEN:
            raise PeerGone
        self._protocol.send_binary(message)
        deadline = time.monotonic() + SEND_SECONDS
        while self._collect():
            if not self._step(deadline) and self._collect():
                self._lose()
                raise PeerGone

    def receive(self, timeout_seconds: float) -> bytes | str | None:
        """The next message; none if none comes in time, or ever. A text's content is nobody's business here."""
        deadline = time.monotonic() + timeout_seconds
        while not self._messages and not self.is_over and self._step(deadline):
            pass
        return self._messages.popleft() if self._messages else None

    def close(self) -> None:
        """Says good-bye, waits a moment for the answer, and lets go in any case."""
        deadline = time.monotonic() + CLOSE_SECONDS
        with contextlib.suppress(Exception):
            if self._protocol.state is State.OPEN:
                self._protocol.send_close(1000)
            self._messages.clear()
            while (self._collect() or self._awaits_good_bye()) and self._step(deadline):
                self._messages.clear()
        self._lose()
        self._socket.close()

    def _shake_hands(self, deadline: float) -> None:
        self._protocol.send_request(self._protocol.connect())
        while self._protocol.state is State.CONNECTING and self._protocol.handshake_exc is None:
            if not self._step(deadline):
                break
        if self._protocol.handshake_exc is not None:
            raise self._protocol.handshake_exc
        if self._protocol.state is State.CONNECTING:
            raise TimeoutError

    def _awaits_good_bye(self) -> bool:
        return self._protocol.state is State.CLOSING and self.peer_close_code is None and not self.is_broken

    def _step(self, deadline: float) -> bool:
        """Writes what waits and reads what has come, once; false if the time is over."""
        if self._protocol.state is State.CLOSED:
            return False
        reading = len(self._messages) < MAX_WAITING
        poll = select.poll()
        poll.register(self._socket, (select.POLLIN if reading else 0) | (select.POLLOUT if self._collect() else 0))
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            return False
        try:
            self._write()
            if reading:
                self._read()
        except OSError:
            self._lose()
        return time.monotonic() < deadline

    def _collect(self) -> bool:
        """Whether anything waits to be written. The library's mark for the end is left out: closing says it too."""
        self._outgoing += b"".join(self._protocol.data_to_send())
        if self._deaf:
            self._outgoing.clear()
        return bool(self._outgoing)

    def _write(self) -> None:
        try:
            if self._outgoing:
                del self._outgoing[: self._socket.send(self._outgoing)]
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        except OSError:
            # What it has said before may still be read.
            self._deaf = True

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            data = self._socket.recv(READ_BYTES)
            if data:
                waiting = len(self._outgoing)
                self._protocol.receive_data(data)
                self._collect()
                self._owed = self._owed + len(self._outgoing) - waiting if self._outgoing else 0
                if self._owed > MAX_OWED:
                    self._lose()
            else:
                self._protocol.receive_eof()
            self._take()

    def _take(self) -> None:
        for frame in self._protocol.events_received():
            if isinstance(frame, Frame) and frame.opcode in {Opcode.TEXT, Opcode.BINARY, Opcode.CONT}:
                self._parts.append(frame)
                if len(self._parts) > MAX_PARTS:
                    self._parts.clear()
                    self._lose()
                    return
                if frame.fin:
                    binary = self._parts[0].opcode is Opcode.BINARY
                    self._messages.append(b"".join(part.data for part in self._parts) if binary else "")
                    self._parts.clear()

    def _lose(self) -> None:
        """Nothing goes out or comes in any more."""
        self._deaf = True
        self._protocol.receive_eof()


def _reached(uri: WebSocketURI, deadline: float) -> socket.socket:
    """A connection to the first of the host's addresses that answers; all of them together have the time."""
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

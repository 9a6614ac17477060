"""One HTTP request and its response, each step of it with a time at which it is over.

It decides how one exchange goes: a connection of its own that is never used again, certificates checked as usual, no
redirect followed, no proxy taken from the environment, no encoding undone. Whether to ask again and what the body means
is left to others.

The standard library's client does HTTP. What it lacks is a limit for the whole of a step: its timeout begins again with
each byte, so that a peer that trickles can hold it for ever. Here each read of the socket gets what is left.
"""

import contextlib
import http.client
import io
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Self

from typing_extensions import Buffer

READ_BYTES = 64 * 1024


class HostUnreachable(Exception):
    """There is no connection, and the time for one is over."""


class MalformedResponse(Exception):
    """The peer does not speak HTTP."""


class TruncatedBody(Exception):
    """The body is over before its end."""


@dataclass(frozen=True)
class HttpRequest:
    """A POST, ready to be sent."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    """None: in the clear."""
    target: str = field(repr=False)
    """Path and query."""
    headers: Mapping[str, str] = field(repr=False)
    """With the host as the peer is to see it."""
    body: bytes = field(repr=False)


class HttpExchange:
    """A response whose head has come; the body is read bit by bit."""

    def __init__(self, sock: "_Socket", response: http.client.HTTPResponse) -> None:
        self._socket = sock
        self._response = response

    @classmethod
    def begin(cls, request: HttpRequest, connect_seconds: float, deadline: float, now: Callable[[], float]) -> Self:
        """Sends, and waits for the response's head; raises OSError (TimeoutError among them), Unreachable or Malformed."""
        connected = _connected(request, min(now() + connect_seconds, deadline), now)
        if connected is None:
            raise HostUnreachable
        sock = _Socket(connected, now, deadline)
        try:
            connection = http.client.HTTPConnection(request.host, request.port)
            connection.sock = sock
            # Whoever does not want the whole of it may have answered already.
            with contextlib.suppress(ConnectionError):
                connection.request("POST", request.target, request.body, {**request.headers, "Connection": "close"})
            response = _head(connection)
        except BaseException:
            sock.release()
            raise
        if response is None:
            sock.release()
            raise MalformedResponse
        return cls(sock, response)

    @property
    def status(self) -> int:
        """The response's status."""
        return self._response.status

    def header(self, name: str) -> str | None:
        """A header of the response."""
        return self._response.getheader(name)

    def read(self, deadline: float) -> bytes:
        """What has come of the body, at least a byte; none at its end. Raises OSError, Malformed or Cut."""
        self._socket.deadline = deadline
        try:
            return self._response.read1(READ_BYTES)
        except http.client.IncompleteRead:
            failure: type[Exception] = TruncatedBody
        except http.client.HTTPException:
            failure = MalformedResponse
        raise failure

    def close(self) -> None:
        """Lets go of the connection."""
        self._response.close()
        self._socket.release()


def _connected(request: HttpRequest, deadline: float, now: Callable[[], float]) -> socket.socket | None:
    """A socket, if there is one in time; each address that a name stands for gets the whole of it."""
    try:
        sock = socket.create_connection((request.host, request.port), timeout=_remaining(deadline, now))
    except TimeoutError:
        return None
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if request.tls is None:
            return sock
        sock.settimeout(_remaining(deadline, now))
        return request.tls.wrap_socket(sock, server_hostname=request.host)
    except TimeoutError:
        sock.close()
        return None
    except BaseException:
        sock.close()
        raise


def _remaining(deadline: float, now: Callable[[], float]) -> float:
    if (remaining := deadline - now()) <= 0:
        raise TimeoutError
    return remaining


def _head(connection: http.client.HTTPConnection) -> http.client.HTTPResponse | None:
    try:
        return connection.getresponse()
    except http.client.RemoteDisconnected:
        raise
    except (http.client.HTTPException, ValueError):
        # It holds what the peer said.
        return None


class _Socket(io.RawIOBase):
    """A socket whose reads share one deadline, as http.client uses it.

    http.client closes the socket of a response that it still reads. So `close` does nothing, and `release` closes.
    """

    def __init__(self, sock: socket.socket, now: Callable[[], float], deadline: float) -> None:
        self.deadline = deadline
        self._socket = sock
        self._now = now

    def sendall(self, data: bytes) -> None:
        self._socket.settimeout(_remaining(self.deadline, self._now))
        self._socket.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self, READ_BYTES)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        self._socket.settimeout(_remaining(self.deadline, self._now))
        count = self._socket.recv_into(buffer)
        _remaining(self.deadline, self._now)
        return count

    def close(self) -> None:
        """Nothing."""

    def release(self) -> None:
        self._socket.close()

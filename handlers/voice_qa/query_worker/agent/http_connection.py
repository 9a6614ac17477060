"""Address of an agent, and one HTTP request to it with its response. Each step has a deadline.

Each request has its own connection, which is never reused. Certificates are verified as usual. Redirects, proxies of
the environment and content encodings are not supported. `agent_call` decides about retries and interprets the body.

The standard library's client implements HTTP. It has no limit for a whole step: its timeout starts again with each
byte, so a peer that sends slowly could hold it for ever. Here, each read of the socket gets only the remaining time.
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

from handlers.voice_qa.agent_url import parse_agent_url

READ_BYTES = 64 * 1024
"""Maximum size of one read."""
_PORTS = {"http": 80, "https": 443}


class HostUnreachable(Exception):
    """No connection was made in time."""


class MalformedResponse(Exception):
    """The peer violated HTTP."""


class TruncatedBody(Exception):
    """The body ended before its announced end."""


@dataclass(frozen=True)
class AgentAddress:
    """Address of an HTTP service."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    """TLS context; None for plain HTTP."""
    path: str
    """Path without a slash at its end."""

    @property
    def authority(self) -> str:
        """Host and port for signatures and the Host header, without the default port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS["http" if self.tls is None else "https"] else f"{host}:{self.port}"

    @classmethod
    def from_endpoint(cls, endpoint: str, tls: ssl.SSLContext | None = None) -> Self:
        """Return the address of an endpoint. Raises ValueError. `tls` replaces the default TLS context."""
        parts = parse_agent_url(endpoint)
        context = (tls or ssl.create_default_context()) if parts.scheme == "https" else None
        return cls(parts.hostname or "", parts.port or _PORTS[parts.scheme], context, parts.path.rstrip("/"))


@dataclass(frozen=True)
class HttpRequest:
    """A POST request."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    """TLS context; None for plain HTTP."""
    target: str = field(repr=False)
    """Path and query."""
    headers: Mapping[str, str] = field(repr=False)
    """Headers, including `Host`."""
    body: bytes = field(repr=False)


class HttpExchange:
    """A request that was sent, and its response, whose headers have arrived. The body is read in chunks."""

    def __init__(self, sock: "_Socket", response: http.client.HTTPResponse) -> None:
        self._socket = sock
        self._response = response

    @classmethod
    def start(cls, request: HttpRequest, connect_seconds: float, deadline: float, now: Callable[[], float]) -> Self:
        """Send the request and return the exchange once the response's headers have arrived.

        Raises OSError (including TimeoutError), HostUnreachable or MalformedResponse.
        """
        connected = _connect(request, min(now() + connect_seconds, deadline), now)
        if connected is None:
            raise HostUnreachable
        sock = _Socket(connected, now, deadline)
        try:
            connection = http.client.HTTPConnection(request.host, request.port)
            connection.sock = sock
            # A service that refuses the request may have answered before it received the whole body.
            with contextlib.suppress(ConnectionError):
                connection.request("POST", request.target, request.body, {**request.headers, "Connection": "close"})
            response = _receive_head(connection)
        except BaseException:
            sock.release()
            raise
        if response is None:
            sock.release()
            raise MalformedResponse
        return cls(sock, response)

    @property
    def status(self) -> int:
        """Status code of the response."""
        return self._response.status

    def header(self, name: str) -> str | None:
        """Return a header of the response."""
        return self._response.getheader(name)

    def read(self, deadline: float) -> bytes:
        """Return the next bytes of the body; nothing at its end. Raises OSError, MalformedResponse or TruncatedBody."""
        self._socket.deadline = deadline
        try:
            return self._response.read1(READ_BYTES)
        except http.client.IncompleteRead:
            failure: type[Exception] = TruncatedBody
        except http.client.HTTPException:
            failure = MalformedResponse
        raise failure

    def close(self) -> None:
        """Close the connection."""
        self._response.close()
        self._socket.release()


def _connect(request: HttpRequest, deadline: float, now: Callable[[], float]) -> socket.socket | None:
    """Return a connected socket; None if the time is over.

    Each IP address of the host gets the time that remains at the start, so a host with several addresses may take
    longer.
    """
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
    """Return the seconds until the deadline. Raises TimeoutError if there are none."""
    if (remaining := deadline - now()) <= 0:
        raise TimeoutError
    return remaining


def _receive_head(connection: http.client.HTTPConnection) -> http.client.HTTPResponse | None:
    """Return the response once its headers have arrived; None if they violate HTTP. Raises OSError."""
    try:
        return connection.getresponse()
    except http.client.RemoteDisconnected:
        raise  # an HTTPException too, but it means that the connection was closed
    except (http.client.HTTPException, ValueError):
        # Not raised on, because the exception contains data of the peer.
        return None


class _Socket(io.RawIOBase):
    """Socket for http.client whose reads share one deadline.

    http.client closes the socket of a response that it still reads. So `close` does nothing, and `release` closes the
    socket.
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
        _remaining(self.deadline, self._now)  # raises TimeoutError if the deadline has passed meanwhile
        return count

    def close(self) -> None:
        """Do nothing."""

    def release(self) -> None:
        self._socket.close()

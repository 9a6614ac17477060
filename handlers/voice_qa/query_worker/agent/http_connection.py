"""HTTP request to an agent, and its response. Each step has a deadline: connecting, the headers, and each read.

The standard library's `http.client` implements HTTP, but its timeout starts again with each byte, so a server that sends
slowly could block it for ever. Here, each read of the socket only gets the time until the deadline.

Each request has its own connection, which is never reused. Redirects, proxy settings of the environment and compressed
responses are not supported. `agent_call` decides about retries and interprets the body.
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

from handlers.voice_qa.agent_url_validation import parse_agent_url

READ_BYTES = 64 * 1024
"""Maximum size of one read."""
_PORTS = {"http": 80, "https": 443}


class HostUnreachable(Exception):
    """No connection was established in time."""


class MalformedResponse(Exception):
    """The response violates HTTP."""


class TruncatedBody(Exception):
    """The body ended before its announced end."""


@dataclass(frozen=True)
class AgentAddress:
    host: str
    port: int
    tls: ssl.SSLContext | None
    """TLS context, or None for plain HTTP."""
    path: str
    """Path without a slash at its end."""

    @property
    def authority(self) -> str:
        """Host and port for the header `Host`, without the default port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS["http" if self.tls is None else "https"] else f"{host}:{self.port}"

    @classmethod
    def from_endpoint(cls, endpoint: str, tls: ssl.SSLContext | None = None) -> Self:
        """Return the address of an endpoint. Raises ValueError for an invalid URL. `tls` replaces the default context."""
        parts = parse_agent_url(endpoint)
        context = (tls or ssl.create_default_context()) if parts.scheme == "https" else None
        return cls(parts.hostname or "", parts.port or _PORTS[parts.scheme], context, parts.path.rstrip("/"))


@dataclass(frozen=True)
class HttpRequest:
    """A POST request."""

    address: AgentAddress
    target: str = field(repr=False)
    """Path and query."""
    headers: Mapping[str, str] = field(repr=False)
    """Headers, including `Host`."""
    body: bytes = field(repr=False)


class HttpExchange:
    """A request that was sent, and its response, of which the headers have arrived."""

    def __init__(self, sock: "_Socket", response: http.client.HTTPResponse) -> None:
        self._socket = sock
        self._response = response

    @classmethod
    def start(cls, request: HttpRequest, connect_seconds: float, deadline: float, now: Callable[[], float]) -> Self:
        """Send the request, wait for the headers of the response, and return the exchange.

        `deadline` is a time on the clock `now`. Raises OSError (including TimeoutError), HostUnreachable or
        MalformedResponse.
        """
        connected = _connect(request.address, min(now() + connect_seconds, deadline), now)
        if connected is None:
            raise HostUnreachable
        sock = _Socket(connected, now, deadline)
        try:
            connection = http.client.HTTPConnection(request.address.host, request.address.port)
            connection.sock = sock
            # A service that refuses the request may answer and close the connection before it received the whole body.
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
        return self._response.status

    def header(self, name: str) -> str | None:
        return self._response.getheader(name)

    def read(self, deadline: float) -> bytes:
        """Return the next bytes of the body, or no bytes at its end.

        Raises OSError (including TimeoutError), MalformedResponse or TruncatedBody.
        """
        self._socket.deadline = deadline
        try:
            return self._response.read1(READ_BYTES)
        except http.client.IncompleteRead:
            failure: type[Exception] = TruncatedBody
        except http.client.HTTPException:
            failure = MalformedResponse
        raise failure

    def close(self) -> None:
        self._response.close()
        self._socket.release()


def _connect(address: AgentAddress, deadline: float, now: Callable[[], float]) -> socket.socket | None:
    """Return a connected socket, or None if the deadline passes before.

    A host with several IP addresses may take longer: each address gets the time that remains at the start.
    """
    try:
        sock = socket.create_connection((address.host, address.port), timeout=_remaining(deadline, now))
    except TimeoutError:
        return None
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if address.tls is None:
            return sock
        sock.settimeout(_remaining(deadline, now))
        return address.tls.wrap_socket(sock, server_hostname=address.host)
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
    """Wait for the headers and return the response, or None if they violate HTTP. Raises OSError."""
    try:
        return connection.getresponse()
    except http.client.RemoteDisconnected:
        raise  # Although it is an HTTPException, it means that the connection was closed.
    except (http.client.HTTPException, ValueError):
        # The exception is not passed on, because it contains data from the server.
        return None


class _Socket(io.RawIOBase):
    """Socket for http.client whose reads and writes end at one deadline.

    http.client calls `close` while the response is still being read. So `close` does nothing, and `release` closes the
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
        _remaining(self.deadline, self._now)  # Raises TimeoutError if the deadline has passed meanwhile.
        return count

    def close(self) -> None:
        """Do nothing."""

    def release(self) -> None:
        self._socket.close()

"""Proxy in front of the emulator's S3. It forwards requests, and can stop writes.

A gate that is closed after a write has the same effect as if the run's process had been killed at this write: the
response to the write never arrives, and no later write is executed.
"""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

from local import LOOPBACK
from local.http_server import serve_handler

WRITES = frozenset({"PUT", "POST", "DELETE"})


class S3Gate:
    """Control of the proxy by the test."""

    def __init__(self, target: str) -> None:
        self.target = urlsplit(target)
        self.endpoint = ""
        """URL of the proxy."""
        self.lock = threading.Lock()
        self.open()

    def open(self, close_after: str = "") -> None:
        """Open the gate, for all requests or until the first write whose path contains a text."""
        self.close_after, self.is_closed = close_after, False

    def forward(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        """Send a request to the emulator and return its response."""
        connection = http.client.HTTPConnection(LOOPBACK, self.target.port or 80, timeout=30)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()


def _handler(gate: S3Gate) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            if self.headers.get("Expect") == "100-continue":
                self.send_response_only(100)
                self.end_headers()
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.command not in WRITES:
                self._respond(*gate.forward(self.command, self.path, dict(self.headers), body))
                return
            with gate.lock:  # one write at a time, so that the order of writes is defined
                if not gate.is_closed:
                    response = gate.forward(self.command, self.path, dict(self.headers), body)
                    gate.is_closed = bool(gate.close_after) and gate.close_after in self.path
                if gate.is_closed:
                    self.close_connection = True
                    return
            self._respond(*response)

        def _respond(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response_only(status)
            for name, value in headers.items():
                if name.lower() not in {"transfer-encoding", "connection", "content-length"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    return Handler


@contextmanager
def run_gate(target: str) -> Iterator[S3Gate]:
    """Start a gate in front of an endpoint."""
    s3_gate = S3Gate(target)
    with serve_handler(_handler(s3_gate)) as port:
        s3_gate.endpoint = f"http://{LOOPBACK}:{port}"
        yield s3_gate

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

Response = tuple[int, dict[str, str], bytes]
"""Status, headers and body."""


class S3Gate:
    """Control of the proxy by the test."""

    def __init__(self, target: str) -> None:
        self.port = urlsplit(target).port
        """Port of the emulator."""
        self.endpoint = ""
        """URL of the proxy."""
        self.lock = threading.Lock()
        self.open()

    def open(self, close_after: str = "") -> None:
        """Open the gate, for all requests or until the first write whose path contains a text."""
        self.close_after, self.is_closed = close_after, False

    def forward(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Response:
        """Send a request to the emulator and return its response."""
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=30)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()

    def respond(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Response | None:
        """Forward a request. Return the response, or None if the gate is closed."""
        if method == "GET":
            return self.forward(method, path, headers, body)
        with self.lock:  # one write at a time, so that the order of writes is defined
            response = None if self.is_closed else self.forward(method, path, headers, body)
            self.is_closed = self.is_closed or bool(self.close_after and self.close_after in path)
            return None if self.is_closed else response


@contextmanager
def run_gate(target: str) -> Iterator[S3Gate]:
    """Start a gate in front of an endpoint."""
    s3_gate = S3Gate(target)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            response = s3_gate.respond(self.command, self.path, dict(self.headers), body)
            if response is None:
                self.close_connection = True
                return
            status, headers, content = response
            self.send_response_only(status)
            for name, value in headers.items():
                if name.lower() not in {"transfer-encoding", "connection", "content-length"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with serve_handler(Handler) as port:
        s3_gate.endpoint = f"http://{LOOPBACK}:{port}"
        yield s3_gate

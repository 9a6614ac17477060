"""Proxy in front of the emulator's S3. It forwards requests, unless a test answers them."""

import http.client
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

from local import LOOPBACK
from local.http_server import serve_handler

Response = tuple[int, dict[str, str], bytes]
"""Status, headers and body."""


class S3Gate:
    """Control of the proxy by the test."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        """URL of the proxy."""
        self.answer: Callable[[str, str], Response | None] = lambda _method, _path: None
        """Function that answers the request with a method and a path, or returns None so that it is forwarded."""


@contextmanager
def run_gate(target: str) -> Iterator[S3Gate]:
    """Start a gate in front of an endpoint."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, headers, content = s3_gate.answer(self.command, self.path) or self.forward(body)
            self.send_response_only(status)
            for name, value in headers.items():
                if name.lower() not in {"transfer-encoding", "connection", "content-length"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815 - http.server's names

        def forward(self, body: bytes) -> Response:
            """Send the request to the emulator and return its response."""
            connection = http.client.HTTPConnection(LOOPBACK, urlsplit(target).port, timeout=30)
            try:
                connection.request(self.command, self.path, body, dict(self.headers))
                response = connection.getresponse()
                return response.status, dict(response.getheaders()), response.read()
            finally:
                connection.close()

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with serve_handler(Handler) as port:
        s3_gate = S3Gate(f"http://{LOOPBACK}:{port}")
        yield s3_gate

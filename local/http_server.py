"""HTTP servers in threads, for tests and for services that the local platform emulates itself. The servers listen on
the loopback interface only.
"""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from local import LOOPBACK

POLL_SECONDS = 0.02
"""Time after which a server checks again if it must stop."""


@contextmanager
def serve_handler(handler: Callable[..., BaseHTTPRequestHandler]) -> Iterator[int]:
    """Serve on a free port while the `with` block runs, and yield the port. Each connection has its own thread."""
    with ThreadingHTTPServer((LOOPBACK, 0), handler) as server, serve_in_thread(server):
        yield server.server_port


@contextmanager
def serve_in_thread(server: ThreadingHTTPServer) -> Iterator[None]:
    """Run an existing server in a thread while the `with` block runs."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": POLL_SECONDS}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


@dataclass(frozen=True)
class HttpRequest:
    """A GET, POST or PUT request to a server of `serve_json`."""

    method: str
    path: str
    """Percent-decoded path without the query."""
    headers: Mapping[str, str]
    """Headers by lower-case name."""
    body: bytes


@dataclass(frozen=True)
class HttpResponse:
    """A response in JSON: one document, or lines that are sent as soon as an iterator yields them.

    If the iterator raises a ConnectionError, the connection is closed in the middle of the response.
    """

    content: Mapping[str, Any] | Iterator[bytes]
    """The document, or the lines without their newlines."""
    status: HTTPStatus = HTTPStatus.OK
    headers: Mapping[str, str] = field(default_factory=dict)


def serve_json(respond: Callable[[HttpRequest], HttpResponse]) -> AbstractContextManager[int]:
    """Serve on a free port while the `with` block runs, and yield the port. `respond` returns the response to a request."""
    return serve_handler(type("Handler", (_JsonHandler,), {"respond": staticmethod(respond)}))


class _JsonHandler(BaseHTTPRequestHandler):
    """Handler of one GET, POST or PUT request per connection."""

    protocol_version = "HTTP/1.1"
    respond: Callable[[HttpRequest], HttpResponse]

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", "0")))
        response = self.respond(HttpRequest(self.command, unquote(self.path.partition("?")[0]), headers, body))
        with contextlib.suppress(ConnectionError):  # of the client, or of the response's iterator
            self._send(response)

    do_POST = do_PUT = do_GET  # noqa: N815 - http.server's names

    def _send(self, response: HttpResponse) -> None:
        content = response.content
        document = json.dumps(content).encode() if isinstance(content, Mapping) else None
        framing = ("Transfer-Encoding", "chunked") if document is None else ("Content-Length", str(len(document)))
        self.send_response(response.status)
        content_type = "application/jsonl" if document is None else "application/json"
        for name, value in (
            ("Content-Type", content_type),
            framing,
            ("Connection", "close"),
            *response.headers.items(),
        ):
            self.send_header(name, value)
        self.end_headers()
        if not isinstance(content, Mapping):
            for line in content:
                self.wfile.write(b"%x\r\n%b\n\r\n" % (len(line) + 1, line))  # the line with its newline as one chunk
        self.wfile.write(b"0\r\n\r\n" if document is None else document)

    def log_message(self, *_: object) -> None:
        """Print nothing."""

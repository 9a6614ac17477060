"""Web server of the console, which is a page that uses all backends (`console/`), for the running local platform.

The server provides the page's files and the data that the page needs: the stack output `frontend`, the addresses and
test credentials of the emulator (`local.json`), sample files, and two operations of ingestion (`console_ingestion.py`).

It listens on the loopback interface only. Other websites must not use the data through the user's browser, so two checks
refuse their requests. The Host header must name this server, which prevents DNS rebinding. And if the request comes from
a browser, the console's own page must have sent it.
"""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, parse_qs, urlsplit

from local import LOOPBACK, ROOT, CannotRun, console_ingestion
from local.emulation.identity_provider import token_url
from local.flows import sample_files
from local.platform import emulator, lifecycle
from local.platform.frontend_file import NOT_RUNNING_ERROR, FrontendUnavailable, read_frontend

PAGE = ROOT / "console"
"""Folder of the page's files."""
PORT = 8080
"""Port that is used if it is free."""
SUBJECT = "ann"
"""Name of the test user with which the console signs in."""
TYPES: Final[Mapping[str, str]] = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
OWN_SITE = frozenset([None, "same-origin", "none"])
"""Values of the header `Sec-Fetch-Site` that are allowed. `none` means the address bar. Clients that are not browsers do
not send the header."""
HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
}
FRONTEND, LOCAL, ROWS = "/frontend.json", "/local.json", "/rows.json"
"""Paths of the JSON documents."""
ROWS_PARAMETERS = ("manifest", "key", "version")
"""Query parameters of `ROWS`: the id of the manifest, and the S3 key and version of the file."""
FLUSH = "/flush"
"""Path for the POST request that processes the waiting files at once."""
SAMPLES = "/samples/"
"""Start of the path of a sample file."""


@dataclass(frozen=True)
class ConsoleResponse:
    """HTTP response of the console server."""

    status: HTTPStatus
    content_type: str
    body: bytes

    @classmethod
    def text(cls, status: HTTPStatus, text: str) -> "ConsoleResponse":
        """Return a plain-text response."""
        return cls(status, "text/plain; charset=utf-8", text.encode())

    @classmethod
    def document(cls, content: object) -> "ConsoleResponse":
        """Return a JSON response."""
        return cls(HTTPStatus.OK, "application/json", json.dumps(content).encode())


@dataclass(frozen=True)
class Console:
    """Responses of the console server: the page's files, and data of the platform."""

    folder: Path
    """Folder of the platform's files."""
    files: Mapping[str, Path]
    """Files of the page by URL path."""

    @classmethod
    def from_folder(cls, folder: Path) -> "Console":
        """Return the console with the page's files that exist now. Files that are added later are not served."""
        files = {f"/{path.relative_to(PAGE).as_posix()}": path for path in PAGE.rglob("*") if path.suffix in TYPES}
        return cls(folder, files | {"/": PAGE / "index.html"})

    def respond(self, url: SplitResult) -> ConsoleResponse:
        """Return the response for a GET request."""
        if url.path in {FRONTEND, LOCAL, ROWS}:
            return _respond_with(lambda: self._read_document(url))
        if url.path.startswith(SAMPLES):
            name = url.path.removeprefix(SAMPLES)
            content = sample_files.read_sample(name)
            if content is None:
                return ConsoleResponse.text(HTTPStatus.NOT_FOUND, "There is no such sample.")
            return ConsoleResponse(HTTPStatus.OK, sample_files.SAMPLES[name].content_type, content)
        file = self.files.get(url.path)
        if file is None:
            return ConsoleResponse.text(HTTPStatus.NOT_FOUND, "There is no such file.")
        return ConsoleResponse(HTTPStatus.OK, TYPES[file.suffix], file.read_bytes())

    def respond_to_post(self, url: SplitResult) -> ConsoleResponse:
        """Return the response for a POST request."""
        if url.path == FLUSH:
            return _respond_with(lambda: console_ingestion.flush_files(self.folder))
        return ConsoleResponse.text(HTTPStatus.METHOD_NOT_ALLOWED, "This address only accepts GET requests.")

    def content_security_policy(self) -> str:
        """Return the header Content-Security-Policy, which lets the page connect to this server and the platform only.

        The policy in the page's HTML applies, too.
        """
        running = emulator.find_running(self.folder)
        if running is None:
            return "connect-src 'self'; frame-ancestors 'none'"
        websockets = running.endpoint.replace("http", "ws", 1)
        origins = f"{running.endpoint} {websockets} {_find_token_url(running)}"
        return f"connect-src 'self' blob: {origins}; media-src blob: {running.endpoint}; frame-ancestors 'none'"

    def _read_document(self, url: SplitResult) -> dict[str, Any]:
        if url.path == FRONTEND:
            return read_frontend(self.folder).to_output()
        if url.path == LOCAL:
            return _describe_local_platform(self.folder)
        parameters = parse_qs(url.query)
        manifest, key, version = (parameters.get(name, [""])[0] for name in ROWS_PARAMETERS)
        return console_ingestion.read_file_rows(self.folder, manifest, key, version)


def _respond_with(read: Callable[[], Mapping[str, Any]]) -> ConsoleResponse:
    try:
        return ConsoleResponse.document(read())
    except CannotRun as error:
        return ConsoleResponse.text(HTTPStatus.SERVICE_UNAVAILABLE, str(error))


def _describe_local_platform(folder: Path) -> dict[str, Any]:
    """Return the content of `local.json`. Raise FrontendUnavailable if the platform is not running."""
    running = emulator.find_running(folder)
    if running is None:
        raise FrontendUnavailable(NOT_RUNNING_ERROR)
    return {
        "endpoint": running.endpoint,
        "login": _find_token_url(running),
        "subject": SUBJECT,
        "credentials": {"accessKeyId": emulator.ROOT_ACCESS_KEY, "secretAccessKey": emulator.ROOT_ACCESS_KEY},
    }


def _find_token_url(running: emulator.Emulator) -> str:
    """Return the token endpoint of the local identity provider."""
    return token_url(running.services["JWKS_URL"])


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "polyphony", ""

    def __init__(self, console: Console, *arguments: Any) -> None:
        self._console = console
        super().__init__(*arguments)

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        # Other websites may link to the page's files, but only the page itself may read the platform's data.
        if self._is_allowed(is_public=url.path in self._console.files):
            self._respond(self._console.respond(url))

    def do_POST(self) -> None:
        self.close_connection = True  # the body is not read, so it would be taken for the next request
        if self._is_allowed(is_public=False):
            self._respond(self._console.respond_to_post(urlsplit(self.path)))

    def _is_allowed(self, *, is_public: bool) -> bool:
        """Return True if the Host header names this server and, unless the target is public, the page sent the request.

        Otherwise, respond with 403.
        """
        port = self.connection.getsockname()[1]
        is_own_host = self.headers.get("Host") in {f"{LOOPBACK}:{port}", f"localhost:{port}"}
        if is_own_host and (is_public or self.headers.get("Sec-Fetch-Site") in OWN_SITE):
            return True
        text = f"Open http://{LOOPBACK}:{port}/. This server only answers requests of its own page."
        self._respond(ConsoleResponse.text(HTTPStatus.FORBIDDEN, text))
        return False

    def _respond(self, response: ConsoleResponse) -> None:
        self.send_response(response.status)
        self.send_header("Content-Type", response.content_type)
        self.send_header("Content-Length", str(len(response.body)))
        self.send_header("Content-Security-Policy", self._console.content_security_policy())
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(response.body)

    def log_message(self, *_: object) -> None:
        """Log no requests."""


def create_server(folder: Path, port: int) -> ThreadingHTTPServer:
    """Return a server that is bound but does not serve yet. If the given port is 0 or in use, it has a free port."""
    handler = partial(_Handler, Console.from_folder(folder))
    try:
        return ThreadingHTTPServer((LOOPBACK, port), handler)
    except OSError:
        return ThreadingHTTPServer((LOOPBACK, 0), handler)


def command(folder: Path = emulator.FOLDER) -> int:
    """Serve the console for `make console` until Ctrl-C; return the exit status."""
    if lifecycle.find_running_platform(folder) is None:
        print(NOT_RUNNING_ERROR, file=sys.stderr)
        return 2
    with create_server(folder, PORT) as server:
        print(f"The console is at http://{LOOPBACK}:{server.server_address[1]}/ (Ctrl-C stops it).")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()
    return 0

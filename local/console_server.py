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
from local.platform.frontend_file import NOT_RUNNING_ERROR, read_frontend

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


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "polyphony", ""

    def __init__(self, folder: Path, files: Mapping[str, Path], *arguments: Any) -> None:
        """`folder` contains the files of the running platform. `files` are the page's files by URL path."""
        self._folder = folder
        self._files = files
        super().__init__(*arguments)

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        file = self._files.get(url.path)
        # Other websites may link to the page's files, but only the page itself may read the platform's data.
        if not self._is_allowed(is_public=file is not None):
            return
        name = url.path.removeprefix(SAMPLES)
        if file is not None:
            self._respond(HTTPStatus.OK, TYPES[file.suffix], file.read_bytes())
        elif url.path in {FRONTEND, LOCAL, ROWS}:
            self._respond_with_document(lambda: self._read_document(url))
        elif url.path.startswith(SAMPLES) and (sample := sample_files.read_sample(name)) is not None:
            self._respond(HTTPStatus.OK, sample_files.SAMPLES[name].content_type, sample)
        else:
            self._respond_with_text(HTTPStatus.NOT_FOUND, "There is no such file.")

    def do_POST(self) -> None:
        self.close_connection = True  # the body stays unread, and the server would take it for the next request
        if not self._is_allowed(is_public=False):
            return
        if urlsplit(self.path).path == FLUSH:
            self._respond_with_document(lambda: console_ingestion.flush_files(self._folder))
        else:
            self._respond_with_text(HTTPStatus.METHOD_NOT_ALLOWED, "This address only accepts GET requests.")

    def _is_allowed(self, *, is_public: bool) -> bool:
        """Return True if the Host header names this server and, unless the target is public, the page sent the request.

        Otherwise, respond with 403.
        """
        port = self.connection.getsockname()[1]
        is_own_host = self.headers.get("Host") in {f"{LOOPBACK}:{port}", f"localhost:{port}"}
        if is_own_host and (is_public or self.headers.get("Sec-Fetch-Site") in OWN_SITE):
            return True
        text = f"Open http://{LOOPBACK}:{port}/. This server answers only requests of its page."
        self._respond_with_text(HTTPStatus.FORBIDDEN, text)
        return False

    def _read_document(self, url: SplitResult) -> Mapping[str, Any]:
        if url.path == FRONTEND:
            return read_frontend(self._folder).to_output()
        if url.path == ROWS:
            parameters = parse_qs(url.query)
            manifest, key, version = (parameters.get(name, [""])[0] for name in ROWS_PARAMETERS)
            return console_ingestion.read_file_rows(self._folder, manifest, key, version)
        running = emulator.find_running(self._folder)
        if running is None:
            raise CannotRun(NOT_RUNNING_ERROR)
        return {
            "endpoint": running.endpoint,
            "login": token_url(running.services["JWKS_URL"]),
            "subject": SUBJECT,
            "credentials": {"accessKeyId": emulator.ROOT_ACCESS_KEY, "secretAccessKey": emulator.ROOT_ACCESS_KEY},
        }

    def _respond_with_document(self, read: Callable[[], Mapping[str, Any]]) -> None:
        """Respond with a JSON document, or with an error if the platform cannot provide it."""
        try:
            document = read()
        except CannotRun as error:
            self._respond_with_text(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
        else:
            self._respond(HTTPStatus.OK, "application/json", json.dumps(document).encode())

    def _respond_with_text(self, status: HTTPStatus, text: str) -> None:
        self._respond(status, "text/plain; charset=utf-8", text.encode())

    def _respond(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", self._content_security_policy())
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _content_security_policy(self) -> str:
        """Return the header Content-Security-Policy, which lets the page connect to this server and the platform only.

        The policy in the page's HTML applies, too.
        """
        running = emulator.find_running(self._folder)
        if running is None:
            return "connect-src 'self'; frame-ancestors 'none'"
        websockets = running.endpoint.replace("http", "ws", 1)
        origins = f"{running.endpoint} {websockets} {token_url(running.services['JWKS_URL'])}"
        return f"connect-src 'self' blob: {origins}; media-src blob: {running.endpoint}; frame-ancestors 'none'"

    def log_message(self, *_: object) -> None:
        """Log no requests."""


def create_server(folder: Path, port: int) -> ThreadingHTTPServer:
    """Return a server that is bound but does not serve yet. If the given port is 0 or in use, it has a free port.

    It serves the page's files that exist now.
    """
    files = {f"/{path.relative_to(PAGE).as_posix()}": path for path in PAGE.rglob("*") if path.suffix in TYPES}
    handler = partial(_Handler, folder, files | {"/": PAGE / "index.html"})
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

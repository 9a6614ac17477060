"""Serves the console (`console/`) with the output `frontend` of the local platform that runs, on this machine alone.

`local.json` is what only this machine has: where the emulator and the identity provider are, and the owner's keys,
which everybody knows. So that no page from elsewhere reads it, whoever asks has to call this server by its own name (a
page whose name was made to lead here has another one), and a browser's request has to come from this server's own page.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from local import LOOPBACK, ROOT, CannotRun
from local.emulation.identity_provider import token_address
from local.platform import emulator, lifecycle
from local.platform.frontend_output import NOT_RUNNING, FrontendUnavailable, read_frontend

PAGE = ROOT / "console"
PORT = 8080
SUBJECT = "ann"
"""Whom the visitor is taken for until he says otherwise."""
TYPES: Final[Mapping[str, str]] = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
OWN_SITE = frozenset([None, "same-origin", "none"])
"""What browsers say of requests by this server's page, or by its visitor; others say nothing."""
HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
}
FRONTEND, LOCAL = "/frontend.json", "/local.json"


@dataclass(frozen=True)
class Answer:
    """What a request is answered with."""

    status: HTTPStatus
    kind: str
    body: bytes

    @classmethod
    def text(cls, status: HTTPStatus, words: str) -> "Answer":
        """Words for people."""
        return cls(status, "text/plain; charset=utf-8", words.encode())

    @classmethod
    def document(cls, content: object) -> "Answer":
        """JSON for the page."""
        return cls(HTTPStatus.OK, "application/json", json.dumps(content).encode())


@dataclass(frozen=True)
class Console:
    """What is served: the page's files, and what is known of the platform in a folder."""

    folder: Path
    files: Mapping[str, Path]

    @classmethod
    def of(cls, folder: Path) -> "Console":
        """The page as it is now; a file that comes later is not served."""
        files = {f"/{one.relative_to(PAGE).as_posix()}": one for one in PAGE.rglob("*") if one.suffix in TYPES}
        return cls(folder, files | {"/": PAGE / "index.html"})

    def answer(self, path: str) -> Answer:
        """To a request by this server's own page."""
        if path in {FRONTEND, LOCAL}:
            return self._known(path)
        file = self.files.get(path)
        if file is None:
            return Answer.text(HTTPStatus.NOT_FOUND, "there is no such file")
        return Answer(HTTPStatus.OK, TYPES[file.suffix], file.read_bytes())

    def policy(self) -> str:
        """What the page may reach: this stack and nothing else. The page's own policy holds beside it."""
        there = emulator.find_running(self.folder)
        if there is None:
            return "connect-src 'self'; frame-ancestors 'none'"
        sockets = there.endpoint.replace("http", "ws", 1)
        reached = f"{there.endpoint} {sockets} {_login(there)}"
        return f"connect-src 'self' {reached}; media-src blob: {there.endpoint}; frame-ancestors 'none'"

    def _known(self, path: str) -> Answer:
        try:
            return Answer.document(read_frontend(self.folder).exported() if path == FRONTEND else _local(self.folder))
        except CannotRun as error:
            return Answer.text(HTTPStatus.SERVICE_UNAVAILABLE, str(error))


def _local(folder: Path) -> dict[str, Any]:
    there = emulator.find_running(folder)
    if there is None:
        raise FrontendUnavailable(NOT_RUNNING)
    return {
        "endpoint": there.endpoint,
        "login": _login(there),
        "subject": SUBJECT,
        "credentials": {"accessKeyId": emulator.ROOT_ACCESS_KEY, "secretAccessKey": emulator.ROOT_ACCESS_KEY},
    }


def _login(there: emulator.Emulator) -> str:
    """Where the local identity provider gives tokens."""
    return token_address(there.services["JWKS_URL"])


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "polyphony", ""

    def __init__(self, console: Console, *given: Any) -> None:
        self._console = console
        super().__init__(*given)

    def do_GET(self) -> None:
        port = self.connection.getsockname()[1]
        named = self.headers.get("Host") in {f"{LOOPBACK}:{port}", f"localhost:{port}"}
        path = urlsplit(self.path).path
        # The page itself may be linked to; what is known here is for nobody else.
        own = path not in {FRONTEND, LOCAL} or self.headers.get("Sec-Fetch-Site") in OWN_SITE
        if not named or not own:
            self._answer(
                Answer.text(HTTPStatus.FORBIDDEN, f"this is http://{LOOPBACK}:{port}/, for its own page alone")
            )
            return
        self._answer(self._console.answer(path))

    def _answer(self, answer: Answer) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Content-Security-Policy", self._console.policy())
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def listening(folder: Path, port: int) -> ThreadingHTTPServer:
    """A server of the console that is not serving yet; on the port if it is free, on any if it is 0 or taken."""
    handler = partial(_Handler, Console.of(folder))
    try:
        return ThreadingHTTPServer((LOOPBACK, port), handler)
    except OSError:
        return ThreadingHTTPServer((LOOPBACK, 0), handler)


def command(folder: Path = emulator.FOLDER) -> int:
    """`make console`: serves until Ctrl-C."""
    if lifecycle.find_running_platform(folder) is None:
        print(NOT_RUNNING, file=sys.stderr)
        return 2
    with listening(folder, PORT) as server:
        print(f"the console is at http://{LOOPBACK}:{server.server_address[1]}/  (Ctrl-C ends it)")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()
    return 0

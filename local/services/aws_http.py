"""As much HTTP as a service of AWS needs: signed requests in, JSON out, refusals as the SDKs read them.

Requests have threads, so none keeps another waiting. An error's name is in a header and in the body: of AWS' two
protocols with JSON each looks in one of them.
"""

import json
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from local.http_server import running

MAX_BODY = 1024 * 1024
IDLE_SECONDS = 10
_CALLER = re.compile(r"Credential=([A-Za-z0-9]+)/")


class Refused(Exception):
    """An answer that is an error."""

    def __init__(self, status: HTTPStatus, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


@dataclass(frozen=True)
class Asked:
    """A request."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    target: str
    """The operation, where the protocol names it in a header."""
    caller: str
    """Whose key it is signed with. Whether the signature fits is not looked at: nobody is here but the machine's owner."""
    body: bytes


Answer = Callable[[Asked], tuple[HTTPStatus, Mapping[str, Any]]]


def serving(answer: Answer) -> AbstractContextManager[int]:
    """Serves while the block lasts, and gives the port."""
    return running(type("Handler", (_Handler,), {"answer": staticmethod(answer)}))


class _Handler(BaseHTTPRequestHandler):
    """One request a connection, as short as HTTP may be."""

    timeout = IDLE_SECONDS
    answer: Answer

    def do_GET(self) -> None:
        """Answers."""
        self._respond(b"")

    def do_POST(self) -> None:
        """Answers."""
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()) or int(length) > MAX_BODY:
            self.close_connection = True
            self._refuse(Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "BadRequestException", "too large"))
            return
        self._respond(self.rfile.read(int(length)))

    def _respond(self, body: bytes) -> None:
        try:
            self._send(*self.answer(self._asked(body)))
        except Refused as refused:
            self._refuse(refused)

    def _asked(self, body: bytes) -> Asked:
        signed = _CALLER.search(self.headers.get("Authorization", ""))
        if signed is None:
            told = "Missing Authentication Token"
            raise Refused(HTTPStatus.FORBIDDEN, "MissingAuthenticationTokenException", told)
        parts = urlsplit(self.path)
        target = self.headers.get("X-Amz-Target", "")
        return Asked(self.command, parts.path, parse_qs(parts.query), target, signed[1], body)

    def _refuse(self, refused: Refused) -> None:
        self._send(refused.status, {"__type": refused.code, "message": refused.message}, refused.code)

    def _send(self, status: HTTPStatus, body: Mapping[str, Any], error: str = "") -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if error:
            self.send_header("x-amzn-ErrorType", error)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class' name
        """Says nothing."""

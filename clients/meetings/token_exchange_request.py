"""The one request of the client that does not go to AWS: a token for credentials.

The token goes to the address that the client was made with and nowhere else: no redirect is followed.
"""

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from clients.meetings.client_errors import ExchangeFailed, ExchangeUnavailable, RequestRefused, TokenRefused
from handlers.meetings.auth_exchange.api_models import ExchangeResponse

PATH = "/exchange"
TIMEOUT_SECONDS = 15.0
MAX_BYTES = 64 * 1024
RETRY_SECONDS = 5.0
THIS_MACHINE = frozenset({"127.0.0.1", "::1", "localhost"})
_TOO_MANY = http.client.TOO_MANY_REQUESTS
_SERVER_ERROR = http.client.INTERNAL_SERVER_ERROR


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """What is to be found elsewhere is not asked for there."""

    def redirect_request(self, *_: Any) -> None:
        """None: the redirect comes back as an answer."""


class HttpExchange:
    """Asks the meetings backend for credentials."""

    def __init__(
        self, api_url: str, token: Callable[[], str], session_name: str, timeout_seconds: float = TIMEOUT_SECONDS
    ) -> None:
        """`token` gives a token that is good now, whenever it is called; from any thread."""
        scheme, here = urlsplit(api_url).scheme, on_this_machine(api_url)
        if scheme != "https" and not (scheme == "http" and here):
            raise ValueError("the API is reached by https, or on this machine: a token travels to it")
        self._url = api_url.rstrip("/") + PATH
        self._token = token
        self._session_name = session_name
        self._timeout_seconds = timeout_seconds
        # What is on this machine is not asked for through a proxy.
        self._opener = urllib.request.build_opener(_NoRedirect, *([urllib.request.ProxyHandler({})] if here else []))

    def __call__(self) -> ExchangeResponse:
        """Credentials of the token's user; raises ExchangeFailed."""
        body = json.dumps({"token": self._token(), "sessionName": self._session_name}).encode()
        headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "polyphony-client"}
        request = urllib.request.Request(self._url, body, headers, method="POST")  # noqa: S310 - checked above
        try:
            with self._opener.open(request, timeout=self._timeout_seconds) as answer:
                content = answer.read(MAX_BYTES)
        except urllib.error.HTTPError as error:
            with error:
                raise _refusal(error.code, _read(error), error.headers.get("Retry-After")) from None
        except (OSError, http.client.HTTPException) as error:
            raise ExchangeUnavailable("UNREACHABLE", f"the API did not answer ({type(error).__name__})") from None
        try:
            return ExchangeResponse.model_validate_json(content)
        except ValidationError:
            raise ExchangeFailed("NOT_UNDERSTOOD", "the API answered what this client does not understand") from None


def on_this_machine(url: str) -> bool:
    """Whether an address needs no network, and no proxy."""
    return urlsplit(url).hostname in THIS_MACHINE


def _read(error: urllib.error.HTTPError) -> bytes:
    try:
        return error.read(MAX_BYTES)
    except (OSError, http.client.HTTPException):
        return b""


def _refusal(status: int, content: bytes, retry_after: str | None) -> ExchangeFailed:
    """What an answer means that is not a good one; it may come from something on the way, and be in any form."""
    said = _object(content)
    code, message = str(said.get("code") or f"HTTP_{status}"), str(said.get("message") or "no reason was given")
    request_id = str(said.get("requestId") or "")
    if status == http.client.UNAUTHORIZED:
        return TokenRefused(code, message, request_id)
    if status >= _SERVER_ERROR or status == _TOO_MANY:
        return ExchangeUnavailable(code, message, request_id, _seconds(retry_after))
    return RequestRefused(code, message, request_id, _fields(said.get("fields")))


def _object(content: bytes) -> Mapping[str, Any]:
    try:
        said = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _fields(said: Any) -> tuple[tuple[str, str], ...]:
    listed = said if isinstance(said, list) else []
    return tuple((str(one.get("field")), str(one.get("rule"))) for one in listed if isinstance(one, dict))


def _seconds(said: str | None) -> float:
    return float(said) if said is not None and said.isascii() and said.isdecimal() else RETRY_SECONDS

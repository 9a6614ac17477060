"""HTTP request that exchanges an identity provider's token for AWS credentials.

It is the client's only request to the backend's API. Redirects are not followed, so that the token is sent only to the
configured URL.
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
"""Timeout for connecting, and for each read from the connection."""
MAX_BYTES = 64 * 1024
"""Maximum number of bytes that are read from a response."""
DEFAULT_RETRY_SECONDS = 5.0
"""Pause before a retry, if the response names none."""
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})
_TOO_MANY = http.client.TOO_MANY_REQUESTS
_SERVER_ERROR = http.client.INTERNAL_SERVER_ERROR


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Handler of `urllib` that follows no redirect."""

    def redirect_request(self, *_: Any) -> None:
        """Return None, so that the redirect is handled like an error response."""


class TokenExchangeRequest:
    """Callable that sends the request with a current token, and returns the response."""

    def __init__(
        self, api_url: str, token: Callable[[], str], session_name: str, timeout_seconds: float = TIMEOUT_SECONDS
    ) -> None:
        """`token` returns a valid token. It may be called from any thread.

        Raises ValueError if the token would be sent over HTTP without TLS to another machine.
        """
        scheme, is_local = urlsplit(api_url).scheme, is_local_url(api_url)
        if scheme != "https" and not (scheme == "http" and is_local):
            raise ValueError("api_url must use https, or http on localhost, because the token is sent to it")
        self._url = api_url.rstrip("/") + PATH
        self._token = token
        self._session_name = session_name
        self._timeout_seconds = timeout_seconds
        # A proxy that the environment names cannot reach an API on this machine.
        self._opener = urllib.request.build_opener(
            _NoRedirect, *([urllib.request.ProxyHandler({})] if is_local else [])
        )

    def __call__(self) -> ExchangeResponse:
        """Return AWS credentials for the token's user. Raises ExchangeFailed."""
        request_body = json.dumps({"token": self._token(), "sessionName": self._session_name}).encode()
        headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "polyphony-client"}
        request = urllib.request.Request(self._url, request_body, headers, method="POST")  # noqa: S310 - checked above
        try:
            with self._opener.open(request, timeout=self._timeout_seconds) as answer:
                body = answer.read(MAX_BYTES)
        except urllib.error.HTTPError as error:
            with error:
                raise _to_error(error.code, _read_body(error), error.headers.get("Retry-After")) from None
        except (OSError, http.client.HTTPException) as error:
            raise ExchangeUnavailable("UNREACHABLE", f"The API did not answer ({type(error).__name__}).") from None
        try:
            return ExchangeResponse.model_validate_json(body)
        except ValidationError:
            raise ExchangeFailed(
                "NOT_UNDERSTOOD", "The API's answer is not valid for this version of the client."
            ) from None


def is_local_url(url: str) -> bool:
    """Return True if the URL's host is this machine."""
    return urlsplit(url).hostname in LOOPBACK_HOSTS


def _read_body(error: urllib.error.HTTPError) -> bytes:
    try:
        return error.read(MAX_BYTES)
    except (OSError, http.client.HTTPException):
        return b""


def _to_error(status: int, body: bytes, retry_after: str | None) -> ExchangeFailed:
    """Return the exception for an error response, which may be from a proxy and have any body."""
    fields = _parse_object(body)
    code, message = str(fields.get("code") or f"HTTP_{status}"), str(fields.get("message") or "no reason was given")
    request_id = str(fields.get("requestId") or "")
    if status == http.client.UNAUTHORIZED:
        return TokenRefused(code, message, request_id)
    if status >= _SERVER_ERROR or status == _TOO_MANY:
        return ExchangeUnavailable(code, message, request_id, _parse_seconds(retry_after))
    return RequestRefused(code, message, request_id, _parse_fields(fields.get("fields")))


def _parse_object(body: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _parse_fields(value: Any) -> tuple[tuple[str, str], ...]:
    listed = value if isinstance(value, list) else []
    return tuple((str(item.get("field")), str(item.get("rule"))) for item in listed if isinstance(item, dict))


def _parse_seconds(text: str | None) -> float:
    return float(text) if text is not None and text.isascii() and text.isdecimal() else DEFAULT_RETRY_SECONDS

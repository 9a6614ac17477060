"""Tests of the exchange of a login token for AWS credentials: responses, errors, and URLs that may get a token."""

import json
import socket
import threading
from typing import Any

import pytest

from clients.meetings import ExchangeFailed, ExchangeUnavailable, MeetingsClient, RequestRefused, TokenRefused
from clients.meetings.token_exchange_request import TokenExchangeRequest
from handlers.common.identity.user_ids import derive_user_id
from tests.clients.meetings.fake_backend import Backend, Response
from tests.handlers.meetings.exchange_harness import LOCATION

SECRET = "secret-7f3a"
"""Text that no error may contain."""


def exchange(backend: Backend, **options: Any) -> Any:
    return TokenExchangeRequest(backend.url, backend.issue_token, "laptop", **options)()


def exchange_error(backend: Backend, response: Response) -> ExchangeFailed:
    """Exchange a token, and return the error that this response of the backend causes."""
    backend.fake_response = lambda: response
    with pytest.raises(ExchangeFailed) as raised:
        exchange(backend)
    return raised.value


def error_response(status: int, code: str = "X", headers: dict[str, str] | None = None) -> Response:
    body = {"code": code, "message": "Why.", "fields": [], "requestId": "r-7"}
    return status, headers or {}, json.dumps(body).encode()


def test_a_token_becomes_credentials_of_its_user(backend: Backend) -> None:
    access = exchange(backend)
    assert access.user == derive_user_id(backend.provider.issuer, "ann")
    assert (access.bucket_name, access.table_name, access.region) == (
        LOCATION.bucket_name,
        LOCATION.table_name,
        LOCATION.region,
    )
    backend.url += "/"
    assert exchange(backend).user == access.user, "the URL may end with a slash"
    assert json.loads(backend.request_bodies[0]) == {"token": backend.tokens[0], "sessionName": "laptop"}


def test_the_error_of_a_rejected_token_has_the_code_of_the_backend(backend: Backend) -> None:
    token = backend.issue_token()
    backend.advance(hours=2)
    with pytest.raises(TokenRefused) as raised:
        TokenExchangeRequest(backend.url, lambda: token, "laptop")()
    assert token not in repr(raised.value)
    assert raised.value.__cause__ is None
    assert (raised.value.code, raised.value.request_id) == ("TOKEN_EXPIRED", "r1")


def test_the_error_of_an_invalid_session_name_names_the_field(backend: Backend) -> None:
    with pytest.raises(RequestRefused, match="sessionName: Needs at least 2") as raised:
        TokenExchangeRequest(backend.url, backend.issue_token, "€")()
    assert [field for field, _ in raised.value.fields] == ["sessionName"]


@pytest.mark.parametrize(
    ("response", "seconds"),
    [
        (error_response(503, "UNAVAILABLE", {"Retry-After": "17"}), 17),
        (error_response(429, "THROTTLED"), 5),
        (error_response(500, "INTERNAL"), 5),
        (error_response(502, headers={"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}), 5),
    ],
)
def test_a_temporary_failure_states_when_to_retry(backend: Backend, response: Response, seconds: float) -> None:
    """Without a number of seconds in `Retry-After`, the error states five seconds."""
    error = exchange_error(backend, response)
    assert isinstance(error, ExchangeUnavailable)
    assert error.retry_after_seconds == seconds


@pytest.mark.parametrize(
    ("status", "body", "error_class", "code"),
    [
        (502, b"<html>", ExchangeUnavailable, "HTTP_502"),
        (401, b"", TokenRefused, "HTTP_401"),
        (400, b'{"code": null, "fields": {"a": 1}}', RequestRefused, "HTTP_400"),
        (400, b'{"fields": [1, {"field": "a"}]}', RequestRefused, "HTTP_400"),
        (404, b"\xff" * 100, RequestRefused, "HTTP_404"),
        (400, b"[" * 60_000, RequestRefused, "HTTP_400"),
    ],
)
def test_an_error_response_of_any_form_becomes_an_exchange_error(
    backend: Backend, status: int, body: bytes, error_class: type[ExchangeFailed], code: str
) -> None:
    error = exchange_error(backend, (status, {}, body))
    assert (type(error), error.code) == (error_class, code)


@pytest.mark.parametrize("body", [b"", b"{}", b"<html>", b'{"accessKeyId": "' + SECRET.encode() + b'"}'])
def test_the_error_of_an_invalid_response_does_not_contain_the_response(backend: Backend, body: bytes) -> None:
    error = exchange_error(backend, (200, {}, body))
    assert (type(error), error.code) == (ExchangeFailed, "NOT_UNDERSTOOD")
    assert SECRET not in repr(error)


@pytest.mark.parametrize("status", [302, 307])
def test_a_redirect_is_not_followed(backend: Backend, status: int) -> None:
    error = exchange_error(backend, (status, {"Location": f"{backend.url}/elsewhere"}, b""))
    assert isinstance(error, RequestRefused)
    assert len(backend.request_bodies) == 1, "the token must only be sent to the configured URL"


def test_an_unreachable_api_raises_exchange_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]  # closed at the end of the block
    with pytest.raises(ExchangeUnavailable) as raised:
        TokenExchangeRequest(f"http://127.0.0.1:{port}", lambda: SECRET, SECRET)()
    assert raised.value.code == "UNREACHABLE"
    assert SECRET not in repr(raised.value)


def test_an_api_that_does_not_answer_times_out(backend: Backend) -> None:
    client_timed_out = threading.Event()

    def respond_late() -> Response:
        client_timed_out.wait(5)
        return 200, {}, b""

    backend.fake_response = respond_late
    with pytest.raises(ExchangeUnavailable):
        exchange(backend, timeout_seconds=0.05)
    client_timed_out.set()


@pytest.mark.parametrize("url", ["http://api.example.com", "ftp://127.0.0.1", "//api", "", "file:///etc/passwd"])
def test_an_http_url_is_refused_unless_it_is_local(url: str) -> None:
    with pytest.raises(ValueError, match="https"):
        MeetingsClient(url, lambda: SECRET, "laptop")

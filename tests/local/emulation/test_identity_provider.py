"""Tests of the local identity provider: signed tokens for any user, published keys, and errors for invalid requests."""

import http.client
import json
import time
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from jwt.algorithms import ECAlgorithm

from local.emulation import identity_provider


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with identity_provider.serve() as port:
        yield port


def send(port: int, method: str, path: str, body: str | None = None) -> tuple[int, dict[str, Any]]:
    """Send a request. Return the status and the JSON body of the response."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, path, body)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def request_token(port: int, **request: object) -> str:
    status, response = send(port, "POST", identity_provider.TOKEN_PATH, json.dumps({"subject": "ann", **request}))
    assert status == 200
    return str(response["id_token"])


def download_key(port: int) -> Any:
    _, response = send(port, "GET", identity_provider.KEYS_PATH)
    [jwk] = response["keys"]
    assert (jwk["kid"], jwk["alg"], jwk["use"]) == (identity_provider.KEY_ID, "ES256", "sig")
    assert "d" not in jwk, "the private key must not be published"
    return ECAlgorithm.from_jwk(jwk)


def test_a_token_is_signed_with_the_published_key(port: int) -> None:
    token = request_token(port)
    claims = jwt.decode(
        token,
        download_key(port),
        algorithms=["ES256"],
        audience=identity_provider.AUDIENCE,
        issuer=identity_provider.ISSUER,
    )
    assert claims["sub"] == "ann"
    assert claims["exp"] - claims["iat"] == identity_provider.VALID_SECONDS
    assert claims["exp"] > time.time()
    assert jwt.get_unverified_header(token)["kid"] == identity_provider.KEY_ID


def test_a_negative_number_of_seconds_gives_an_expired_token(port: int) -> None:
    token = request_token(port, seconds=-60)
    with pytest.raises(jwt.ExpiredSignatureError):
        jwt.decode(token, download_key(port), algorithms=["ES256"], audience=identity_provider.AUDIENCE)


def test_a_token_for_more_than_an_hour_is_not_issued_in_the_future(port: int) -> None:
    """An hour before its end, as usual, would be in the future. The handlers refuse such tokens."""
    token = request_token(port, seconds=86_400)
    claims = jwt.decode(token, download_key(port), algorithms=["ES256"], audience=identity_provider.AUDIENCE)
    assert claims["iat"] <= time.time() < claims["exp"] - 86_000


@pytest.mark.parametrize("body", ["no JSON", '{"subject": ""}', '{"subject": "ann", "seconds": 1e999}'])
def test_an_invalid_request_gets_an_error_message(port: int, body: str) -> None:
    status, response = send(port, "POST", identity_provider.TOKEN_PATH, body)
    assert (status, set(response)) == (400, {"message"})

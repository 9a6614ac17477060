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


def asked(port: int, method: str, path: str, body: str | None = None) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def key(port: int) -> Any:
    _, result = asked(port, "GET", identity_provider.KEYS_PATH)
    [jwk] = result["keys"]
    assert (jwk["kid"], jwk["alg"], jwk["use"]) == (identity_provider.KEY_ID, "ES256", "sig")
    assert "d" not in jwk, "the private part is not published"
    return ECAlgorithm.from_jwk(jwk)


def test_a_token_is_signed_by_the_key_that_is_published(port: int) -> None:
    status, answer = asked(port, "POST", identity_provider.TOKEN_PATH, json.dumps({"subject": "ann"}))
    assert status == 200
    claims = jwt.decode(
        answer["id_token"],
        key(port),
        algorithms=["ES256"],
        audience=identity_provider.AUDIENCE,
        issuer=identity_provider.ISSUER,
    )
    assert claims["sub"] == "ann"
    assert claims["exp"] - claims["iat"] == identity_provider.VALID_SECONDS
    assert claims["exp"] > time.time()
    assert jwt.get_unverified_header(answer["id_token"])["kid"] == identity_provider.KEY_ID


def test_a_token_may_have_expired_already(port: int) -> None:
    _, answer = asked(port, "POST", identity_provider.TOKEN_PATH, json.dumps({"subject": "ann", "seconds": -60}))
    with pytest.raises(jwt.ExpiredSignatureError):
        jwt.decode(answer["id_token"], key(port), algorithms=["ES256"], audience=identity_provider.AUDIENCE)


def test_a_token_that_is_valid_for_more_than_an_hour_is_already_issued(port: int) -> None:
    _, answer = asked(port, "POST", identity_provider.TOKEN_PATH, json.dumps({"subject": "ann", "seconds": 86_400}))
    claims = jwt.decode(answer["id_token"], key(port), algorithms=["ES256"], audience=identity_provider.AUDIENCE)
    assert claims["iat"] <= time.time() < claims["exp"] - 86_000


@pytest.mark.parametrize(
    "body",
    [
        "",
        "no JSON",
        "[]",
        "{}",
        '{"subject": 1}',
        '{"subject": ""}',
        '{"subject": "a b"}',
        '{"subject": "ann", "seconds": "soon"}',
        '{"subject": "ann", "seconds": 1e999}',
    ],
)
def test_an_invalid_request_gets_an_error_that_states_the_format(port: int, body: str) -> None:
    status, answer = asked(port, "POST", identity_provider.TOKEN_PATH, body)
    assert (status, set(answer)) == (400, {"message"})


def test_other_paths_are_not_found(port: int) -> None:
    assert asked(port, "GET", "/") == asked(port, "POST", "/elsewhere", "{}") == (404, {})

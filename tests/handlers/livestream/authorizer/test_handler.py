"""The authorizer allows callers with a valid token of the identity provider and denies all others."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.common.ids import derive_user_id
from handlers.common.logging import EventLog
from handlers.common.tokens import ProviderUnavailable, TokenVerifier
from handlers.livestream.authorizer import handler
from handlers.livestream.authorizer.handler import Authorizer
from tests.token_issuer import AUDIENCE, Key, Provider, keys_of, serving

STAGE = "arn:aws:execute-api:us-east-1:123456789012:a1b2c3/api"
METHOD = f"{STAGE}/PATCH/episodes/01K8PFVZQ0A1B2C3D4E5F6G7H8"


@pytest.fixture(scope="module")
def provider() -> Provider:
    return Provider([Key("k1")])


def authorize(provider: Provider, header: str | None, method: str = METHOD) -> dict[str, Any]:
    lambda_authorizer = Authorizer(TokenVerifier(provider.issuer, AUDIENCE, keys_of(provider)), EventLog("INFO"))
    return lambda_authorizer.authorize({"type": "TOKEN", "authorizationToken": header, "methodArn": method})


def statement(policy: dict[str, Any]) -> dict[str, Any]:
    [statement] = policy["policyDocument"]["Statement"]
    return dict(statement)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_a_valid_token_allows_its_user_all_methods_of_the_stage(provider: Provider, scheme: str) -> None:
    policy = authorize(provider, f"{scheme} {provider.token(sub='ann')}")
    user_id = derive_user_id(provider.issuer, "ann")
    assert statement(policy) == {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": f"{STAGE}/*"}
    assert (policy["principalId"], policy["context"]) == (user_id, {"user": user_id})


@pytest.mark.parametrize(
    "changed_claims", [{"aud": "others"}, {"iss": "https://evil.example/"}, {"exp": 0}, {"sub": None}], ids=str
)
def test_a_caller_with_an_invalid_token_is_denied(
    provider: Provider, changed_claims: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    token = provider.token(**changed_claims)
    policy = authorize(provider, f"Bearer {token}")
    assert (statement(policy)["Effect"], policy["principalId"], "context" in policy) == ("Deny", "nobody", False)
    assert token not in capsys.readouterr().out


@given(st.none() | st.text(max_size=200) | st.text(max_size=200).map(lambda text: f"Bearer {text}"))
def test_a_caller_with_any_other_header_is_denied(header: str | None) -> None:
    assert statement(authorize(Provider([Key("k1")]), header))["Effect"] == "Deny"


def test_an_unavailable_identity_provider_raises_instead_of_denying(provider: Provider) -> None:
    verifier = TokenVerifier(provider.issuer, AUDIENCE, keys_of(Provider(is_unreachable=True)))
    event = {"authorizationToken": f"Bearer {provider.token()}", "methodArn": METHOD}
    with pytest.raises(ProviderUnavailable) as raised:
        Authorizer(verifier, EventLog("ERROR")).authorize(event)
    assert not str(raised.value)


@pytest.fixture
def function(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    with serving(Provider([Key("k1")])) as running_provider:
        urls = {"ISSUER": running_provider.issuer, "JWKS_URL": running_provider.keys_url}
        for name, value in {"AUDIENCE": AUDIENCE, **urls}.items():
            monkeypatch.setenv(name, value)
        handler._authorizer.cache_clear()
        yield running_provider
        handler._authorizer.cache_clear()


def test_the_function_uses_the_provider_of_its_environment(function: Provider) -> None:
    token = function.token(exp=4_000_000_000, iat=0, sub="ann")
    answer = handler.handler({"authorizationToken": f"Bearer {token}", "methodArn": METHOD}, None)
    assert answer["principalId"] == derive_user_id(function.issuer, "ann")
    json.dumps(answer)

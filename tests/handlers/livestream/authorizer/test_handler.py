"""The authorizer allows callers with a valid token of the identity provider and denies all others."""

from collections.abc import Iterator
from typing import Any

import pytest

from components.blocks.gateway_responses import gateway_responses
from handlers.common.ids import derive_user_id
from handlers.common.tokens import ProviderUnavailable
from handlers.livestream.authorizer import handler
from tests.handlers.livestream.harness import is_ready_at_start
from tests.loggers import own_logger
from tests.token_issuer import AUDIENCE, Provider, serving

STAGE = "arn:aws:execute-api:us-east-1:123456789012:a1b2c3/api"
METHOD = f"{STAGE}/PATCH/episodes/01K8PFVZQ0A1B2C3D4E5F6G7H8"


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """Identity provider of the function's environment."""
    with own_logger(), serving(Provider()) as running:
        environment = {"AUDIENCE": AUDIENCE, "ISSUER": running.issuer, "JWKS_URL": running.keys_url}
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        handler._create.cache_clear()
        yield running
        handler._create.cache_clear()


def authorize(header: str | None) -> tuple[dict[str, str], str, object]:
    """Return the statement of the policy, its principal and its context."""
    policy: dict[str, Any] = handler.handler({"authorizationToken": header, "methodArn": METHOD}, None)
    [statement] = policy["policyDocument"]["Statement"]
    return statement, policy["principalId"], policy.get("context")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_a_valid_token_allows_its_user_all_methods_of_the_stage(provider: Provider, scheme: str) -> None:
    user_id = derive_user_id(provider.issuer, "ann")
    statement = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": f"{STAGE}/*"}
    assert authorize(f"{scheme} {provider.token(sub='ann')}") == (statement, user_id, {"user": user_id})


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer x", "Basic {token}", "{token}", "Bearer {expired}"])
def test_any_other_caller_is_denied(provider: Provider, capsys: pytest.CaptureFixture[str], header: str | None) -> None:
    tokens = {"token": provider.token(), "expired": provider.token(exp=0)}
    statement, principal, context = authorize(header and header.format(**tokens))
    assert (statement["Effect"], principal, context) == ("Deny", "nobody", None)
    assert "caller_refused" in capsys.readouterr().out


def test_an_unavailable_identity_provider_raises_instead_of_denying(
    provider: Provider, capsys: pytest.CaptureFixture[str]
) -> None:
    provider.status = 500
    with pytest.raises(ProviderUnavailable):
        authorize(f"Bearer {provider.token()}")
    assert "provider_away" in capsys.readouterr().out
    assert gateway_responses("*")["AUTHORIZER_FAILURE"]["statusCode"] == "503", "API Gateway's answer to the exception"


def test_a_new_container_creates_its_verifier_before_the_first_request(provider: Provider) -> None:
    assert is_ready_at_start(handler._create)

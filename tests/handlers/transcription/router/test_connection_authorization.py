"""Handshakes: the offered token determines the user, and an invalid token is refused."""

import pytest

from handlers.common.error_responses import HandlerError
from handlers.common.identity.oidc_tokens import TokenVerifier
from handlers.common.identity.user_ids import derive_user_id
from handlers.common.time_and_ids import clock
from handlers.transcription.router.connection_authorization import ConnectionAuthorizer
from tests.token_issuer import AUDIENCE, NOW, Key, KeysOf, Provider

PROTOCOL = "polyphony.transcription.v1"


@pytest.fixture
def provider() -> Provider:
    return Provider([Key("k1")])


@pytest.fixture
def gate(provider: Provider) -> ConnectionAuthorizer:
    return ConnectionAuthorizer(TokenVerifier(provider.issuer, AUDIENCE, KeysOf(provider), lambda: NOW))


def offer(*protocols: str, name: str = "Sec-WebSocket-Protocol") -> dict[str, str]:
    return {name: ", ".join(protocols)}


@pytest.mark.parametrize("name", ["Sec-WebSocket-Protocol", "sec-websocket-protocol"])
def test_the_token_in_the_offer_determines_the_user(gate: ConnectionAuthorizer, provider: Provider, name: str) -> None:
    headers = offer(PROTOCOL, f"bearer.{provider.token(sub='ann')}", name=name)
    assert gate.authorize(headers) == derive_user_id(provider.issuer, "ann")


def test_an_invalid_token_is_refused_and_not_repeated(gate: ConnectionAuthorizer, provider: Provider) -> None:
    token = provider.token(aud="others")
    with pytest.raises(HandlerError) as refused:
        gate.authorize(offer(PROTOCOL, f"bearer.{token}"))
    assert (refused.value.code, refused.value.code.status) == ("UNAUTHENTICATED", 401)
    assert token not in refused.value.message
    with pytest.raises(HandlerError) as refused:
        gate.authorize(offer(PROTOCOL, "user.ann"))
    assert (refused.value.code, refused.value.code.status) == ("UNAUTHENTICATED", 401), (
        "no client connects without a token"
    )
    with pytest.raises(HandlerError, match=PROTOCOL):
        gate.authorize({})


def test_an_unavailable_identity_provider_is_not_the_callers_fault(provider: Provider) -> None:
    gate = ConnectionAuthorizer(
        TokenVerifier(provider.issuer, AUDIENCE, KeysOf(Provider(is_unreachable=True)), clock.now)
    )
    with pytest.raises(HandlerError) as refused:
        gate.authorize(offer(PROTOCOL, f"bearer.{provider.token()}"))
    assert (refused.value.code, refused.value.code.status) == ("UNAVAILABLE", 503)


def test_without_an_identity_provider_the_client_states_its_user() -> None:
    gate = ConnectionAuthorizer(None)
    assert gate.authorize(offer(PROTOCOL, "user.ann")) == derive_user_id("none", "ann")
    assert gate.authorize(offer(PROTOCOL, "user.bob")) != gate.authorize(offer(PROTOCOL, "user.ann"))
    assert gate.authorize(offer(PROTOCOL)) == derive_user_id("none", "anonymous")

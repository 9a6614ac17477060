"""Tests of WebSocket handshakes: a client offers its token as a subprotocol."""

import pytest

from handlers.common.errors import HandlerError
from handlers.common.tokens import TokenVerifier
from handlers.transcription.router.connection_authorization import authorize_connection
from tests.token_issuer import AUDIENCE, Key, Provider, keys_of

PROTOCOL = "polyphony.transcription.v2"


@pytest.fixture
def provider() -> Provider:
    return Provider([Key("k1")])


@pytest.fixture
def verifier(provider: Provider) -> TokenVerifier:
    return TokenVerifier(provider.issuer, AUDIENCE, keys_of(provider))


def headers_with(*protocols: str, name: str = "Sec-WebSocket-Protocol") -> dict[str, str]:
    return {name: ", ".join(protocols)}


@pytest.mark.parametrize("name", ["Sec-WebSocket-Protocol", "sec-websocket-protocol"])
def test_a_valid_token_among_the_subprotocols_is_accepted(
    verifier: TokenVerifier, provider: Provider, name: str
) -> None:
    headers = headers_with(PROTOCOL, f"bearer.{provider.token(sub='ann')}", name=name)
    authorize_connection(headers, verifier)


def test_an_invalid_token_is_refused_and_is_not_in_the_error(verifier: TokenVerifier, provider: Provider) -> None:
    token = provider.token(aud="another audience")
    with pytest.raises(HandlerError) as error:
        authorize_connection(headers_with(PROTOCOL, f"bearer.{token}"), verifier)
    assert (error.value.code, error.value.code.status) == ("UNAUTHENTICATED", 401)
    assert token not in error.value.message


def test_a_handshake_without_a_token_or_without_the_protocol_is_refused(verifier: TokenVerifier) -> None:
    with pytest.raises(HandlerError) as error:
        authorize_connection(headers_with(PROTOCOL), verifier)
    assert (error.value.code, error.value.code.status) == ("UNAUTHENTICATED", 401)
    with pytest.raises(HandlerError, match=PROTOCOL):
        authorize_connection({}, verifier)


def test_a_handshake_gets_status_503_if_the_identity_provider_does_not_answer(provider: Provider) -> None:
    verifier = TokenVerifier(provider.issuer, AUDIENCE, keys_of(Provider(is_unreachable=True)))
    with pytest.raises(HandlerError) as error:
        authorize_connection(headers_with(PROTOCOL, f"bearer.{provider.token()}"), verifier)
    assert (error.value.code, error.value.code.status) == ("UNAVAILABLE", 503)


def test_without_an_identity_provider_no_token_is_needed() -> None:
    authorize_connection(headers_with(PROTOCOL), None)
    with pytest.raises(HandlerError, match=PROTOCOL):
        authorize_connection({}, None)

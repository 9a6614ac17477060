"""Tests of the verification of OpenID Connect tokens: which are accepted, and for which reason others are refused."""

import hmac
import json
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import RSAAlgorithm

from handlers.common.ids import derive_user_id
from handlers.common.tokens import (
    MAX_TOKEN_LENGTH,
    ProviderUnavailable,
    TokenRefused,
    TokenVerifier,
    signing_keys,
)
from tests.handlers.json_schema_strategies import JSON_VALUES
from tests.token_issuer import (
    AUDIENCE,
    Key,
    Provider,
    assemble_token,
    keys_of,
    replace_clock,
    seconds_from_now,
    serving,
)

CANARY = "canary-7f3a"
"""Text in hostile tokens that no exception may contain."""
USER_ID = derive_user_id(Provider().issuer, "somebody")


def verify(provider: Provider, token: str) -> str:
    """Return the user id of a valid token, or the name of PyJWT's error for which it is refused."""
    try:
        return TokenVerifier(provider.issuer, AUDIENCE, keys_of(provider)).verify(token)
    except TokenRefused as error:
        refusal = error
    assert (refusal.__context__, refusal.__cause__) == (None, None), "PyJWT's errors quote the token"
    assert CANARY not in "".join(traceback.format_exception(refusal))
    return str(refusal)


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"])
def test_a_token_of_each_allowed_algorithm_is_accepted_if_its_signature_is_valid(algorithm: str) -> None:
    provider = Provider([Key("other"), Key("signing", algorithm)])
    token = provider.token(provider.keys[1])
    assert verify(provider, token) == USER_ID
    header, claims, signature = token.split(".")
    other_claims = provider.token(provider.keys[1], sub=CANARY).split(".")[1]
    for forged in (f"{header}.{other_claims}.{signature}", f"{header}.{claims}."):
        assert verify(provider, forged) == "InvalidSignatureError"


def test_the_claims_decide_whether_a_signed_token_is_accepted() -> None:
    provider = Provider()
    cases: list[tuple[str, Any, str]] = [
        ("aud", [[AUDIENCE], ["another", AUDIENCE]], USER_ID),
        ("aud", [CANARY, [CANARY], AUDIENCE.upper(), 5], "InvalidAudienceError"),
        ("iss", ["https://issuer.test/", "http://issuer.test", "", 5], "InvalidIssuerError"),
        ("sub", [""], "DecodeError"),
        ("sub", ["\ud800"], "UnicodeEncodeError"),
        ("sub", [5, [CANARY]], "InvalidSubjectError"),
        *((claim, [None], "MissingRequiredClaimError") for claim in ("exp", "sub", "iss", "aud")),
        # A token is valid from a leeway before its start to a leeway after its end.
        ("exp", [seconds_from_now(-25)], USER_ID),
        ("exp", [seconds_from_now(-30)], "ExpiredSignatureError"),
        *((claim, [seconds_from_now(30)], USER_ID) for claim in ("nbf", "iat")),
        *((claim, [seconds_from_now(60)], "ImmatureSignatureError") for claim in ("nbf", "iat")),
    ]
    for claim, values, expected in cases:
        for value in values:
            claims: dict[str, Any] = {claim: value}
            assert verify(provider, provider.token(**claims)) == expected, claims


def hmac_token(header: dict[str, str]) -> str:
    """Return a token that is signed with the public key as a shared secret."""
    secret = Key("first").public(Encoding.PEM)
    return assemble_token(header, Provider().claims(), lambda text: hmac.digest(secret, text, "sha256"))


ATTACKER = Key("attacker")


@pytest.mark.parametrize(
    ("create_token", "error"),
    [
        (lambda p: p.signed(p.claims(), ATTACKER, kid="first"), "InvalidSignatureError"),
        (lambda _: hmac_token({"alg": "RS256", "kid": "first"}), "InvalidSignatureError"),
        (lambda _: hmac_token({"alg": "HS256", "kid": "first"}), "InvalidAlgorithmError"),
        (lambda p: p.token(Key("first", "RS384")), "InvalidAlgorithmError"),
        (lambda p: p.signed(p.claims(), ATTACKER, jwk=ATTACKER.published, jku="https://x/"), "PyJWKClientError"),
        (lambda p: p.token(Key(None)), "PyJWKClientError"),
    ],
)
def test_a_hostile_token_is_refused(create_token: Callable[[Provider], str], error: str) -> None:
    provider = Provider()
    assert verify(provider, create_token(provider)) == error


def test_a_malformed_token_or_algorithm_is_refused_without_a_request_for_keys() -> None:
    provider = Provider()
    for token in (
        *(assemble_token({"alg": algorithm, "kid": "first"}, CANARY) for algorithm in ("none", 5)),
        *("", "a.b.c", "é.é.é", "\ud800", assemble_token([], {})),
        "W1tb" * 1500 + ".e30.",  # thousands of opening brackets as the header
    ):
        assert verify(provider, token) != USER_ID
    assert provider.request_count == 0


def test_a_token_that_is_too_long_is_refused() -> None:
    provider = Provider()
    padding = (MAX_TOKEN_LENGTH - len(provider.token())) * 3 // 4
    tokens = [provider.token(padding="x" * count) for count in range(padding - 30, padding)]
    tokens_by_length = {len(token): token for token in tokens}
    assert verify(provider, tokens_by_length[MAX_TOKEN_LENGTH]) == USER_ID
    assert verify(provider, tokens_by_length[MAX_TOKEN_LENGTH + 1]) == "DecodeError"


VALID_TOKEN = Provider().token()


@given(
    st.dictionaries(st.sampled_from(["alg", "kid", "crit", "b64", "typ", "jwk"]), JSON_VALUES),
    st.dictionaries(st.sampled_from(["exp", "nbf", "iat", "aud", "iss", "jti"]), JSON_VALUES),
)
def test_any_header_and_claims_are_accepted_or_refused(header: dict[str, object], claims: dict[str, object]) -> None:
    provider = Provider()
    token = provider.signed(provider.claims() | claims, provider.keys[0], **header)
    assert verify(provider, token), "no other exception is raised"


def test_a_key_of_1024_bits_accepts_no_token_and_does_not_hide_the_others() -> None:
    weak = rsa.generate_private_key(65537, 1024)  # noqa: S505
    published = RSAAlgorithm.to_jwk(weak.public_key(), as_dict=True) | {"kid": "weak"}
    provider = Provider(body=json.dumps({"keys": [published, Key("first").published]}).encode())
    assert verify(provider, provider.token()) == USER_ID
    signing = RSAAlgorithm(RSAAlgorithm.SHA256)
    weak_token = assemble_token(
        {"alg": "RS256", "kid": "weak"}, provider.claims(), lambda text: signing.sign(text, weak)
    )
    assert verify(provider, weak_token) == "InvalidKeyError"


def test_an_invalid_answer_of_the_provider_counts_as_unavailable_and_no_redirect_is_followed() -> None:
    for body in (b"<html>", b"[" * 100_000, b"[]", b"{}"):
        with pytest.raises(ProviderUnavailable):
            verify(Provider(body=body), VALID_TOKEN)
    with serving(Provider()) as provider, serving(Provider()) as other:
        provider.headers = {"Location": other.keys_url}
        for provider.status in (302, 500):
            with pytest.raises(ProviderUnavailable):
                TokenVerifier(provider.issuer, AUDIENCE, signing_keys(provider.keys_url)).verify(provider.token())
        assert other.request_count == 0


def test_new_keys_are_found_within_a_minute_and_withdrawn_keys_refused_within_an_hour(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seconds = 1_000_000.0
    replace_clock(monkeypatch, lambda: seconds)
    with serving(Provider()) as provider:
        token_verifier = TokenVerifier(provider.issuer, AUDIENCE, signing_keys(provider.keys_url))
        first = provider.token()
        token_verifier.verify(first)
        provider.rotate("second")
        for number in range(10):
            with pytest.raises(TokenRefused):
                token_verifier.verify(provider.signed(provider.claims(), Key("x"), kid=f"random-{number}"))
        assert provider.request_count == 1, "callers must not make the function fetch the keys at any rate"
        seconds += 60
        token_verifier.verify(provider.token())
        with pytest.raises(TokenRefused):
            token_verifier.verify(first)
        second = provider.token()
        provider.rotate("third")
        seconds += 3_599
        token_verifier.verify(second)
        provider.status = 500
        with pytest.raises(ProviderUnavailable):
            token_verifier.verify(provider.token())
        provider.status = 200
        seconds += 2
        with pytest.raises(TokenRefused):
            token_verifier.verify(second)


def test_a_missing_url_of_the_keys_is_refused() -> None:
    with pytest.raises(ValueError, match="JWKS_URL is missing"):
        signing_keys(None)

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
    TokenProblem,
    TokenRefused,
    TokenVerifier,
    signing_keys,
)
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
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"]


def verify(provider: Provider, token: str) -> str:
    """Return the user id of a valid token, or the reason for which it is refused."""
    try:
        return TokenVerifier(provider.issuer, AUDIENCE, keys_of(provider)).verify(token)
    except TokenRefused as error:
        refusal = error
    assert str(refusal) == refusal.problem
    assert (refusal.__context__, refusal.__cause__) == (None, None), "PyJWT's errors quote the token"
    assert CANARY not in "".join(traceback.format_exception(refusal))
    return refusal.problem


@pytest.mark.parametrize(
    ("algorithm", "named_algorithm"),
    [
        *((algorithm, True) for algorithm in ALGORITHMS),
        *((name, False) for name in ("RS256", "ES256", "ES384", "EdDSA")),
    ],
)
def test_a_token_of_each_allowed_algorithm_is_accepted_if_its_signature_is_valid(
    algorithm: str, named_algorithm: bool
) -> None:
    """If a key names no algorithm, its type implies one."""
    provider = Provider([Key("other"), Key("signing", algorithm, named_algorithm)])
    token = provider.token(provider.keys[1])
    assert verify(provider, token) == USER_ID
    header, claims, signature = token.split(".")
    other_claims = provider.token(provider.keys[1], sub=CANARY).split(".")[1]
    for forged in (f"{header}.{other_claims}.{signature}", f"{header}.{claims}.", f"{header}.{claims}.{'A' * 86}"):
        assert verify(provider, forged) == TokenProblem.BAD_SIGNATURE


def cases(expected: str, claim: str, *values: object) -> list[tuple[dict[str, object], str]]:
    return [({claim: value}, expected) for value in values]


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        *cases(USER_ID, "aud", [AUDIENCE], ["another", AUDIENCE]),
        *cases(derive_user_id(Provider().issuer, "auth0|5f é@c"), "sub", "auth0|5f é@c"),
        *(({claim: None}, TokenProblem.MISSING_CLAIM) for claim in ("exp", "sub", "iss", "aud")),
        *cases(TokenProblem.WRONG_AUDIENCE, "aud", CANARY, [CANARY], AUDIENCE.upper(), 5),
        *cases(TokenProblem.WRONG_ISSUER, "iss", "https://issuer.test/", "http://issuer.test", "", 5),
        *cases(TokenProblem.MALFORMED, "sub", "", "\ud800", 5, [CANARY]),
    ],
    ids=str,
)
def test_the_claims_decide_whether_a_signed_token_is_accepted(claims: dict[str, object], expected: str) -> None:
    provider = Provider()
    assert verify(provider, provider.signed(provider.claims() | claims, provider.keys[0])) == expected


@pytest.mark.parametrize(
    ("claim", "seconds", "expected"),
    [
        ("exp", -25, USER_ID),
        ("exp", -30, TokenProblem.EXPIRED),
        *((claim, 30, USER_ID) for claim in ("nbf", "iat")),
        *((claim, 60, TokenProblem.NOT_YET_VALID) for claim in ("nbf", "iat")),
    ],
)
def test_a_token_is_valid_from_a_leeway_before_its_start_to_a_leeway_after_its_end(
    claim: str, seconds: int, expected: str
) -> None:
    provider = Provider()
    claims = provider.claims() | {claim: seconds_from_now(seconds)}
    assert verify(provider, provider.signed(claims, provider.keys[0])) == expected


def hmac_token(header: dict[str, str], secret: bytes, digest: str = "sha256") -> str:
    """Return a token that is signed with the public key as a shared secret."""
    return assemble_token(header, Provider().claims(), lambda text: hmac.new(secret, text, digest).digest())


PEM = Key("first").public(Encoding.PEM)
ATTACKER = Key("attacker")
HOSTILE: list[tuple[Callable[[Provider], str], TokenProblem]] = [
    # Signature and algorithm
    (lambda p: p.signed(p.claims(), ATTACKER, kid="first"), TokenProblem.BAD_SIGNATURE),
    (lambda _: hmac_token({"alg": "RS256", "kid": "first"}, PEM), TokenProblem.BAD_SIGNATURE),
    (lambda _: hmac_token({"alg": "HS256", "kid": "first"}, PEM), TokenProblem.ALGORITHM_REFUSED),
    (lambda _: hmac_token({"alg": "HS512"}, PEM, "sha512"), TokenProblem.ALGORITHM_REFUSED),
    (lambda p: p.token(Key("first", "RS384")), TokenProblem.ALGORITHM_REFUSED),
    (lambda p: p.token(Key("first", "ES256")), TokenProblem.ALGORITHM_REFUSED),
    (lambda p: p.token(Key("curve", "ES384")), TokenProblem.ALGORITHM_REFUSED),
    # Key
    (lambda p: p.signed(p.claims(), ATTACKER, jwk=ATTACKER.published, jku="https://x/"), TokenProblem.UNKNOWN_KEY),
    (lambda p: p.token(Key(CANARY)), TokenProblem.UNKNOWN_KEY),
    (lambda p: p.token(Key(None)), TokenProblem.UNKNOWN_KEY),
    (lambda p: p.signed(p.claims(), p.keys[0], kid=5), TokenProblem.MALFORMED),
    # Header and claims
    (lambda p: p.signed([], p.keys[0]), TokenProblem.MALFORMED),
]


@pytest.mark.parametrize(("create_token", "problem"), HOSTILE)
def test_a_hostile_token_is_refused(create_token: Callable[[Provider], str], problem: TokenProblem) -> None:
    provider = Provider([Key("first"), Key("curve", "ES256")])
    assert verify(provider, create_token(provider)) == problem


UNREAD: list[str] = [
    *(assemble_token({"alg": algorithm, "kid": "first"}, CANARY) for algorithm in ("none", "nOnE", 5)),
    *("", "a.b.c", "é.é.é", "\ud800", "Bearer x", assemble_token([], {})),
    assemble_token({"alg": "RS256"}, {}) + ".e30.e30",  # five parts: an encrypted token
    "W1tb" * 1500 + ".e30.",  # thousands of opening brackets as the header
]


@pytest.mark.parametrize("token", UNREAD, ids=lambda token: token[:20])
def test_a_malformed_token_or_algorithm_is_refused_without_a_request_for_keys(token: str) -> None:
    provider = Provider()
    assert verify(provider, token) in {TokenProblem.MALFORMED, TokenProblem.ALGORITHM_REFUSED}
    assert provider.request_count == 0


def test_a_token_that_is_too_long_is_refused() -> None:
    provider = Provider()
    available = MAX_TOKEN_LENGTH - len(provider.token())
    longest = provider.token(padding="x" * (available * 3 // 4 - 20))
    assert MAX_TOKEN_LENGTH - 20 < len(longest) <= MAX_TOKEN_LENGTH
    assert verify(provider, longest) == USER_ID
    assert verify(provider, provider.token(padding="x" * available)) == TokenProblem.MALFORMED


VALID_TOKEN = Provider().token()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.dictionaries(st.sampled_from(["alg", "kid", "crit", "b64", "typ", "jwk"]), JSON),
    st.dictionaries(st.sampled_from(["exp", "nbf", "iat", "aud", "iss", "jti"]), JSON),
)
def test_any_header_and_claims_are_accepted_or_refused(header: dict[str, object], claims: dict[str, object]) -> None:
    provider = Provider()
    token = provider.signed(provider.claims() | claims, provider.keys[0], **header)
    assert verify(provider, token) in {USER_ID, *TokenProblem}


# The provider's keys


@pytest.mark.parametrize(
    "unusable",
    [
        Key("bad").published | {"use": "enc"},
        Key("bad").published | {"alg": "HS256"},
        RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 1024).public_key(), as_dict=True) | {"kid": "bad"},  # noqa: S505
    ],
    ids=["for encryption", "algorithm of a secret", "1024 bits"],
)
def test_an_unusable_key_accepts_no_token_and_does_not_hide_the_others(unusable: dict[str, Any]) -> None:
    provider = Provider(body=json.dumps({"keys": [unusable, Key("first").published]}).encode())
    assert verify(provider, provider.token()) == USER_ID
    assert verify(provider, provider.signed(provider.claims(), Key("bad"))) in {*TokenProblem}


@pytest.mark.parametrize("body", [b"<html>", b"\xff\xfe\x00", b"[" * 100_000, b"[]", b"{}", b'{"keys": [1, {}]}'])
def test_an_invalid_answer_of_the_provider_counts_as_unavailable(body: bytes) -> None:
    with pytest.raises(ProviderUnavailable):
        verify(Provider(body=body), VALID_TOKEN)


@pytest.mark.parametrize("status", [302, 404, 500])
def test_any_status_except_200_counts_as_unavailable_and_no_redirect_is_followed(status: int) -> None:
    with serving(Provider()) as provider, serving(Provider()) as other:
        provider.status, provider.headers = status, {"Location": other.keys_url}
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

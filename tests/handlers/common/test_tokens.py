"""Tests of the verification of OpenID Connect tokens: which are accepted, and for which reason others are refused."""

import hmac
import json
import re
import subprocess
import sys
import traceback
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import example, given
from hypothesis import strategies as st
from jwt.algorithms import RSAAlgorithm

from handlers.common.ids import derive_user_id
from handlers.common.tokens import (
    CACHE_SECONDS,
    LEEWAY_SECONDS,
    MAX_TOKEN_LENGTH,
    REFETCH_COOLDOWN_SECONDS,
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


def verifier(provider: Provider) -> TokenVerifier:
    return TokenVerifier(provider.issuer, AUDIENCE, keys_of(provider))


def token_with(provider: Provider, claims: dict[str, object]) -> str:
    """Return a correctly signed token with changed claims."""
    return provider.signed(provider.claims() | claims, provider.keys[0])


def refusal(provider: Provider, token: str) -> TokenProblem:
    """Return the problem for which a token is refused."""
    with pytest.raises(TokenRefused) as raised:
        verifier(provider).verify(token)
    return raised.value.problem


def user_id_or_refusal(provider: Provider, token: str) -> str:
    """Return the user id of a valid token, or the reason for which it is refused."""
    try:
        return verifier(provider).verify(token)
    except TokenRefused as error:
        return error.problem


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({}, id="usual"),
        pytest.param({"aud": [AUDIENCE]}, id="audience in a list"),
        pytest.param({"aud": ["another", AUDIENCE]}, id="audience is one of several"),
    ],
)
def test_a_valid_token_gives_the_user_id(provider: Provider, claims: dict[str, object]) -> None:
    assert verifier(provider).verify(token_with(provider, claims)) == USER_ID


def test_a_token_needs_no_start_time(provider: Provider) -> None:
    assert verifier(provider).verify(provider.token(without=["iat"])) == USER_ID


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"])
def test_each_allowed_algorithm_is_accepted(provider: Provider, algorithm: str) -> None:
    provider.keys = [Key("other"), Key("signing", algorithm)]
    assert verifier(provider).verify(provider.token(provider.keys[1])) == USER_ID


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "ES384", "EdDSA"])
def test_a_published_key_need_not_state_its_algorithm(provider: Provider, algorithm: str) -> None:
    provider.keys = [Key("other"), Key("signing", algorithm, named_algorithm=False)]
    assert verifier(provider).verify(provider.token(provider.keys[1])) == USER_ID


# Signatures and keys


def test_a_token_signed_with_another_key_is_refused(provider: Provider) -> None:
    token = provider.signed(provider.claims(), Key("attacker"), kid="first")
    assert refusal(provider, token) is TokenProblem.BAD_SIGNATURE


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "ES384", "EdDSA"])
def test_a_changed_claim_breaks_the_signature(provider: Provider, algorithm: str) -> None:
    provider.keys = [Key("first", algorithm)]
    header, _, signature = provider.token().split(".")
    other_claims = provider.token(sub="somebody else").split(".")[1]
    assert refusal(provider, f"{header}.{other_claims}.{signature}") is TokenProblem.BAD_SIGNATURE


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "ES384", "EdDSA"])
@pytest.mark.parametrize("signature", [b"", b"\0" * 64, b"\0" * 96, b"\xff" * 256])
def test_a_missing_or_meaningless_signature_is_refused(provider: Provider, algorithm: str, signature: bytes) -> None:
    provider.keys = [Key("first", algorithm)]
    token = assemble_token({"alg": algorithm, "kid": "first"}, provider.claims(), lambda _: signature)
    assert refusal(provider, token) is TokenProblem.BAD_SIGNATURE


NO_ALGORITHM = ["none", "None", "NONE", "nOnE", ""]
OTHER_ALGORITHMS: list[object] = ["PS384", "PS512", "ES512", "ES256K", "RS1", "RSA-OAEP", None, 5, ["RS256"], {}]


@pytest.mark.parametrize("algorithm", [*NO_ALGORITHM, *OTHER_ALGORITHMS])
def test_a_missing_or_other_algorithm_is_refused_without_a_request_for_keys(
    provider: Provider, algorithm: object
) -> None:
    token = assemble_token({"alg": algorithm, "kid": "first"}, provider.claims())
    assert refusal(provider, token) is TokenProblem.ALGORITHM_REFUSED
    assert provider.request_count == 0


@pytest.mark.parametrize(("algorithm", "digest"), [("HS256", "sha256"), ("HS384", "sha384"), ("HS512", "sha512")])
@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER, None], ids=["PEM", "DER", "JWK"])
def test_the_public_key_cannot_be_used_as_a_shared_secret(
    provider: Provider, algorithm: str, digest: str, encoding: Encoding | None
) -> None:
    key = provider.keys[0]
    secret = json.dumps(key.published).encode() if encoding is None else key.public(encoding)
    for header in ({"alg": algorithm, "kid": "first"}, {"alg": algorithm}):
        token = assemble_token(header, provider.claims(), lambda text: hmac.new(secret, text, digest).digest())
        assert refusal(provider, token) is TokenProblem.ALGORITHM_REFUSED


def test_an_hmac_signature_under_another_algorithm_is_refused(provider: Provider) -> None:
    secret = provider.keys[0].public(Encoding.PEM)
    token = assemble_token(
        {"alg": "RS256", "kid": "first"}, provider.claims(), lambda text: hmac.digest(secret, text, "sha256")
    )
    assert refusal(provider, token) is TokenProblem.BAD_SIGNATURE


@pytest.mark.parametrize(
    ("published_key", "algorithm"),
    [
        (Key("k"), "RS384"),
        (Key("k"), "PS256"),
        (Key("k", named_algorithm=False), "ES256"),
        (Key("k", named_algorithm=False), "EdDSA"),
        (Key("k", "ES256"), "RS256"),
        (Key("k", "ES256"), "ES384"),
        (Key("k", "ES384"), "ES256"),
        (Key("k", "EdDSA"), "ES256"),
    ],
)
def test_an_algorithm_that_does_not_fit_the_key_is_refused(
    provider: Provider, published_key: Key, algorithm: str
) -> None:
    provider.keys = [published_key]
    assert refusal(provider, provider.token(Key("k", algorithm))) is TokenProblem.ALGORITHM_REFUSED


def test_a_key_in_the_header_of_a_token_is_not_used(provider: Provider) -> None:
    attacker_key = Key("attacker")
    token = provider.signed(
        provider.claims(), attacker_key, jwk=attacker_key.published, jku="https://attacker.test/keys", x5c=["x"]
    )
    assert refusal(provider, token) is TokenProblem.UNKNOWN_KEY


def test_a_token_must_name_its_key(provider: Provider) -> None:
    provider.keys = [Key(None)]
    assert refusal(provider, provider.token()) is TokenProblem.UNKNOWN_KEY
    provider.keys.append(Key("second"))
    assert refusal(provider, provider.token()) is TokenProblem.UNKNOWN_KEY


@pytest.mark.parametrize(
    "unusable",
    [
        Key("bad").published | {"use": "enc"},
        Key("bad").published | {"alg": "HS256"},
        Key("bad", "ES256").published | {"crv": "P-384", "alg": "ES384"},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "bad"},
        RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 1024).public_key(), as_dict=True) | {"kid": "bad"},  # noqa: S505
    ],
    ids=["for encryption", "algorithm of a secret", "point of another curve", "a secret", "1024 bits"],
)
def test_an_unusable_key_accepts_no_token_and_does_not_hide_the_others(
    provider: Provider, unusable: dict[str, Any]
) -> None:
    provider.body = json.dumps({"keys": [unusable, Key("first").published]}).encode()
    assert verifier(provider).verify(provider.token()) == USER_ID
    assert refusal(provider, provider.signed(provider.claims(), Key("bad"))) in TokenProblem


# The provider's keys


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff\xfe\x00", b"[" * 100_000, b"[]", b"{}", b'{"keys": [1, {}]}'])
def test_an_invalid_answer_of_the_provider_counts_as_unavailable(provider: Provider, body: bytes) -> None:
    provider.body = body
    with pytest.raises(ProviderUnavailable):
        verifier(provider).verify(provider.token())


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
        seconds += REFETCH_COOLDOWN_SECONDS
        token_verifier.verify(provider.token())
        with pytest.raises(TokenRefused):
            token_verifier.verify(first)
        second = provider.token()
        provider.rotate("third")
        seconds += CACHE_SECONDS - 1
        token_verifier.verify(second)
        seconds += 2
        with pytest.raises(TokenRefused):
            token_verifier.verify(second)


def test_an_unknown_key_is_not_refused_while_the_provider_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = 1_000_000.0
    replace_clock(monkeypatch, lambda: seconds)
    with serving(Provider()) as provider:
        token_verifier = TokenVerifier(provider.issuer, AUDIENCE, signing_keys(provider.keys_url))
        token_verifier.verify(provider.token())
        provider.status = 500
        seconds += REFETCH_COOLDOWN_SECONDS
        token_verifier.verify(provider.token())
        with pytest.raises(ProviderUnavailable):
            token_verifier.verify(provider.token(Key("new")))


@pytest.mark.parametrize(
    "url", ["http://issuer.test/keys", "http://127.0.0.1@issuer.test/keys", "file:///etc/passwd", "//127.0.0.1/", ""]
)
def test_an_http_url_is_refused_unless_it_is_local(url: str) -> None:
    with pytest.raises(ValueError, match="https"):
        signing_keys(url)


def test_a_missing_url_is_named_after_its_variable() -> None:
    with pytest.raises(ValueError, match="JWKS_URL is missing"):
        signing_keys(None)


# Claims


@pytest.mark.parametrize("claim", ["exp", "sub", "iss", "aud"])
@pytest.mark.parametrize("is_null", [True, False])
def test_a_token_without_a_required_claim_is_refused(provider: Provider, claim: str, is_null: bool) -> None:
    token = token_with(provider, {claim: None}) if is_null else provider.token(without=[claim])
    assert refusal(provider, token) is TokenProblem.MISSING_CLAIM


@pytest.mark.parametrize(
    "audience", ["another", ["another"], AUDIENCE.upper(), AUDIENCE + "x", [AUDIENCE, 5], {AUDIENCE: 1}, 5]
)
def test_another_audience_is_refused(provider: Provider, audience: object) -> None:
    assert refusal(provider, provider.token(aud=audience)) is TokenProblem.WRONG_AUDIENCE


@pytest.mark.parametrize("issuer", ["https://issuer.test/", "http://issuer.test", "https://other.test", "", [], 5])
def test_another_issuer_is_refused_even_if_only_a_slash_differs(provider: Provider, issuer: object) -> None:
    assert refusal(provider, provider.token(iss=issuer)) is TokenProblem.WRONG_ISSUER


@pytest.mark.parametrize(
    ("seconds", "expected"), [(5 - LEEWAY_SECONDS, USER_ID), (-LEEWAY_SECONDS, TokenProblem.EXPIRED)]
)
def test_a_token_expires_after_the_leeway(provider: Provider, seconds: int, expected: str) -> None:
    assert user_id_or_refusal(provider, provider.token(exp=seconds_from_now(seconds))) == expected


@pytest.mark.parametrize("claim", ["nbf", "iat"])
@pytest.mark.parametrize(
    ("seconds", "expected"), [(LEEWAY_SECONDS, USER_ID), (LEEWAY_SECONDS + 60, TokenProblem.NOT_YET_VALID)]
)
def test_a_token_is_valid_from_a_leeway_before_its_start(
    provider: Provider, claim: str, seconds: int, expected: str
) -> None:
    assert user_id_or_refusal(provider, token_with(provider, {claim: seconds_from_now(seconds)})) == expected


@pytest.mark.parametrize("claim", ["exp", "nbf", "iat"])
@pytest.mark.parametrize("time", ["soon", [1], {}, float("inf"), float("nan")])
def test_an_invalid_time_is_refused(provider: Provider, claim: str, time: object) -> None:
    assert refusal(provider, token_with(provider, {claim: time})) is TokenProblem.MALFORMED


@pytest.mark.parametrize("subject", ["a", "auth0|5f7c8ec7c33c6c004bbafe82", "a b@c", "é"])
def test_a_subject_may_be_any_text(provider: Provider, subject: str) -> None:
    assert verifier(provider).verify(provider.token(sub=subject)) == derive_user_id(provider.issuer, subject)


@pytest.mark.parametrize("subject", ["", "\ud800", 5, True, ["a"], {}])
def test_another_subject_is_refused(provider: Provider, subject: object) -> None:
    assert refusal(provider, provider.token(sub=subject)) is TokenProblem.MALFORMED


# Form of the token


@pytest.mark.parametrize("critical", [["b64"], ["exp"], ["x"], [], "b64", None, 5])
def test_a_critical_header_is_refused(provider: Provider, critical: object) -> None:
    for header in ({}, {"b64": False}):
        token = provider.signed(provider.claims(), provider.keys[0], crit=critical, **header)
        assert refusal(provider, token) is TokenProblem.MALFORMED


def test_unencoded_claims_are_refused(provider: Provider) -> None:
    header, claims, signature = provider.signed(provider.claims(), provider.keys[0], b64=False).split(".")
    for token in (f"{header}.{claims}.{signature}", f"{header}..{signature}"):
        assert refusal(provider, token) is TokenProblem.MALFORMED


@pytest.mark.parametrize("kid", [None, 5, ["first"], {}])
def test_a_key_id_that_is_not_text_is_refused(provider: Provider, kid: object) -> None:
    token = provider.signed(provider.claims(), provider.keys[0], kid=kid)
    assert refusal(provider, token) is TokenProblem.MALFORMED


def test_a_token_that_is_too_long_is_refused(provider: Provider) -> None:
    available = MAX_TOKEN_LENGTH - len(provider.token())
    longest = provider.token(padding="x" * (available * 3 // 4 - 20))
    assert MAX_TOKEN_LENGTH - 20 < len(longest) <= MAX_TOKEN_LENGTH
    assert verifier(provider).verify(longest) == USER_ID
    provider.request_count = 0
    assert refusal(provider, provider.token(padding="x" * available)) is TokenProblem.MALFORMED
    assert refusal(provider, "x" * 10_000_000) is TokenProblem.MALFORMED
    assert provider.request_count == 0


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        "é.é.é",
        "\ud800",
        "\0",
        "Bearer x",
        "e30.e30.",
        assemble_token([], {}),
        assemble_token("x", {}),
        assemble_token({"alg": "RS256"}, {}) + ".e30.e30",  # five parts: an encrypted token
        "W1tb" * 1500 + ".e30.",  # thousands of opening brackets as the header
    ],
)
def test_a_malformed_token_is_refused(provider: Provider, token: str) -> None:
    assert refusal(provider, token) in {TokenProblem.MALFORMED, TokenProblem.ALGORITHM_REFUSED}
    assert provider.request_count == 0


@pytest.mark.parametrize("claims", [[], "x", 5, None])
def test_claims_that_are_not_an_object_are_refused(provider: Provider, claims: object) -> None:
    assert refusal(provider, provider.signed(claims, provider.keys[0])) is TokenProblem.MALFORMED


# Hostile input


VALID_TOKEN = Provider().token()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def check_outcome(token: str) -> None:
    """Assert that a token is accepted, or refused with one of the reasons."""
    assert user_id_or_refusal(Provider(), token) in {USER_ID, *TokenProblem}


@given(st.text(st.characters(), max_size=200))
def test_any_text_is_refused_with_invalid_token(text: str) -> None:
    check_outcome(text)


@given(st.integers(0, len(VALID_TOKEN) - 1), st.integers(0, 10), st.text(st.characters(), max_size=10))
@example(0, 0, "\ud800")
def test_a_token_changed_anywhere_is_refused(position: int, removed: int, inserted: str) -> None:
    token = VALID_TOKEN[:position] + inserted + VALID_TOKEN[position + removed :]
    if token.rstrip("=") == VALID_TOKEN:
        return
    with pytest.raises(TokenRefused):
        verifier(Provider()).verify(token)


@given(st.dictionaries(st.sampled_from(["alg", "kid", "crit", "b64", "typ", "jwk"]), JSON))
def test_any_header_is_refused_with_invalid_token(header: dict[str, object]) -> None:
    provider = Provider()
    check_outcome(provider.signed(provider.claims(), provider.keys[0], **header))


@given(st.dictionaries(st.sampled_from(["exp", "nbf", "iat", "aud", "iss", "jti"]), JSON))
def test_any_claims_are_refused_or_accepted_without_other_errors(claims: dict[str, object]) -> None:
    check_outcome(token_with(Provider(), claims))


@pytest.mark.parametrize(
    "token",
    [
        Provider().token(iss=CANARY),
        Provider().token(aud=CANARY),
        Provider().token(exp=CANARY),
        Provider().token(Key(CANARY)),
        Provider().signed(CANARY, Key("first")),
        assemble_token({"alg": CANARY}, CANARY),
        assemble_token({"alg": "RS256", "crit": [CANARY]}, CANARY),
        CANARY,
    ],
)
def test_the_exception_contains_nothing_of_the_token(token: str) -> None:
    with pytest.raises(TokenRefused) as raised:
        verifier(Provider()).verify(token)
    assert str(raised.value) == raised.value.problem
    assert raised.value.__context__ is None
    assert raised.value.__cause__ is None
    assert not re.search(f"{CANARY}|{re.escape(token)}", "".join(traceback.format_exception(raised.value)))


# Imports


def test_shared_modules_do_not_load_cryptography() -> None:
    """Loading it would delay the cold start of functions that verify no tokens."""
    program = "import sys, handlers.common.errors, handlers.common.ids; print({'jwt', 'cryptography'} & {*sys.modules})"
    process = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)  # noqa: S603
    assert process.stdout == "set()\n"

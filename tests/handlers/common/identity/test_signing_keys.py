"""Tests of the signing keys that an identity provider publishes: cache, refetches, outages and unusable keys."""

import json
import threading
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from hypothesis import example, given
from hypothesis import strategies as st
from jwt.algorithms import OKPAlgorithm, RSAAlgorithm

from handlers.common.identity.signing_keys import (
    CACHE_SECONDS,
    MAX_OUTAGE_SECONDS,
    REFETCH_COOLDOWN_SECONDS,
    SigningKeys,
    SigningKeysUnavailable,
    UnknownSigningKey,
)
from tests.token_issuer import Key, KeysOf, Provider, replace_clock, serving

RSA_JWK = Key("first").published
EC_JWK = Key("first", "ES256").published


class KeysHarness:
    """Identity provider without a socket, the cache of its signing keys, and a clock in seconds."""

    def __init__(self) -> None:
        self.provider = Provider()
        self.keys = KeysOf(self.provider)
        self.now = 1_000_000.0


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch) -> KeysHarness:
    keys_harness = KeysHarness()
    replace_clock(monkeypatch, lambda: keys_harness.now)
    return keys_harness


def test_keys_are_cached_for_an_hour(harness: KeysHarness) -> None:
    for _ in range(3):
        assert harness.keys.key("first").key_id == "first"
    harness.now += CACHE_SECONDS
    harness.keys.key("first")
    assert harness.provider.request_count == 1
    harness.now += 1
    harness.keys.key("first")
    assert harness.provider.request_count == 2


def test_a_new_key_is_found_within_a_minute_and_a_withdrawn_key_is_refused_within_an_hour(harness: KeysHarness) -> None:
    harness.keys.key("first")
    harness.now += REFETCH_COOLDOWN_SECONDS
    harness.provider.rotate("second")
    assert harness.keys.key("second").key_id == "second"
    with pytest.raises(UnknownSigningKey):
        harness.keys.key("first")
    harness.provider.rotate("third")
    harness.now += CACHE_SECONDS + 1
    with pytest.raises(UnknownSigningKey):
        harness.keys.key("second")


def test_many_unknown_key_ids_cause_one_fetch_per_minute(harness: KeysHarness) -> None:
    harness.keys.key("first")
    for number in range(300):  # five minutes
        harness.now += 1
        with pytest.raises(UnknownSigningKey):
            harness.keys.key(f"random-{number}")
    assert harness.provider.request_count == 1 + 300 // REFETCH_COOLDOWN_SECONDS


def test_known_keys_stay_valid_while_the_provider_is_unavailable(harness: KeysHarness) -> None:
    harness.keys.key("first")
    harness.provider.is_unreachable = True
    harness.now += CACHE_SECONDS + 1
    for _ in range(120):
        assert harness.keys.key("first").key_id == "first"
        with pytest.raises(SigningKeysUnavailable):
            harness.keys.key("second")
        harness.now += 1
    assert harness.provider.request_count <= 5, "most of the 240 reads must cause no request"
    harness.provider.is_unreachable = False
    harness.now += REFETCH_COOLDOWN_SECONDS
    with pytest.raises(UnknownSigningKey):
        harness.keys.key("second")


def test_known_keys_expire_after_a_day_without_the_provider(harness: KeysHarness) -> None:
    harness.keys.key("first")
    harness.provider.is_unreachable = True
    harness.now += MAX_OUTAGE_SECONDS
    assert harness.keys.key("first").key_id == "first"
    harness.now += CACHE_SECONDS + 1
    with pytest.raises(SigningKeysUnavailable):
        harness.keys.key("first")
    harness.provider.is_unreachable = False
    assert harness.keys.key("first").key_id == "first"


def test_without_cached_keys_each_call_requests_them_again(harness: KeysHarness) -> None:
    harness.provider.is_unreachable = True
    with pytest.raises(SigningKeysUnavailable):
        harness.keys.key("first")
    harness.provider.is_unreachable = False
    assert harness.keys.key("first").key_id == "first"


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"<html>", b"\xff\xfe\x00", b"[" * 100_000, b"[]", b"null", b"{}"),
        *(b'{"keys": {}}', b'{"keys": []}', b'{"keys": [1, null, "x", [], {}]}'),
    ],
)
def test_an_invalid_answer_counts_as_unavailable_and_keeps_the_known_keys(harness: KeysHarness, body: bytes) -> None:
    harness.keys.key("first")
    harness.provider.body = body
    harness.now += CACHE_SECONDS + 1
    assert harness.keys.key("first").key_id == "first"
    with pytest.raises(SigningKeysUnavailable):
        harness.keys.key("second")


def test_a_token_without_key_id_gets_the_only_key(harness: KeysHarness) -> None:
    assert harness.keys.key(None).key_id == "first"
    harness.provider.keys.append(Key("second"))
    harness.now += CACHE_SECONDS + 1
    with pytest.raises(UnknownSigningKey):
        harness.keys.key(None)


def test_a_key_without_id_is_used_only_for_tokens_without_key_id(harness: KeysHarness) -> None:
    harness.provider.keys = [Key(None)]
    assert harness.keys.key(None).key_id is None
    with pytest.raises(UnknownSigningKey):
        harness.keys.key("first")


def public_rsa(bits: int) -> dict[str, Any]:
    """Return a public RSA key of this length as JSON Web Key."""
    return RSAAlgorithm.to_jwk(RSAPublicNumbers(65537, (1 << bits - 1) + 1).public_key(), as_dict=True)


UNUSABLE_KEYS = {
    "for encryption": RSA_JWK | {"use": "enc"},
    "an algorithm of another type": RSA_JWK | {"alg": "ES256"},
    "a shared secret": {"kty": "oct", "k": "c2VjcmV0"},
    "the algorithm of a shared secret": RSA_JWK | {"alg": "HS256"},
    "an unsupported curve": EC_JWK | {"crv": "secp256k1"},
    "a point of another curve": EC_JWK | {"crv": "P-384", "alg": "ES384"},
    "a point outside the curve": EC_JWK | {"x": EC_JWK["y"]},
    "a type that is not text": RSA_JWK | {"kty": ["RSA"]},
    "a curve that is not text": EC_JWK | {"crv": {}},
    "Ed448": {"kty": "OKP", "crv": "Ed448", "x": "A" * 76},
    "no modulus": {name: value for name, value in RSA_JWK.items() if name != "n"},
    "a modulus that is not text": RSA_JWK | {"n": 5},
    "a modulus that is not base64": RSA_JWK | {"n": "\ud800é"},
    "an even exponent": RSA_JWK | {"e": "Ag"},
    "1024 bits": public_rsa(1024),
    "16384 bits": public_rsa(16 * 1024),
    "a private RSA key": RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 2048), as_dict=True),
    "a private EdDSA key": OKPAlgorithm.to_jwk(Ed25519PrivateKey.generate(), as_dict=True),
}


@pytest.mark.parametrize("kind", UNUSABLE_KEYS)
def test_an_unusable_key_is_skipped(harness: KeysHarness, kind: str) -> None:
    harness.provider.body = json.dumps({"keys": [UNUSABLE_KEYS[kind] | {"kid": "bad"}, RSA_JWK]}).encode()
    assert harness.keys.key("first").key_id == "first"
    with pytest.raises(UnknownSigningKey):
        harness.keys.key("bad")


JSON_VALUES = st.none() | st.booleans() | st.integers() | st.text(st.characters()) | st.lists(st.integers(), max_size=2)


@given(st.sampled_from([RSA_JWK, EC_JWK, Key("x", "EdDSA").published]), st.data())
@example(RSA_JWK, None)
def test_a_malformed_key_is_used_or_unknown(jwk: dict[str, Any], data: st.DataObject | None) -> None:
    harness = KeysHarness()
    changed = {} if data is None else data.draw(st.dictionaries(st.sampled_from(sorted(jwk)), JSON_VALUES))
    harness.provider.body = json.dumps({"keys": [jwk | changed, Key("other").published]}).encode()
    for kid in ("other", "first", None):
        try:
            harness.keys.key(kid)
        except (SigningKeysUnavailable, UnknownSigningKey):
            assert changed or kid != "other", "a valid key must be found"


@pytest.mark.parametrize(
    "url",
    [
        "http://issuer.test/keys",
        "http://127.0.0.1@issuer.test/keys",
        "http://localhost.issuer.test/keys",
        "file:///etc/passwd",
        "ftp://127.0.0.1/keys",
        "//127.0.0.1/keys",
        "",
    ],
)
def test_an_http_url_is_refused_unless_it_is_local(url: str) -> None:
    with pytest.raises(ValueError, match="https"):
        SigningKeys(url)


def test_a_missing_url_is_named_after_its_variable() -> None:
    with pytest.raises(ValueError, match="JWKS_URL is missing"):
        SigningKeys(None)


@pytest.mark.parametrize(
    "url", ["https://issuer.test/keys", "http://127.0.0.1:1/keys", "http://[::1]/", "http://localhost/"]
)
def test_https_and_local_urls_are_accepted(url: str) -> None:
    SigningKeys(url)


@pytest.mark.parametrize("status", [302, 404, 500])
def test_any_status_except_200_counts_as_unavailable_and_no_redirect_is_followed(status: int) -> None:
    with serving(Provider()) as provider, serving(Provider()) as other:
        provider.status, provider.headers = status, {"Location": other.keys_url}
        with pytest.raises(SigningKeysUnavailable):
            SigningKeys(provider.keys_url).key("first")
        assert other.request_count == 0


def test_a_silent_or_missing_provider_counts_as_unavailable() -> None:
    with serving(Provider()) as provider:
        provider.answer_event = threading.Event()
        with pytest.raises(SigningKeysUnavailable):
            SigningKeys(provider.keys_url, timeout_seconds=0.05).key("first")
        provider.answer_event.set()
    with pytest.raises(SigningKeysUnavailable):
        SigningKeys(provider.keys_url).key("first")

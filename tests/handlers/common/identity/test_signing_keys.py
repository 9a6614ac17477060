"""A provider's keys: asked for seldom, kept when it is away, and only those that check signatures."""

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
    REFETCH_COOLDOWN_SECONDS,
    SigningKeys,
    SigningKeysUnavailable,
    UnknownSigningKey,
)
from tests.token_issuer import Key, KeysOf, Provider, serving, timed

RSA_JWK = Key("first").published
EC_JWK = Key("first", "ES256").published


class World:
    """A provider without a socket, the key set of a process that asks it, and a clock."""

    def __init__(self) -> None:
        self.provider = Provider()
        self.keys = KeysOf(self.provider)
        self.now = 1_000_000.0


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    one = World()
    timed(monkeypatch, lambda: one.now)
    return one


def test_keys_are_asked_for_once_an_hour(world: World) -> None:
    for _ in range(3):
        assert world.keys.key("first").key_id == "first"
    world.now += CACHE_SECONDS
    world.keys.key("first")
    assert world.provider.asked == 1
    world.now += 1
    world.keys.key("first")
    assert world.provider.asked == 2


def test_a_rotated_key_is_found_soon_and_a_withdrawn_one_ends_with_the_hour(world: World) -> None:
    world.keys.key("first")
    world.now += REFETCH_COOLDOWN_SECONDS
    world.provider.rotate("second")
    assert world.keys.key("second").key_id == "second"
    with pytest.raises(UnknownSigningKey):
        world.keys.key("first")
    world.provider.rotate("third")
    world.now += CACHE_SECONDS + 1
    with pytest.raises(UnknownSigningKey):
        world.keys.key("second")


def test_a_flood_of_unknown_names_asks_once_a_minute(world: World) -> None:
    world.keys.key("first")
    for number in range(300):  # five minutes
        world.now += 1
        with pytest.raises(UnknownSigningKey):
            world.keys.key(f"random-{number}")
    assert world.provider.asked == 1 + 300 // REFETCH_COOLDOWN_SECONDS


def test_while_the_provider_is_away_its_keys_stay_and_nobody_can_tell_about_others(world: World) -> None:
    world.keys.key("first")
    world.provider.away = True
    world.now += CACHE_SECONDS + 1
    for _ in range(120):
        assert world.keys.key("first").key_id == "first"
        with pytest.raises(SigningKeysUnavailable):
            world.keys.key("second")
        world.now += 1
    assert world.provider.asked <= 5
    world.provider.away = False
    world.now += REFETCH_COOLDOWN_SECONDS
    with pytest.raises(UnknownSigningKey):
        world.keys.key("second")


def test_without_any_key_an_absent_provider_is_asked_again(world: World) -> None:
    world.provider.away = True
    with pytest.raises(SigningKeysUnavailable):
        world.keys.key("first")
    world.provider.away = False
    assert world.keys.key("first").key_id == "first"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b"[]",
        b"null",
        b"{}",
        b'{"keys": {}}',
        b'{"keys": []}',
        b'{"keys": [1, null, "x", [], {}]}',
    ],
)
def test_garbage_counts_as_no_answer_and_spoils_nothing(world: World, body: bytes) -> None:
    world.keys.key("first")
    world.provider.body = body
    world.now += CACHE_SECONDS + 1
    assert world.keys.key("first").key_id == "first"
    with pytest.raises(SigningKeysUnavailable):
        world.keys.key("second")


def test_a_nameless_token_gets_the_only_key(world: World) -> None:
    assert world.keys.key(None).key_id == "first"
    world.provider.keys.append(Key("second"))
    world.now += CACHE_SECONDS + 1
    with pytest.raises(UnknownSigningKey):
        world.keys.key(None)


def test_a_nameless_key_serves_nameless_tokens_only(world: World) -> None:
    world.provider.keys = [Key(None)]
    assert world.keys.key(None).key_id is None
    with pytest.raises(UnknownSigningKey):
        world.keys.key("first")


def private_jwk() -> dict[str, Any]:
    return RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 2048), as_dict=True)


def public_rsa(bits: int) -> dict[str, Any]:
    return RSAAlgorithm.to_jwk(RSAPublicNumbers(65537, (1 << bits - 1) + 1).public_key(), as_dict=True)


UNUSABLE = {
    "for encryption": RSA_JWK | {"use": "enc"},
    "an algorithm of another type": RSA_JWK | {"alg": "ES256"},
    "a shared secret": {"kty": "oct", "k": "c2VjcmV0"},
    "a shared secret in disguise": RSA_JWK | {"alg": "HS256"},
    "a curve of no use": EC_JWK | {"crv": "secp256k1"},
    "another curve's point": EC_JWK | {"crv": "P-384", "alg": "ES384"},
    "a point beside the curve": EC_JWK | {"x": EC_JWK["y"]},
    "a type that is no text": RSA_JWK | {"kty": ["RSA"]},
    "a curve that is no text": EC_JWK | {"crv": {}},
    "Ed448": {"kty": "OKP", "crv": "Ed448", "x": "A" * 76},
    "half a key": {name: value for name, value in RSA_JWK.items() if name != "n"},
    "a number that is no text": RSA_JWK | {"n": 5},
    "a number that is no number": RSA_JWK | {"n": "\ud800é"},
    "an even exponent": RSA_JWK | {"e": "Ag"},
    "short": public_rsa(1024),
    "long": public_rsa(16 * 1024),
    "private": private_jwk(),
    "a private point": OKPAlgorithm.to_jwk(Ed25519PrivateKey.generate(), as_dict=True),
}


@pytest.mark.parametrize("kind", UNUSABLE)
def test_an_unusable_key_is_left_out_and_spoils_no_other(world: World, kind: str) -> None:
    world.provider.body = json.dumps({"keys": [UNUSABLE[kind] | {"kid": "bad"}, RSA_JWK]}).encode()
    assert world.keys.key("first").key_id == "first"
    with pytest.raises(UnknownSigningKey):
        world.keys.key("bad")


HOSTILE = st.none() | st.booleans() | st.integers() | st.text(st.characters()) | st.lists(st.integers(), max_size=2)


@given(st.sampled_from([RSA_JWK, EC_JWK, Key("x", "EdDSA").published]), st.data())
@example(RSA_JWK, None)
def test_a_key_of_any_shape_is_used_or_there_is_none(jwk: dict[str, Any], data: st.DataObject | None) -> None:
    world = World()
    changed = {} if data is None else data.draw(st.dictionaries(st.sampled_from(sorted(jwk)), HOSTILE))
    world.provider.body = json.dumps({"keys": [jwk | changed, Key("other").published]}).encode()
    for kid in ("other", "first", None):
        try:
            world.keys.key(kid)
        except (SigningKeysUnavailable, UnknownSigningKey):
            assert changed or kid != "other"


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
def test_keys_come_by_https_or_from_this_machine(url: str) -> None:
    with pytest.raises(ValueError, match="https"):
        SigningKeys(url)


@pytest.mark.parametrize(
    "url", ["https://issuer.test/keys", "http://127.0.0.1:1/keys", "http://[::1]/", "http://localhost/"]
)
def test_other_addresses_will_do(url: str) -> None:
    SigningKeys(url)


@pytest.mark.parametrize("status", [404, 500])
def test_any_status_but_200_is_no_answer(status: int) -> None:
    with serving(Provider()) as provider:
        provider.status = status
        with pytest.raises(SigningKeysUnavailable):
            SigningKeys(provider.keys_url).key("first")


def test_no_redirect_is_followed() -> None:
    with serving(Provider()) as provider, serving(Provider()) as other:
        provider.status, provider.headers = 302, {"Location": other.keys_url}
        with pytest.raises(SigningKeysUnavailable):
            SigningKeys(provider.keys_url).key("first")
        assert other.asked == 0


def test_a_silent_provider_is_not_waited_for_and_one_that_is_gone_is_no_answer() -> None:
    with serving(Provider()) as provider:
        provider.goes_on = threading.Event()
        with pytest.raises(SigningKeysUnavailable):
            SigningKeys(provider.keys_url, timeout_seconds=0.05).key("first")
        provider.goes_on.set()
    with pytest.raises(SigningKeysUnavailable):
        SigningKeys(provider.keys_url).key("first")

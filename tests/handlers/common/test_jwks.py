"""A provider's keys: asked for seldom, kept when it is away, and only those that check signatures."""

import contextlib
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from hypothesis import example, given
from hypothesis import strategies as st
from jwt.algorithms import OKPAlgorithm, RSAAlgorithm

from handlers.common.jwks import (
    CACHE_SECONDS,
    KEEP_SECONDS,
    MAX_BYTES,
    REFETCH_SECONDS,
    RETRY_SECONDS,
    KeySet,
    KeysUnavailable,
    UnknownKey,
    fetched,
)
from tests.issuer import Key, Provider, serving

RSA_JWK = Key("first").published
EC_JWK = Key("first", "ES256").published


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class World:
    """A provider without a socket, and the key set of a process that asks it."""

    def __init__(self) -> None:
        self.provider = Provider()
        self.clock = Clock()
        self.away = False
        self.keys = KeySet(self.provider.keys_url, self.fetch, self.clock)

    def fetch(self, url: str) -> bytes:
        body = self.provider.fetch(url)
        if self.away:
            raise KeysUnavailable("away")
        return body


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def provider() -> Iterator[Provider]:
    with serving(Provider()) as one:
        yield one


def test_keys_are_asked_for_once_an_hour(world: World) -> None:
    for _ in range(3):
        assert world.keys.key("first").kid == "first"
    world.clock.now += CACHE_SECONDS - 1
    world.keys.key("first")
    assert world.provider.asked == 1
    world.clock.now += 1
    world.keys.key("first")
    assert world.provider.asked == 2


def test_a_rotated_key_is_found_at_once(world: World) -> None:
    world.keys.key("first")
    world.clock.now += REFETCH_SECONDS
    world.provider.rotate("second")
    assert world.keys.key("second").kid == "second"
    with pytest.raises(UnknownKey):
        world.keys.key("first")


def test_a_withdrawn_key_ends_with_the_hour(world: World) -> None:
    world.keys.key("first")
    world.provider.rotate("second")
    world.clock.now += CACHE_SECONDS
    with pytest.raises(UnknownKey):
        world.keys.key("first")


def test_a_flood_of_unknown_names_asks_once_a_minute(world: World) -> None:
    world.keys.key("first")
    for number in range(300):  # five minutes
        world.clock.now += 1
        with pytest.raises(UnknownKey):
            world.keys.key(f"random-{number}")
    assert world.provider.asked == 1 + 300 // REFETCH_SECONDS


def test_while_the_provider_is_away_its_keys_stay_and_it_is_asked_once_a_minute(world: World) -> None:
    world.keys.key("first")
    world.away = True
    world.clock.now += CACHE_SECONDS
    for _ in range(120):
        assert world.keys.key("first").kid == "first"
        world.clock.now += 1
    assert world.provider.asked == 3


def test_keys_do_not_outlive_an_absent_provider_for_ever(world: World) -> None:
    world.keys.key("first")
    world.away = True
    world.clock.now += KEEP_SECONDS - 1
    world.keys.key("first")
    world.clock.now += REFETCH_SECONDS
    with pytest.raises(KeysUnavailable):
        world.keys.key("first")


def test_nobody_can_tell_about_an_unknown_key_while_the_provider_is_away(world: World) -> None:
    world.keys.key("first")
    world.away = True
    world.clock.now += REFETCH_SECONDS
    with pytest.raises(KeysUnavailable):
        world.keys.key("second")


def test_without_any_key_an_absent_provider_is_asked_again_soon(world: World) -> None:
    world.away = True
    for _ in range(3):
        with pytest.raises(KeysUnavailable):
            world.keys.key("first")
    assert world.provider.asked == 1
    world.away = False
    world.clock.now += RETRY_SECONDS
    assert world.keys.key("first").kid == "first"
    assert world.provider.asked == 2


def test_a_provider_that_returns_is_believed_again(world: World) -> None:
    world.keys.key("first")
    world.away = True
    world.clock.now += REFETCH_SECONDS
    with pytest.raises(KeysUnavailable):
        world.keys.key("random")
    world.away = False
    world.clock.now += REFETCH_SECONDS
    with pytest.raises(UnknownKey):
        world.keys.key("random")


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
    world.clock.now += CACHE_SECONDS
    assert world.keys.key("first").kid == "first"
    with pytest.raises(KeysUnavailable):
        world.keys.key("second")


def test_a_nameless_token_gets_the_only_key(world: World) -> None:
    assert world.keys.key(None).kid == "first"
    world.provider.keys.append(Key("second"))
    world.clock.now += CACHE_SECONDS
    with pytest.raises(UnknownKey):
        world.keys.key(None)


def test_a_nameless_key_serves_nameless_tokens_only(world: World) -> None:
    world.provider.keys = [Key(None)]
    assert world.keys.key(None).kid is None
    with pytest.raises(UnknownKey):
        world.keys.key("first")


@pytest.mark.parametrize(
    ("algorithm", "named", "allowed"),
    [
        ("RS256", False, {"RS256", "RS384", "RS512", "PS256"}),
        ("RS384", True, {"RS384"}),
        ("PS256", True, {"PS256"}),
        ("ES256", False, {"ES256"}),
        ("ES384", False, {"ES384"}),
        ("EdDSA", False, {"EdDSA"}),
        ("EdDSA", True, {"EdDSA"}),
    ],
)
def test_a_key_serves_the_algorithms_of_its_type_and_what_it_says_itself(
    world: World, algorithm: str, named: bool, allowed: set[str]
) -> None:
    world.provider.keys = [Key("first", algorithm, named_algorithm=named)]
    assert world.keys.key("first").algorithms == allowed


def private_jwk() -> dict[str, Any]:
    return RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 2048), as_dict=True)


def public_rsa(bits: int) -> dict[str, Any]:
    return RSAAlgorithm.to_jwk(RSAPublicNumbers(65537, (1 << bits - 1) + 1).public_key(), as_dict=True)


UNUSABLE = {
    "for encryption": RSA_JWK | {"use": "enc"},
    "of no use": RSA_JWK | {"use": None},
    "an algorithm of another type": RSA_JWK | {"alg": "ES256"},
    "an algorithm of another curve": EC_JWK | {"alg": "ES384"},
    "a shared secret": {"kty": "oct", "k": "c2VjcmV0"},
    "a shared secret in disguise": RSA_JWK | {"alg": "HS256"},
    "an algorithm that is no text": RSA_JWK | {"alg": ["RS256"]},
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
    assert world.keys.key("first").kid == "first"
    with pytest.raises(UnknownKey):
        world.keys.key("bad")


@pytest.mark.parametrize("kid", [5, ["first"], {}, True])
def test_a_key_whose_name_is_no_text_is_left_out(world: World, kid: object) -> None:
    world.provider.body = json.dumps({"keys": [RSA_JWK | {"kid": kid}, EC_JWK]}).encode()
    assert world.keys.key(None).algorithms == {"ES256"}


def test_a_key_that_does_not_say_its_use_is_for_signatures(world: World) -> None:
    world.provider.body = json.dumps({"keys": [{k: v for k, v in RSA_JWK.items() if k != "use"}]}).encode()
    assert world.keys.key("first").kid == "first"


HOSTILE = st.none() | st.booleans() | st.integers() | st.text(st.characters()) | st.lists(st.integers(), max_size=2)


@given(st.sampled_from([RSA_JWK, EC_JWK, Key("x", "EdDSA").published]), st.data())
@example(RSA_JWK, None)
def test_a_key_of_any_shape_is_used_or_left_out(jwk: dict[str, Any], data: st.DataObject | None) -> None:
    world = World()
    changed = {} if data is None else data.draw(st.dictionaries(st.sampled_from(sorted(jwk)), HOSTILE))
    world.provider.body = json.dumps({"keys": [jwk | changed, Key("other").published]}).encode()
    assert world.keys.key("other").kid == "other"


def test_threads_that_need_the_same_keys_ask_once(world: World) -> None:
    second = threading.Barrier(2, timeout=0.2)

    def slow(url: str) -> bytes:
        with contextlib.suppress(threading.BrokenBarrierError):
            second.wait()  # for another thread to ask as well
        return world.fetch(url)

    keys = KeySet(world.provider.keys_url, slow, world.clock)
    with ThreadPoolExecutor(2) as pool:
        assert [one.kid for one in pool.map(keys.key, ["first", "first"])] == ["first", "first"]
    assert world.provider.asked == 1


def test_a_known_key_does_not_wait_for_a_question_about_another(world: World) -> None:
    asking, answered = threading.Event(), threading.Event()

    def slow(url: str) -> bytes:
        if world.provider.asked:
            asking.set()
            answered.wait(5)
        return world.fetch(url)

    keys = KeySet(world.provider.keys_url, slow, world.clock)
    keys.key("first")
    world.clock.now += REFETCH_SECONDS
    world.provider.keys.append(Key("second"))
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(keys.key, "second")
        assert asking.wait(5)
        assert keys.key("first").kid == "first"
        assert not other.done()
        answered.set()
        assert other.result().kid == "second"


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
        KeySet(url)


@pytest.mark.parametrize(
    "url", ["https://issuer.test/keys", "http://127.0.0.1:1/keys", "http://[::1]/", "http://localhost/"]
)
def test_other_addresses_will_do(url: str) -> None:
    KeySet(url)


@pytest.mark.parametrize("status", [204, 400, 403, 404, 500, 503])
def test_any_status_but_200_is_no_answer(provider: Provider, status: int) -> None:
    provider.status = status
    with pytest.raises(KeysUnavailable, match=str(status)):
        fetched(provider.keys_url)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(provider: Provider, status: int) -> None:
    with serving(Provider()) as other:
        provider.status, provider.headers = status, {"Location": other.keys_url}
        with pytest.raises(KeysUnavailable, match=str(status)):
            fetched(provider.keys_url)
        assert other.asked == 0


def test_no_proxy_of_the_environment_is_used(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(Provider()) as proxy:
        monkeypatch.setenv("http_proxy", proxy.issuer)
        monkeypatch.delenv("no_proxy", raising=False)
        assert fetched(provider.keys_url) == provider.published()
        assert proxy.asked == 0


def test_an_answer_has_a_greatest_length_and_one_without_end_is_not_read_to_its_end(provider: Provider) -> None:
    provider.body = b" " * MAX_BYTES
    assert len(fetched(provider.keys_url)) == MAX_BYTES
    provider.body += b" "
    with pytest.raises(KeysUnavailable, match="too long"):
        fetched(provider.keys_url)
    provider.never_ends = True
    with pytest.raises(KeysUnavailable, match="too long"):
        fetched(provider.keys_url)


def test_a_silent_provider_is_not_waited_for(provider: Provider) -> None:
    provider.goes_on = threading.Event()
    with pytest.raises(KeysUnavailable, match="TimeoutError"):
        fetched(provider.keys_url, timeout_seconds=0.05)
    provider.goes_on.set()


def test_an_answer_that_comes_a_letter_at_a_time_is_not_waited_for(provider: Provider) -> None:
    provider.drips = True
    with pytest.raises(KeysUnavailable):
        fetched(provider.keys_url, timeout_seconds=0.3)


def test_a_provider_that_is_gone_is_no_answer() -> None:
    with serving(Provider()) as one:
        gone = one.keys_url
    with pytest.raises(KeysUnavailable):
        fetched(gone)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/a b", "http://127.0.0.1:1/é", "http://127.0.0.1:x/"])
def test_an_address_that_is_none_is_no_answer(url: str) -> None:
    with pytest.raises(KeysUnavailable):
        fetched(url)

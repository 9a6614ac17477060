"""A provider's public keys: fetched seldom, kept while the provider is away, and only those that check signatures.

A key that nobody knows makes the set ask again, but not more than once a minute: whoever sends tokens decides how often
unknown names come, and must not decide how often the provider is asked. Without any key there is nothing to protect
callers from, and the set asks every few seconds. An answer without a single usable key counts as no answer.

Keys travel straight from their host: no redirect is followed, and proxies of the process's environment are not used. A
deployment that reaches the world only through a proxy gives a `fetch` of its own. A provider that names no keys and
replaces its only one is noticed within the hour, not at once.

Decides nothing about tokens: that is `oidc`. Only what verifies tokens imports this file; it loads cryptography.
"""

import http.client
import json
import threading
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

CACHE_SECONDS = 3600
"""How long keys are used without asking."""
REFETCH_SECONDS = 60
"""The least time between two questions while there are keys."""
RETRY_SECONDS = 5
"""The same while there are none."""
KEEP_SECONDS = 24 * 3600
"""How long keys outlive a provider that does not answer: a withdrawn key must end some day."""
TIMEOUT_SECONDS = 2.5
"""For the connection, for each wait, and for the body as a whole."""
MAX_BYTES = 256 * 1024
RSA_BITS = range(2048, 8192 + 1)
"""Shorter keys are weak; longer ones cost more time than a caller may take."""
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class UnknownKey(Exception):
    """The provider answers, and has no such key."""


class KeysUnavailable(Exception):
    """The provider does not answer with keys, so nobody can tell."""


@dataclass(frozen=True)
class SigningKey:
    """A public key, and the algorithms for which it may be used."""

    kid: str | None
    algorithms: frozenset[str]
    key: RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey


Fetch = Callable[[str], bytes]
"""Gives what an address answers, at most `MAX_BYTES`, or raises KeysUnavailable."""


def fetched(url: str, timeout_seconds: float = TIMEOUT_SECONDS) -> bytes:
    """What an address answers, if it does so itself, in time, and briefly."""
    # These two handlers alone: none that follows redirects, reads files or asks the environment for a proxy.
    opener = urllib.request.OpenerDirector()
    opener.add_handler(urllib.request.HTTPHandler())
    opener.add_handler(urllib.request.HTTPSHandler())
    # Some providers' firewalls turn the library's own name away.
    headers = {"Accept": "application/json", "User-Agent": "polyphony"}
    deadline = time.monotonic() + timeout_seconds
    body = b""
    try:
        request = urllib.request.Request(url, headers=headers)  # noqa: S310 - KeySet has checked the scheme
        with opener.open(request, timeout=timeout_seconds) as response:
            if response.status != http.client.OK:
                raise KeysUnavailable(f"status {response.status}")
            while len(body) <= MAX_BYTES and (chunk := response.read1(MAX_BYTES)):
                body += chunk
                if time.monotonic() > deadline:
                    raise KeysUnavailable("too slow")
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise KeysUnavailable(type(error).__name__) from error
    if len(body) > MAX_BYTES:
        raise KeysUnavailable("too long")
    return body


@dataclass(frozen=True)
class _Known:
    """What a set knows at one moment."""

    keys: tuple[SigningKey, ...] = ()
    fetched_at: float = float("-inf")
    asked_at: float = float("-inf")
    failed: bool = True
    """Whether the last question got no answer."""

    def chosen(self, kid: str | None) -> SigningKey | None:
        """The key of this name; without a name, the only key."""
        if kid is None:
            return self.keys[0] if len(self.keys) == 1 else None
        return next((one for one in self.keys if one.kid == kid), None)


class KeySet:
    """The keys at one address. Threads may share it."""

    def __init__(self, url: str, fetch: Fetch = fetched, clock_seconds: Callable[[], float] = time.monotonic) -> None:
        parts = urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
            raise ValueError("keys come by https, or from this machine")
        self._url = url
        self._fetch = fetch
        self._clock_seconds = clock_seconds
        self._asking = threading.Lock()
        self._known = _Known()

    def key(self, kid: str | None) -> SigningKey:
        """The key of this name; raises UnknownKey or KeysUnavailable."""
        known = self._known  # read once: another thread may replace it
        found = known.chosen(kid)
        if found is None or self._clock_seconds() - known.fetched_at >= CACHE_SECONDS:
            known = self._asked()
            found = known.chosen(kid)
        if found is not None:
            return found
        if known.failed:
            raise KeysUnavailable
        raise UnknownKey

    def _asked(self) -> _Known:
        """What is known after asking the provider, or without, if it was asked just now."""
        with self._asking:
            now = self._clock_seconds()
            known = self._known
            if now - known.asked_at >= (REFETCH_SECONDS if known.keys else RETRY_SECONDS):
                try:
                    known = _Known(_signing_keys(self._fetch(self._url)), now, now, failed=False)
                except KeysUnavailable:
                    kept = known.keys if now - known.fetched_at < KEEP_SECONDS else ()
                    known = replace(known, keys=kept, asked_at=now, failed=True)
                self._known = known
            return known


def _signing_keys(body: bytes) -> tuple[SigningKey, ...]:
    """The usable keys of a JSON Web Key Set; at least one."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise KeysUnavailable("no JSON") from error
    listed: object = answer.get("keys") if isinstance(answer, dict) else None
    if not isinstance(listed, list):
        raise KeysUnavailable("no key set")
    keys = tuple(one for one in map(_signing_key, listed) if one is not None)
    if not keys:
        raise KeysUnavailable("no usable key")
    return keys


def _signing_key(jwk: object) -> SigningKey | None:
    """A key as published; none if it is not for signatures, is too weak, or is no key."""
    if not isinstance(jwk, dict) or jwk.get("use", "sig") != "sig":
        return None
    kid, fitting = jwk.get("kid"), _fitting(jwk)
    if "alg" in jwk:
        fitting = [one for one in fitting if one == jwk["alg"]]
    if not fitting or not (kid is None or isinstance(kid, str)):
        return None
    try:
        key: object = jwt.PyJWK(jwk, fitting[0]).key
    except (jwt.PyJWTError, UnsupportedAlgorithm):
        return None
    if isinstance(key, RSAPublicKey) and key.key_size not in RSA_BITS:
        return None
    if not isinstance(key, RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey):
        return None  # private: whoever publishes it has lost it
    return SigningKey(kid, frozenset(fitting), key)


def _fitting(jwk: dict[str, object]) -> list[str]:
    """The algorithms that a key's type allows, and no other type's: what keeps a key from passing for another."""
    match jwk:
        case {"kty": "RSA"}:
            return ["RS256", "RS384", "RS512", "PS256"]
        case {"kty": "EC", "crv": "P-256"}:
            return ["ES256"]
        case {"kty": "EC", "crv": "P-384"}:
            return ["ES384"]
        case {"kty": "OKP", "crv": "Ed25519"}:
            return ["EdDSA"]
        case _:
            return []

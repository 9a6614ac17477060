"""A provider's public keys: PyJWT's client for them, kept while the provider is away, and only those that check signatures.

PyJWT's client caches the keys, and looks for an unknown one at most once in a while: whoever sends tokens decides how
often unknown names come, and must not decide how often the provider is asked. It follows no redirect. While the provider
does not answer, the keys that are known stay; then nobody can tell about an unknown one.

Decides nothing about tokens: that is `oidc`. Only what verifies tokens imports this file; it loads cryptography.
"""

from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK, PyJWKClient, PyJWKClientError, PyJWKSet

CACHE_SECONDS = 3600
"""How long keys are used without asking: a key that is withdrawn serves no longer."""
REFETCH_SECONDS = 60
"""The least time between two questions for unknown keys."""
TIMEOUT_SECONDS = 2.5
HEADERS = {"Accept": "application/json", "User-Agent": "polyphony"}
"""Some providers' firewalls turn the library's own name away."""
RSA_BITS = range(2048, 8192 + 1)
"""Shorter keys are weak; longer ones cost more time than a caller may take."""
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class UnknownKey(Exception):
    """The provider answers, and has no such key."""


class KeysUnavailable(Exception):
    """The provider does not answer with keys, so nobody can tell."""


class KeySet(PyJWKClient):
    """The keys at one address. Threads may share it."""

    def __init__(self, url: str, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        parts = urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
            raise ValueError("keys come by https, or from this machine")
        super().__init__(
            url,
            lifespan=CACHE_SECONDS,
            cooldown_duration=REFETCH_SECONDS,
            timeout=timeout_seconds,
            headers=HEADERS,
        )
        self._latest: PyJWKSet | None = None
        self._failed = False

    def key(self, kid: str | None) -> PyJWK:
        """The key of this name, or without a name the only key; raises UnknownKey or KeysUnavailable."""
        try:
            found = self._only() if kid is None else self.get_signing_key(kid)
        except PyJWKClientError:
            found = None
        if found is not None and _checks_signatures(found.key):
            return found
        raise KeysUnavailable if self._failed else UnknownKey

    def fetch_data(self) -> PyJWKSet:
        """Ask the provider; if it does not answer with keys, return the latest that are known."""
        try:
            self._latest, self._failed = PyJWKSet.from_dict(self._asked()), False
        except Exception as error:
            if self._latest is None:
                raise KeysUnavailable(type(error).__name__) from error
            self._failed = True
        return self._latest

    def _asked(self) -> dict[str, Any]:
        answer: dict[str, Any] = super().fetch_data()
        return answer

    def _only(self) -> PyJWK | None:
        keys = [one for one in self.get_jwk_set().keys if one.public_key_use in {"sig", None}]
        return keys[0] if len(keys) == 1 else None


def _checks_signatures(key: object) -> bool:
    """A private key does not, although it could: whoever publishes it has lost it."""
    if isinstance(key, RSAPublicKey):
        return key.key_size in RSA_BITS
    return isinstance(key, EllipticCurvePublicKey | Ed25519PublicKey)

"""Public keys of an identity provider, fetched from its JWKS URL and cached.

PyJWT's client caches the keys. If a token names an unknown key, the client fetches the keys again, but at most once per
cooldown period. Without this limit, callers could make the Lambda function call the provider at any rate, because they
choose the key ids in their tokens. Redirects are not followed.

While the provider is unavailable, the keys that were fetched last stay in use for about a day. An unknown key id then
raises SigningKeysUnavailable, not UnknownSigningKey, because the provider may have added a key meanwhile.

Tokens are verified in `oidc_tokens`. The import of this module loads the package cryptography, so only Lambda functions
that verify tokens import it.
"""

import time
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK, PyJWKClient, PyJWKClientError, PyJWKSet

CACHE_SECONDS = 3600
"""Lifetime of cached keys. If the provider can be reached, a withdrawn key is accepted for at most this time."""
MAX_OUTAGE_SECONDS = 24 * 3600
"""Maximum age of keys that are used again after a failed fetch.

They then stay in the cache for another CACHE_SECONDS. So during an outage of the provider, a withdrawn key is accepted
for at most MAX_OUTAGE_SECONDS + CACHE_SECONDS.
"""
REFETCH_COOLDOWN_SECONDS = 60
"""Minimum time between two fetches for unknown key ids."""
TIMEOUT_SECONDS = 2.5
"""Time limit for fetching the keys."""
HEADERS = {"Accept": "application/json", "User-Agent": "polyphony"}
"""Some providers' firewalls block the library's default user agent."""
RSA_BITS = range(2048, 8192 + 1)
"""Accepted key lengths. Shorter keys are weak, and verification with longer keys consumes too much CPU time."""
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
"""Hosts that may be called without TLS, for tests and the local platform."""


class UnknownSigningKey(Exception):
    """The provider has no usable key with this id."""


class SigningKeysUnavailable(Exception):
    """The keys could not be fetched, so it is unknown whether the key exists."""


class SigningKeys(PyJWKClient):
    """Signing keys at one JWKS URL. Threads may share an instance."""

    def __init__(self, url: str | None, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        if url is None:
            raise ValueError("JWKS_URL is missing: set it to the URL of the identity provider's keys")
        parts = urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
            raise ValueError("the URL of the signing keys must use https, or http on localhost")
        super().__init__(
            url,
            lifespan=CACHE_SECONDS,
            cooldown_duration=REFETCH_COOLDOWN_SECONDS,
            timeout=timeout_seconds,
            headers=HEADERS,
        )
        self._latest: PyJWKSet | None = None
        self._fetched_at = 0.0
        """Time of the latest successful fetch, on the monotonic clock."""
        self._last_fetch_failed = False

    def key(self, kid: str | None) -> PyJWK:
        """Return the key with this id, or the only key if the id is None.

        Raises UnknownSigningKey or SigningKeysUnavailable.
        """
        try:
            key = self._single_key() if kid is None else self.get_signing_key(kid)
        except PyJWKClientError:
            key = None
        if key is not None and _is_verification_key(key.key):
            return key
        raise SigningKeysUnavailable if self._last_fetch_failed else UnknownSigningKey

    def fetch_data(self) -> PyJWKSet:
        """Fetch the keys. PyJWT's client calls this method if its cache does not have the key or has expired.

        If the fetch fails, return the keys that were fetched last. Raises SigningKeysUnavailable if no keys were
        fetched before, or if they are older than MAX_OUTAGE_SECONDS.
        """
        try:
            self._latest, self._last_fetch_failed = PyJWKSet.from_dict(self._fetch_jwks()), False
            self._fetched_at = time.monotonic()
        except Exception as error:
            if self._latest is None or time.monotonic() - self._fetched_at > MAX_OUTAGE_SECONDS:
                raise SigningKeysUnavailable(type(error).__name__) from error
            self._last_fetch_failed = True
        return self._latest

    def _fetch_jwks(self) -> dict[str, Any]:
        answer: dict[str, Any] = super().fetch_data()
        return answer

    def _single_key(self) -> PyJWK | None:
        keys = [key for key in self.get_jwk_set().keys if key.public_key_use in {"sig", None}]
        return keys[0] if len(keys) == 1 else None


def _is_verification_key(key: object) -> bool:
    """Return True for a public key of an accepted type and length.

    A provider's JWKS may contain a private key by mistake. It is refused, because everybody could sign with it.
    """
    if isinstance(key, RSAPublicKey):
        return key.key_size in RSA_BITS
    return isinstance(key, EllipticCurvePublicKey | Ed25519PublicKey)

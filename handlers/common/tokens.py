"""Verification of OpenID Connect tokens with PyJWT. The result is the caller's user id, a hash of issuer and subject.

A token must be signed by a key of the provider, with the algorithm of that key. The claims `iss`, `aud`, `sub` and `exp`
are required. So ID tokens of Amazon Cognito are accepted. Cognito's access tokens are refused, because they have
`client_id` instead of `aud`. The token's issuer must be exactly the configured issuer: with a trailing slash only if the
configured issuer has one.

The import of this module loads the package cryptography, so only Lambda functions that verify tokens import it.
"""

import jwt

from handlers.common.ids import derive_user_id

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA")
"""Accepted algorithms. They all verify with a public key. HMAC and `none` are refused."""
MAX_TOKEN_LENGTH = 8 * 1024
"""Longer tokens are refused unread."""
LEEWAY_SECONDS = 30
"""Tolerance for differences between the clocks of the provider and of Lambda."""
CACHE_SECONDS = 3600
"""Lifetime of the provider's keys in the cache. A withdrawn key is accepted for at most this time."""
REFETCH_COOLDOWN_SECONDS = 60
"""Minimum time between two fetches for unknown key ids. Callers choose the key ids in their tokens. So without this
limit, they could make the function call the provider at any rate."""
TIMEOUT_SECONDS = 2.5
"""Time limit for fetching the keys."""
HEADERS = {"Accept": "application/json", "User-Agent": "polyphony"}
"""Some providers' firewalls block the library's default user agent."""


class TokenRefused(Exception):
    """The token is not valid. The message is the name of PyJWT's error, and has nothing from the token."""


class ProviderUnavailable(Exception):
    """The provider's keys could not be fetched, so the token could not be checked."""


def signing_keys(url: str | None) -> jwt.PyJWKClient:
    """Return a cache of the keys that the identity provider publishes at a URL. It follows no redirects."""
    if url is None:
        raise ValueError("JWKS_URL is missing: set it to the URL of the identity provider's keys")
    return jwt.PyJWKClient(
        url,
        lifespan=CACHE_SECONDS,
        cooldown_duration=REFETCH_COOLDOWN_SECONDS,
        timeout=TIMEOUT_SECONDS,
        headers=HEADERS,
    )


class TokenVerifier:
    """Verifier for the tokens of one issuer and one audience. Threads may share it."""

    def __init__(self, issuer: str, audience: str, keys: jwt.PyJWKClient) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys = keys

    def verify(self, token: str) -> str:
        """Return the user id of the token's subject. Raise TokenRefused or ProviderUnavailable."""
        try:
            return derive_user_id(self._issuer, self._subject(token))
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            reason = type(error).__name__
        # Raised outside the except block, so that it has no cause: PyJWT's errors quote the token.
        raise TokenRefused(reason)

    def _subject(self, token: str) -> str:
        if len(token) > MAX_TOKEN_LENGTH:
            raise jwt.DecodeError
        header = jwt.get_unverified_header(token)
        if header.get("alg") not in ALGORITHMS:  # checked before the keys are fetched
            raise jwt.InvalidAlgorithmError
        # Fetched first, so that a failure to fetch the keys is not taken for an unknown key id.
        try:
            self._keys.get_jwk_set()
        except Exception:  # noqa: BLE001 - the provider may send anything
            raise ProviderUnavailable from None
        try:
            key = self._keys.get_signing_key(header.get("kid", ""))
        except jwt.PyJWKClientConnectionError:
            raise ProviderUnavailable from None
        claims = jwt.decode(
            token,
            key,
            algorithms=ALGORITHMS,
            issuer=self._issuer,
            audience=self._audience,
            leeway=LEEWAY_SECONDS,
            options={"require": ["exp", "sub", "iss", "aud"], "enforce_minimum_key_length": True},
        )
        subject: str = claims["sub"]
        if not subject:
            raise jwt.DecodeError
        return subject

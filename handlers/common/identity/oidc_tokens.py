"""Verification of OpenID Connect tokens. The result is the caller's user id, a hash of issuer and subject.

A token must be signed by a key of the provider, with the algorithm that the key states or that its type implies. The
claims `iss`, `aud`, `sub` and `exp` are required. So ID tokens of Amazon Cognito are accepted. Cognito's access tokens
are rejected, because they have `client_id` instead of `aud`. The token's issuer must be exactly the configured
issuer: with a trailing slash only if the configured issuer has one.

PyJWT checks signature, issuer and audience. This module checks the times, because PyJWT reads the system clock, which
tests cannot replace. Nothing from the token leaves this module, except the user id.

The import of this module loads the package cryptography, so only Lambda functions that verify tokens import it.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import jwt

from handlers.common.identity.signing_keys import SigningKeys, SigningKeysUnavailable, UnknownSigningKey
from handlers.common.identity.user_ids import derive_user_id

ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"})
"""Accepted algorithms. They all verify with a public key. HMAC and `none` are rejected."""
MAX_TOKEN_LENGTH = 8 * 1024
"""Longer tokens are rejected unread."""
MAX_SUBJECT_LENGTH = 255
"""Limit of the OpenID Connect specification."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class InvalidTokenReason(StrEnum):
    """Reasons to reject a token. Only `KEYS_UNAVAILABLE` is a temporary failure, and not a fault of the token."""

    MALFORMED = "malformed"
    UNKNOWN_KEY = "unknown_key"
    """The provider has no key with the id that the token names."""
    BAD_SIGNATURE = "bad_signature"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    """The time in `nbf` or `iat` is in the future."""
    WRONG_ISSUER = "wrong_issuer"
    WRONG_AUDIENCE = "wrong_audience"
    MISSING_CLAIM = "missing_claim"
    ALGORITHM_REFUSED = "algorithm_refused"
    """The token's algorithm is not in `ALGORITHMS`, or is not the algorithm of the key."""
    KEYS_UNAVAILABLE = "keys_unavailable"
    """The provider's keys could not be fetched, so the token could not be checked."""


_REASONS: dict[type[Exception], InvalidTokenReason] = {
    UnknownSigningKey: InvalidTokenReason.UNKNOWN_KEY,
    SigningKeysUnavailable: InvalidTokenReason.KEYS_UNAVAILABLE,
    jwt.InvalidSignatureError: InvalidTokenReason.BAD_SIGNATURE,
    jwt.MissingRequiredClaimError: InvalidTokenReason.MISSING_CLAIM,
    jwt.InvalidIssuerError: InvalidTokenReason.WRONG_ISSUER,
    jwt.InvalidAudienceError: InvalidTokenReason.WRONG_AUDIENCE,
}
"""Reasons by exceptions of PyJWT and of the signing keys. All other exceptions of PyJWT mean `MALFORMED`."""


class InvalidToken(Exception):
    """The token is rejected. The exception contains the reason and nothing from the token."""

    def __init__(self, reason: InvalidTokenReason) -> None:
        super().__init__(reason.value)
        self.reason = reason


class TokenVerifier:
    """Verifier for the tokens of one issuer and one audience, with a tolerance for clock differences."""

    def __init__(
        self,
        issuer: str,
        audience: str,
        keys: SigningKeys,
        clock: Callable[[], datetime],
        leeway_seconds: int = 30,
    ) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys = keys
        self._clock = clock
        self._leeway = timedelta(seconds=leeway_seconds)

    def verify(self, token: str) -> str:
        """Return the user id of the token's subject. Raises InvalidToken."""
        try:
            return self._check_times_and_subject(self._verify_signature(token))
        except (jwt.PyJWTError, UnknownSigningKey, SigningKeysUnavailable) as error:
            reason = _REASONS.get(type(error), InvalidTokenReason.MALFORMED)
        # Raised outside the except block, so that it has no cause: PyJWT's errors quote the token.
        raise InvalidToken(reason)

    def _verify_signature(self, token: str) -> dict[str, Any]:
        """Return the claims of a token after checking its signature, issuer and audience."""
        if len(token) > MAX_TOKEN_LENGTH or not token.isascii():
            raise InvalidToken(InvalidTokenReason.MALFORMED)
        header = jwt.get_unverified_header(token)
        if "crit" in header:  # No critical header extension is supported.
            raise InvalidToken(InvalidTokenReason.MALFORMED)
        algorithm = header.get("alg")
        if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
            raise InvalidToken(InvalidTokenReason.ALGORITHM_REFUSED)
        key = self._keys.key(header.get("kid"))
        if algorithm != key.algorithm_name:
            raise InvalidToken(InvalidTokenReason.ALGORITHM_REFUSED)
        return jwt.decode(
            token,
            key.key,
            algorithms=[algorithm],
            issuer=self._issuer,
            audience=self._audience,
            options={
                "require": ["exp", "sub", "iss", "aud"],
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
            },
        )

    def _check_times_and_subject(self, claims: dict[str, Any]) -> str:
        """Return the user id if the token is valid at this time. Raises InvalidToken."""
        now = self._clock()
        # The leeway is subtracted from `now`, because adding it to the largest possible `exp` would overflow.
        if now - self._leeway >= _parse_time(claims["exp"]):
            raise InvalidToken(InvalidTokenReason.EXPIRED)
        if any(_parse_time(claims[name]) > now + self._leeway for name in ("nbf", "iat") if name in claims):
            raise InvalidToken(InvalidTokenReason.NOT_YET_VALID)
        subject: str = claims["sub"]
        if not (0 < len(subject) <= MAX_SUBJECT_LENGTH and subject.isascii() and subject.isprintable()):
            raise InvalidToken(InvalidTokenReason.MALFORMED)
        return derive_user_id(self._issuer, subject)


def _parse_time(claim: object) -> datetime:
    """Return the time of a claim in seconds since 1970. A string of digits is rejected."""
    if isinstance(claim, int | float) and not isinstance(claim, bool):
        try:
            return _EPOCH + timedelta(seconds=claim)
        except (OverflowError, ValueError):
            pass
    raise InvalidToken(InvalidTokenReason.MALFORMED)

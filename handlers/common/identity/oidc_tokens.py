"""Who a caller is: checks an OpenID Connect provider's token, and names the caller.

A token must be signed by a key of the provider, with the algorithm that the key says or that is its type's, and say by
whom, for whom (`aud`), about whom (`sub`) and until when (`exp`). Access tokens without `aud` are refused: Amazon Cognito's, which
have `client_id` instead, are the known case, and its ID tokens serve. Issuers are compared to the letter: a slash at
the end counts.

PyJWT checks signature, issuer and audience; times are checked here, since it reads the machine's clock. What went
wrong is a reason from a closed list, and nothing of the token leaves this file but the caller.
`Reason.KEYS_UNAVAILABLE` says nothing about the token: it asks for "try again" (503), every other for "no" (401).

Loads cryptography: only the function that verifies tokens imports this file.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import jwt

from handlers.common.identity.signing_keys import KeySet, KeysUnavailable, UnknownKey
from handlers.common.identity.user_ids import user_id

ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"})
"""No shared secrets, and never `none`."""
MAX_TOKEN_LENGTH = 8 * 1024
MAX_SUBJECT_LENGTH = 255
"""OpenID Connect's own bound."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Reason(StrEnum):
    """Why there is no caller."""

    MALFORMED = "malformed"
    UNKNOWN_KEY = "unknown_key"
    BAD_SIGNATURE = "bad_signature"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    WRONG_ISSUER = "wrong_issuer"
    WRONG_AUDIENCE = "wrong_audience"
    MISSING_CLAIM = "missing_claim"
    ALGORITHM_REFUSED = "algorithm_refused"
    KEYS_UNAVAILABLE = "keys_unavailable"


class InvalidToken(Exception):
    """A token that names no caller; carries the reason, and nothing of the token."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


class Verifier:
    """Checks the tokens of one issuer for one audience."""

    def __init__(
        self,
        issuer: str,
        audience: str,
        keys: KeySet,
        clock: Callable[[], datetime],
        leeway_seconds: int = 30,
    ) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys = keys
        self._clock = clock
        self._leeway = timedelta(seconds=leeway_seconds)

    def verify(self, token: str) -> str:
        """The project's own name for the user whom a token is about, see `users`; raises InvalidToken."""
        try:
            return self._user(self._claims(token))
        except (jwt.PyJWTError, UnknownKey, KeysUnavailable) as error:
            reason = _reason(error)
        # Raised out here, where it has no cause: PyJWT's own errors quote the token.
        raise InvalidToken(reason)

    def _claims(self, token: str) -> dict[str, Any]:
        """What a token says, once its signature is checked."""
        if len(token) > MAX_TOKEN_LENGTH or not token.isascii():
            raise InvalidToken(Reason.MALFORMED)
        header = jwt.get_unverified_header(token)
        if "crit" in header:  # nothing that a token may call critical is understood here
            raise InvalidToken(Reason.MALFORMED)
        algorithm = header.get("alg")
        if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
            raise InvalidToken(Reason.ALGORITHM_REFUSED)
        key = self._keys.key(header.get("kid"))
        if algorithm != key.algorithm_name:
            raise InvalidToken(Reason.ALGORITHM_REFUSED)
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

    def _user(self, claims: dict[str, Any]) -> str:
        """The user, if it is the time for it."""
        now = self._clock()
        if now - self._leeway >= _moment(claims["exp"]):  # this way round: `exp` may be the last moment that there is
            raise InvalidToken(Reason.EXPIRED)
        if any(_moment(claims[name]) > now + self._leeway for name in ("nbf", "iat") if name in claims):
            raise InvalidToken(Reason.NOT_YET_VALID)
        subject: str = claims["sub"]
        if not (0 < len(subject) <= MAX_SUBJECT_LENGTH and subject.isascii() and subject.isprintable()):
            raise InvalidToken(Reason.MALFORMED)
        return user_id(self._issuer, subject)


def _moment(claim: object) -> datetime:
    """A time in seconds since 1970; a string of digits is none."""
    if isinstance(claim, int | float) and not isinstance(claim, bool):
        try:
            return _EPOCH + timedelta(seconds=claim)
        except (OverflowError, ValueError):
            pass
    raise InvalidToken(Reason.MALFORMED)


def _reason(error: Exception) -> Reason:
    """What an error means for the caller."""
    match error:
        case UnknownKey():
            return Reason.UNKNOWN_KEY
        case KeysUnavailable():
            return Reason.KEYS_UNAVAILABLE
        case jwt.InvalidSignatureError():
            return Reason.BAD_SIGNATURE
        case jwt.MissingRequiredClaimError():
            return Reason.MISSING_CLAIM
        case jwt.InvalidIssuerError():
            return Reason.WRONG_ISSUER
        case jwt.InvalidAudienceError():
            return Reason.WRONG_AUDIENCE
        case _:
            return Reason.MALFORMED

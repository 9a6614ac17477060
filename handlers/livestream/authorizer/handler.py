"""Whom the REST API answers, where callers have tokens of the identity provider: API Gateway asks here, and keeps the answer.

A REST API knows tokens of Cognito alone by itself. Who has no valid token gets a policy that denies, never an
exception: anybody can send a token that is none, and must not be able to ring an alarm. An exception means that nobody
can tell.
"""

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

from handlers.common.identity.oidc_tokens import InvalidToken, InvalidTokenReason, TokenVerifier
from handlers.common.identity.signing_keys import SigningKeys
from handlers.common.logging import EventLog
from handlers.common.time_and_ids import clock
from handlers.livestream.authorizer.environment import AuthorizerEnvironment

SCHEME = "bearer "
NOBODY = "nobody"
Policy = dict[str, Any]


class ProviderAway(Exception):
    """The identity provider does not answer: whose a token is cannot be told now."""


class Authorizer:
    """Tells API Gateway whose a request is."""

    def __init__(self, verifier: TokenVerifier, log: EventLog) -> None:
        self._verifier = verifier
        self._log = log

    def decide(self, event: Mapping[str, Any]) -> Policy:
        """What a token allows: everything of this API's stage, as its caller, or nothing."""
        stage = _stage(str(event["methodArn"]))
        header = str(event.get("authorizationToken") or "")
        if not header.lower().startswith(SCHEME):
            return self._refused(stage, InvalidTokenReason.MALFORMED)
        try:
            user = self._verifier.verify(header[len(SCHEME) :].strip())
        except InvalidToken as error:
            if error.reason is InvalidTokenReason.KEYS_UNAVAILABLE:
                self._log.error("provider_away")
                raise ProviderAway from None
            return self._refused(stage, error.reason)
        return {**_policy("Allow", stage, user), "context": {"user": user}}

    def _refused(self, stage: str, reason: InvalidTokenReason) -> Policy:
        self._log.info("caller_refused", cause=reason)
        return _policy("Deny", stage, NOBODY)


def _stage(method_arn: str) -> str:
    """All methods of the stage that a method is of: the answer is kept for all of them."""
    api, stage, *_ = method_arn.split("/")
    return f"{api}/{stage}/*"


def _policy(effect: str, resource: str, principal: str) -> Policy:
    statement = {"Effect": effect, "Action": "execute-api:Invoke", "Resource": resource}
    return {"principalId": principal, "policyDocument": {"Version": "2012-10-17", "Statement": [statement]}}


@cache
def _authorizer() -> Authorizer:
    """Made once a container."""
    environment = AuthorizerEnvironment.read()
    keys = SigningKeys(environment.jwks_url)
    verifier = TokenVerifier(environment.issuer, environment.audience, keys, clock.now)
    return Authorizer(verifier, EventLog(environment.log_level))


def handler(event: Mapping[str, Any], _context: object) -> Policy:
    """The entry point of the function."""
    return _authorizer().decide(event)


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    _authorizer()  # while the container starts, which is faster and comes before anybody waits

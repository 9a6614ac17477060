"""Lambda authorizer of livestream's REST API for tokens of an external identity provider.

API Gateway's REST APIs can validate Cognito tokens themselves, but tokens of other providers need a Lambda authorizer.
API Gateway caches the result for each token.

A caller without a valid token gets a policy that denies access. The function raises no exception for an invalid token,
because then any caller could trigger the alarm for the API's server errors. It only raises an exception if it cannot
check the token, because the provider's signing keys are not available.
"""

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

from handlers.common.logging import EventLog, name_for_log
from handlers.common.tokens import ProviderUnavailable, TokenRefused, TokenVerifier, signing_keys
from handlers.livestream.environment import AuthorizerEnvironment

SCHEME = "bearer "
Policy = dict[str, Any]
"""Response of a Lambda authorizer: principal, IAM policy document, and context for the backend."""


@cache
def _create() -> tuple[TokenVerifier, EventLog]:
    environment = AuthorizerEnvironment.read()
    verifier = TokenVerifier(environment.issuer, environment.audience, signing_keys(environment.jwks_url))
    return verifier, EventLog(environment.log_level)


def handler(event: Mapping[str, Any], _context: object) -> Policy:
    """Return a policy that allows all methods of the API stage if the token is valid, and otherwise denies them.

    Raise ProviderUnavailable if the token cannot be checked. API Gateway then answers with status 503.
    """
    verifier, log = _create()
    # API Gateway caches the policy by token, so the caller's next requests for other methods get the same policy.
    api, stage, *_ = str(event["methodArn"]).split("/")
    methods = f"{api}/{stage}/*"
    header = str(event.get("authorizationToken") or "")
    token = header[len(SCHEME) :].strip() if header.lower().startswith(SCHEME) else ""  # an empty token is refused
    try:
        user = verifier.verify(token)
    except ProviderUnavailable:
        log.error("provider_away")
        raise
    except TokenRefused as error:
        log.info("caller_refused", cause=name_for_log(str(error)))
        return _policy("Deny", methods, "nobody")  # API Gateway requires a principal
    return {**_policy("Allow", methods, user), "context": {"user": user}}


def _policy(effect: str, resource: str, principal: str) -> Policy:
    statement = {"Effect": effect, "Action": "execute-api:Invoke", "Resource": resource}
    return {"principalId": principal, "policyDocument": {"Version": "2012-10-17", "Statement": [statement]}}


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    _create()  # during initialization, before the first request waits for it

"""Tokens of the local identity provider, with which the flows sign in as any user."""

from handlers.common.identity.user_ids import derive_user_id
from local.emulation.identity_provider import token_url
from local.flows import Deployment
from local.flows.http_requests import ask

TOKEN_SECONDS = 12 * 3600
"""Default validity of a token. It is longer than a run of all end-to-end tests."""


def request_token(deployment: Deployment, subject: str, seconds: int = TOKEN_SECONDS) -> str:
    """Return a token of a user. A negative number of seconds gives an expired token."""
    url = token_url(deployment.emulator.services["JWKS_URL"])
    response = ask("POST", url, {"subject": subject, "seconds": seconds})
    assert response.status == 200, response
    return str(response.body["id_token"])


def find_user_id(deployment: Deployment, subject: str) -> str:
    """Return the id that the backends derive from a user's token."""
    return derive_user_id(deployment.frontend("identity")["issuer"], subject)

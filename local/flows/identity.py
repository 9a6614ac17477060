"""Tokens of the local identity provider, with which the flows sign in as any user of the local platform."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from local.flows import Connect, Stack
from local.flows.http_requests import ask

TOKEN_SECONDS = 12 * 3600
"""Default validity of a token. It is longer than a run of all end-to-end tests."""


def request_token(frontend: Mapping[str, Any], subject: str, seconds: int = TOKEN_SECONDS) -> str:
    """Return a token of a user. A negative number of seconds gives an expired token."""
    response = ask("POST", frontend["identity"]["tokenUrl"], {"subject": subject, "seconds": seconds})
    assert response.status == 200, response
    return str(response.body["id_token"])


def open_local_stack(frontend: Mapping[str, Any], connect: Connect) -> Stack:
    """Return the stack of a local platform."""
    return Stack(frontend, connect, partial(request_token, frontend))

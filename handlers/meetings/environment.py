"""Environment variables of the meetings functions.

The media job and the summary function have their own `environment.py`, because no other function loads their modules.
"""

from typing import Final

from handlers.common.environment import HandlerEnvironment

CREDENTIAL_SECONDS: Final = 3600
"""Validity of the credentials that clients receive. The function's role assumes the role of the clients. STS calls this role
chaining, and limits the credentials to an hour.
"""
RENEW_BEFORE_SECONDS: Final = 900
"""Time before the expiration of credentials at which clients should request new credentials."""


class StartEnvironment(HandlerEnvironment):
    """Variables of the function `start`, which processes upload events."""

    table_name: str
    bucket_name: str
    state_machine_arn: str


class StepsEnvironment(HandlerEnvironment):
    """Variables of the function `steps`, with which the workflow writes its progress to a meeting's record."""

    table_name: str
    bucket_name: str
    stack: str
    """Name of the stack, which is a dimension of the metrics."""


class StorageEnvironment(HandlerEnvironment):
    """Variables of the function `storage`, the daily count of stored bytes."""

    bucket_name: str
    stack: str
    """Name of the stack, which is a dimension of the metrics."""
    max_users: int
    """Maximum number of users with a metric of their own: those whose storage grew most. All others share a metric."""


class MeetingCleanupEnvironment(HandlerEnvironment):
    """Variables of the function `meeting-cleanup`, which removes the data of deleted meetings."""

    table_name: str
    bucket_name: str
    state_machine_arn: str
    deletions_queue_url: str


class AuthEnvironment(HandlerEnvironment):
    """Variables of the function `auth-exchange`, which implements the meetings API."""

    issuer: str
    """Value that the claim `iss` of a token must have."""
    audience: str
    """Value that the claim `aud` of a token must contain."""
    jwks_url: str | None = None
    """URL of the identity provider's public keys (JWKS). Only a stack for the local platform leaves it out: the
    platform then adds the variable, with the URL of the local identity provider.
    """
    client_role: str
    """ARN of the role whose credentials clients receive."""
    bucket_name: str
    table_name: str
    deletions_queue_url: str
    """Queue of the function `meeting-cleanup`, for deleted meetings."""
    origin: str
    """Web origin whose pages may read the responses (CORS)."""

"""Environment variables of the meetings functions, and the ranges of numbers that the stack's settings use too.

The media job and the summary function have their own `environment.py`, because no other function loads their modules.
"""

from typing import Annotated, Self

from pydantic import Field, model_validator

from handlers.common.environment import HandlerEnvironment

CREDENTIAL_SECONDS = 3600
"""Default validity of the credentials."""
CredentialSeconds = Annotated[int, Field(ge=900, le=3600)]
"""STS issues credentials for 15 minutes at least. The function's role assumes the role of the clients. STS calls this
role chaining, and limits the credentials to an hour.
"""
RenewBeforeSeconds = Annotated[int, Field(ge=60, le=1800)]
MaxUsers = Annotated[int, Field(ge=0, le=500)]
"""Maximum number of users with a metric of their own. Each such metric costs money. All values are sent in one call, in
which CloudWatch accepts a thousand.
"""


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
    max_users: MaxUsers = 20
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
    origin: str = "*"
    """Web origin whose pages may read the responses (CORS)."""
    credential_seconds: CredentialSeconds = CREDENTIAL_SECONDS
    """Validity of the credentials that clients receive."""
    renew_before_seconds: RenewBeforeSeconds = 900
    """Time before the expiration at which clients should renew their credentials."""

    @model_validator(mode="after")
    def _check_renewal(self) -> Self:
        if self.renew_before_seconds * 2 > self.credential_seconds:
            raise ValueError("renew_before_seconds must be at most half of credential_seconds")
        return self

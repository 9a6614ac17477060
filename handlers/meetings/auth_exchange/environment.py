"""Environment variables of the function that exchanges an identity provider's token for AWS credentials, and returns
presigned URLs for playing a recording.
"""

from typing import Annotated, Self

from pydantic import Field, model_validator

from handlers.common.environment import HandlerEnvironment

CREDENTIAL_SECONDS = 3600
"""Default validity of the credentials."""
MIN_CREDENTIAL_SECONDS = 900
"""Shortest validity of credentials that STS allows."""
CredentialSeconds = Annotated[int, Field(ge=MIN_CREDENTIAL_SECONDS, le=3600)]
"""The function's role assumes the role of the clients. STS calls this role chaining, and limits the credentials to an
hour.
"""
PlaybackSeconds = Annotated[int, Field(ge=60, le=MIN_CREDENTIAL_SECONDS)]
"""Validity of the URLs for playing. They are signed with credentials that are valid for `MIN_CREDENTIAL_SECONDS`, and a
URL is never valid for longer than its credentials.
"""
RenewBeforeSeconds = Annotated[int, Field(ge=60, le=1800)]


class AuthEnvironment(HandlerEnvironment):
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
    origin: str = "*"
    """Web origin whose pages may read the responses (CORS)."""
    credential_seconds: CredentialSeconds = CREDENTIAL_SECONDS
    """Validity of the credentials that clients receive."""
    playback_seconds: PlaybackSeconds = 300
    """Validity of the URLs for playing a recording. After this time, a player cannot move to another position, because
    that needs a new request.
    """
    renew_before_seconds: RenewBeforeSeconds = 900
    """Time before the expiration at which clients should renew their credentials."""

    @model_validator(mode="after")
    def _check_renewal(self) -> Self:
        if self.renew_before_seconds * 2 > self.credential_seconds:
            raise ValueError("renew_before_seconds must be at most half of credential_seconds")
        return self

"""Environment variables of the function that exchanges tokens for AWS credentials."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from handlers.common.environment import HandlerEnvironment

CREDENTIAL_SECONDS = 3600
"""Default validity of the credentials."""
MIN_CREDENTIAL_SECONDS = 900
"""Shortest validity of credentials that STS allows. URLs for playing a recording are signed with such credentials."""
CredentialSeconds = Annotated[int, Field(ge=MIN_CREDENTIAL_SECONDS, le=3600)]
"""STS allows at least 15 minutes. An hour is its maximum for a role that another role assumes, as the function's role
does here.
"""
PlaybackSeconds = Annotated[int, Field(ge=60, le=MIN_CREDENTIAL_SECONDS)]
RenewBeforeSeconds = Annotated[int, Field(ge=60, le=1800)]


class AuthEnvironment(HandlerEnvironment):
    issuer: str
    """Identity provider, as its tokens name it."""
    audience: str
    """Audience that a token must name."""
    jwks_url: str | None = None
    """URL of the identity provider's keys. Only a deployment to the local platform may leave it out. The platform then
    adds the variable, with the URL of the local identity provider.
    """
    client_role: str
    """ARN of the role whose credentials clients receive."""
    bucket_name: str
    """Bucket of the recordings, which the response names."""
    table_name: str
    """Table of the meetings, which the response names."""
    origin: str = "*"
    """Web origin whose pages may read the responses."""
    credential_seconds: CredentialSeconds = CREDENTIAL_SECONDS
    """Validity of the credentials."""
    playback_seconds: PlaybackSeconds = 300
    """Validity of the URLs for playing a recording. S3 checks it when a request arrives, and players send a request for
    each position to which the user moves.
    """
    renew_before_seconds: RenewBeforeSeconds = 900
    """Time before the expiration at which clients should renew the credentials."""

    @model_validator(mode="after")
    def _check_renewal(self) -> Self:
        if self.renew_before_seconds * 2 > self.credential_seconds:
            raise ValueError("renew_before_seconds must be at most half of credential_seconds")
        return self

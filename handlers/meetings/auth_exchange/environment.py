"""Environment variables of the function that exchanges an identity provider's token for AWS credentials."""

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
    renew_before_seconds: RenewBeforeSeconds = 900
    """Time before the expiration at which clients should renew their credentials."""

    @model_validator(mode="after")
    def _check_renewal(self) -> Self:
        if self.renew_before_seconds * 2 > self.credential_seconds:
            raise ValueError("renew_before_seconds must be at most half of credential_seconds")
        return self

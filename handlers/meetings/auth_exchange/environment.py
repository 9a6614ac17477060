"""What the exchange of tokens for credentials reads from its environment."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from handlers.common.environment import HandlerEnvironment

CREDENTIAL_SECONDS = 3600
CredentialSeconds = Annotated[int, Field(ge=900, le=3600)]
"""From the least that STS gives to the most for a role that is assumed by another role: the function's own."""
RenewBeforeSeconds = Annotated[int, Field(ge=60, le=1800)]


class AuthEnvironment(HandlerEnvironment):
    """The function behind `POST /exchange`."""

    issuer: str
    audience: str
    jwks_url: str | None = None
    """Where the provider's keys are; a deployment leaves it out on the local platform alone, whose own provider says."""
    client_role: str
    """ARN of the role that clients get credentials of."""
    bucket_name: str
    table_name: str
    origin: str = "*"
    """Whose pages may read the answers."""
    credential_seconds: CredentialSeconds = CREDENTIAL_SECONDS
    renew_before_seconds: RenewBeforeSeconds = 900
    """How long before they end clients are told to renew them."""

    @model_validator(mode="after")
    def _check_renewal(self) -> Self:
        if self.renew_before_seconds * 2 > self.credential_seconds:
            raise ValueError("renew_before_seconds is at most half of credential_seconds, or clients would only renew")
        return self

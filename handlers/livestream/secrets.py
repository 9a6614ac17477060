"""A secret that the environment names and does not hold: read from Parameter Store when first needed, and once."""

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from types_boto3_ssm.client import SSMClient


class SecretUnavailable(Exception):
    """It could not be read; says nothing of it."""


class Secret:
    """One SecureString. It is read again only by a new container: who changes it by a deployment gets new ones."""

    def __init__(self, client: "SSMClient", name: str) -> None:
        self._client = client
        self._name = name
        self._value: str | None = None

    def __call__(self) -> str:
        """Its value. A failure is not kept: the next one who asks tries again."""
        if self._value is None:
            try:
                answer = self._client.get_parameter(Name=self._name, WithDecryption=True)
            except (ClientError, BotoCoreError):
                raise SecretUnavailable from None
            self._value = answer["Parameter"]["Value"]
        return self._value

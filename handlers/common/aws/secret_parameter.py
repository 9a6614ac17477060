"""Secret in an SSM SecureString parameter. A Lambda function's environment has only the name of the parameter."""

from typing import TYPE_CHECKING

from handlers.common.aws.service_faults import call_service

if TYPE_CHECKING:
    from types_boto3_ssm.client import SSMClient


class SecretParameter:
    """Secret that is read once per container, at its first use.

    A deployment that changes the secret starts new containers, which read the new value.
    """

    def __init__(self, client: "SSMClient", name: str) -> None:
        self._client = client
        self._name = name
        self._value: str | None = None

    def __call__(self) -> str:
        """Return the secret. Raises ServiceFailed. A failure is not cached, so the next call tries again."""
        if self._value is None:
            answer = call_service(self._client.get_parameter, Name=self._name, WithDecryption=True)
            self._value = str(answer["Parameter"]["Value"])
        return self._value

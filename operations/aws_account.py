"""AWS account in which a command works, and the type `Clients` of the functions that create boto3 clients."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from operations.aws_errors import translate_errors

Clients = Callable[[str], Any]
"""Function that returns the boto3 client of a service."""


@dataclass(frozen=True)
class CallerAccount:
    """AWS account and partition of the current credentials."""

    partition: str
    account: str

    def arn(self, service: str, region: str, resource: str) -> str:
        """Return the ARN of a resource in this account, for example of `stateMachine:<name>`."""
        return f"arn:{self.partition}:{service}:{region}:{self.account}:{resource}"


def get_caller(clients: Clients) -> CallerAccount:
    """Return the account of the current credentials, from STS."""
    with translate_errors("sts:GetCallerIdentity", "these credentials"):
        identity = clients("sts").get_caller_identity()
    return CallerAccount(identity["Arn"].split(":")[1], identity["Account"])

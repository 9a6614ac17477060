"""Parts that the commands of `python -m operations` share: their inputs, their one kind of error, and resource names.

`erase`, `rollout` and the others change or examine a deployed stack. No message repeats the text of an AWS error, because
Lambda's texts can contain all environment variables of a function.
"""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from components.core import InvalidName, Kind, physical_name

PROJECT = "polyphony"
NOT_FOUND = "ResourceNotFoundException"
NO_BUCKET = "NoSuchBucket"
_MISSING = "it does not exist. Check --stack, the account and the Region."
_DENIED = "the credentials do not allow this. Use a role that allows it."
_EXPIRED = "the credentials are expired or invalid. Log in and run the command again."
EXPLANATIONS = {
    **dict.fromkeys(["AccessDenied", "AccessDeniedException", "UnauthorizedOperation"], _DENIED),
    **dict.fromkeys(["ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId"], _EXPIRED),
    **dict.fromkeys(["InvalidSignatureException", "UnrecognizedClientException"], _EXPIRED),
    **dict.fromkeys([NOT_FOUND, NO_BUCKET, "AWS.SimpleQueueService.NonExistentQueue"], _MISSING),
    "PreconditionFailedException": "another user changed it meanwhile. Nothing was overwritten. Check it, and try again.",
    "ResourceConflictException": "another update is in progress, perhaps a deployment. Run the command again later.",
    "InvalidParameterValueException": "the values are not accepted. Versions share traffic only if they have the same role, "
    "and all variables of a function together have at most 4 KB.",
}
"""Meaning of an error code of AWS for the operator. Only `rollout` shares traffic, and only `flag` writes variables."""


class CommandFailed(Exception):
    """Error that the command was refused or not completed, or that its outcome is unknown.

    The message is one line: what was given, what is allowed, what to do.
    """

    def __init__(self, message: str, code: str = "") -> None:
        """`code` is the error code of AWS, if a call failed."""
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class CommandContext:
    """Inputs of a command, which tests replace."""

    clients: Callable[[str], Any]
    """Function that returns the boto3 client of a service."""
    resources: Callable[[str], Any]
    """Function that returns the boto3 resource of a service."""
    clock: Callable[[], float]
    """Monotonic time in seconds."""
    wait: Callable[[float], None]
    """Function that waits for some seconds."""
    print_line: Callable[[str], None]

    def get_caller(self) -> tuple[str, str]:
        """Return the partition and the account of the credentials."""
        with translate_errors("the credentials"):
            identity = self.clients("sts").get_caller_identity()
        return identity["Arn"].split(":")[1], identity["Account"]


def number_type(low: float, high: float) -> Callable[[str], float]:
    """Return the parser of an argument that is a number in a range."""

    def parse(text: str) -> float:
        with suppress(ValueError):
            if low <= float(text) <= high:
                return float(text)
        raise argparse.ArgumentTypeError(f"{text}: give a number from {low} to {high}")

    return parse


def build_name(kind: Kind, stack: str, subsystem: str, *parts: str) -> str:
    """Return the physical name of a stack's resource, as the deployment does. Raise CommandFailed if it is invalid."""
    try:
        return physical_name(kind, PROJECT, stack, subsystem, *parts)
    except InvalidName as error:
        raise CommandFailed(str(error)) from error


@contextmanager
def translate_errors(resource: str) -> Iterator[None]:
    """Translate errors of botocore into `CommandFailed`, which names `resource` and hides the original error's text."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        # With a status below 500, the service has refused the call as a whole.
        meaning = EXPLANATIONS.get(code, "it was refused, and this call changed nothing.")
        if code.startswith("KMS"):
            meaning = "the KMS key is disabled, or the credentials may not use it."
        elif status >= 500:
            meaning = "the service failed. Run the command again."
        raise CommandFailed(f"{error.operation_name} on {resource} ({code}): {meaning}", code) from None
    except BotoCoreError as error:
        raise CommandFailed(
            f"A call on {resource}: no answer ({type(error).__name__}). Check credentials, Region and network, then run "
            "the command again."
        ) from None

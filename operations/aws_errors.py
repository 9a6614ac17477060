"""Translation of AWS errors into errors of the commands, with one-line messages for operators.

The text of an AWS error is never repeated, because it may contain a function's environment variables, which may be
secret.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from operations.command_errors import CommandFailed, ConcurrentChange, InvalidInput, ResourceNotFound, UnknownOutcome

DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
"""Error codes for a missing permission."""
EXPIRED = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "UnrecognizedClientException",
    }
)
"""Error codes for expired or invalid credentials."""


@contextmanager
def translate_errors(action: str | None, resource: str) -> Iterator[None]:
    """Translate errors of botocore into `CommandFailed` with a one-line message.

    The original error is not attached, because its text may contain a function's environment. `action` names the call
    in the `with` block, for example `lambda:GetAlias`. Pass None if the block makes several calls; the message then
    names the operation of the error.
    """
    try:
        yield
    except ClientError as error:
        raise _to_command_error(error, action or error.operation_name, resource) from None
    except BotoCoreError as error:
        raise UnknownOutcome(
            f"{action or 'A call'} on {resource}: no answer ({type(error).__name__}). Check credentials, Region and network, "
            "then run the command again."
        ) from None


def _to_command_error(error: ClientError, action: str, resource: str) -> CommandFailed:
    code = error.response.get("Error", {}).get("Code", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in DENIED:
        return CommandFailed(
            f"Access denied: the current credentials do not allow {action} on {resource}. Use a role that allows it."
        )
    if code in EXPIRED:
        return CommandFailed(
            f"{action} on {resource}: the credentials are expired or invalid ({code}). Log in and run the command again."
        )
    match code:
        case "ResourceNotFoundException":
            return ResourceNotFound(f"{action} on {resource}: the resource does not exist.")
        case "PreconditionFailedException":
            return ConcurrentChange(
                f"{action} on {resource}: it was changed by another user meanwhile. Nothing was overwritten."
            )
        case "ResourceConflictException":
            return CommandFailed(
                f"{resource}: another update is in progress, perhaps a deployment. Run the command again when it is done."
            )
        case "InvalidParameterValueException":
            return InvalidInput(f"{action} on {resource}: the service does not accept the values.")
    if code.startswith("KMS"):
        return CommandFailed(
            f"{action} on {resource}: the KMS key is disabled, or the credentials may not use it ({code})."
        )
    if status >= 500:
        return UnknownOutcome(
            f"{action} on {resource}: {code or 'error'} of the service ({status}). Run the command again."
        )
    return CommandFailed(f"{action} on {resource}: {code or 'error'} ({status}). This call changed nothing.")

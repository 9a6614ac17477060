"""Call of an AWS service through boto3, and detection of the error for a resource that does not exist."""

from typing import Any

from botocore import xform_name
from botocore.exceptions import ClientError

from local.property_values import Props, reveal_secrets

NOT_FOUND = ("NotFound", "NoSuch", "NonExistent", "DoesNotExist")
"""Parts of services' error codes for a resource that does not exist."""


def call_service(client: Any, operation: str, parameters: Props) -> Props:
    """Call an operation and return its response. The request contains the values of `Secret` parameters."""
    response: Props = getattr(client, xform_name(operation))(**reveal_secrets(parameters))
    return response


def is_not_found(error: ClientError) -> bool:
    """Return True if a service reports that the resource does not exist."""
    code = str(error.response.get("Error", {}).get("Code", ""))
    return any(part in code for part in NOT_FOUND)

"""One call of a service through boto3, and the detection of a resource that does not exist."""

from typing import Any

from botocore import xform_name
from botocore.exceptions import ClientError

from local.preview.property_values import Props, reveal_secrets

NOT_FOUND = ("NotFound", "NoSuch", "NonExistent", "DoesNotExist", "404")
"""Parts of services' error codes for a resource that does not exist. S3 answers to `HeadObject` with the code 404."""


def call_service(client: Any, operation: str, parameters: Props) -> Props:
    """Return the response of an operation. Secrets in the parameters are unwrapped for the request."""
    response: Props = getattr(client, xform_name(operation))(**reveal_secrets(parameters))
    return response


def is_not_found(error: ClientError) -> bool:
    """Return True if a service reports that the resource does not exist."""
    code = str(error.response.get("Error", {}).get("Code", ""))
    return any(part in code for part in NOT_FOUND)

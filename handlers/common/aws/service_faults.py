"""Classification of failed AWS calls into a few faults, which decide whether another attempt can help.

A service's error message may quote the request, and with it customer data. So the exception `ServiceFailed` contains
only the fault.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, ReadTimeoutError
from botocore.exceptions import ConnectionError as Unreachable


class ServiceFault(StrEnum):
    """Reasons why an AWS call failed."""

    THROTTLED = "throttled"
    """The call exceeds a rate or token quota."""
    UNAVAILABLE = "unavailable"
    """The service or the model is temporarily unavailable or unreachable."""
    TIMED_OUT = "timed_out"
    """The model, or the response, took too long."""
    REFUSED = "refused"
    """The call is not permitted: permissions or credentials are missing or wrong."""
    MISSING = "missing"
    """The named resource or object does not exist."""
    REJECTED = "rejected"
    """The request is invalid, or its response is unreadable."""
    CONFLICT = "conflict"
    """A precondition failed, because the object already exists or has changed."""
    UNKNOWN = "unknown"
    """The error code is not in the table below, and the HTTP status is below 500. The call is not retried."""


TRANSIENT_FAULTS = frozenset([ServiceFault.THROTTLED, ServiceFault.UNAVAILABLE, ServiceFault.TIMED_OUT])
"""Faults after which another attempt may succeed."""
_FAULTS_BY_CODE = {
    "ThrottlingException": ServiceFault.THROTTLED,
    "ProvisionedThroughputExceededException": ServiceFault.THROTTLED,
    "ThrottledException": ServiceFault.THROTTLED,
    "Throttling": ServiceFault.THROTTLED,
    "RequestLimitExceeded": ServiceFault.THROTTLED,
    "TooManyRequestsException": ServiceFault.THROTTLED,
    "ServiceQuotaExceededException": ServiceFault.THROTTLED,
    "ServiceUnavailableException": ServiceFault.UNAVAILABLE,
    "InternalServerException": ServiceFault.UNAVAILABLE,
    "ServiceException": ServiceFault.UNAVAILABLE,
    "ModelNotReadyException": ServiceFault.UNAVAILABLE,
    "ModelErrorException": ServiceFault.UNAVAILABLE,
    "RetryableConflictException": ServiceFault.UNAVAILABLE,
    "SlowDown": ServiceFault.THROTTLED,
    "ConditionalRequestConflict": ServiceFault.UNAVAILABLE,
    "ModelTimeoutException": ServiceFault.TIMED_OUT,
    "AccessDeniedException": ServiceFault.REFUSED,
    "AccessDenied": ServiceFault.REFUSED,
    "ResourceNotFoundException": ServiceFault.MISSING,
    "NoSuchKey": ServiceFault.MISSING,
    "PreconditionFailed": ServiceFault.CONFLICT,
    "UnrecognizedClientException": ServiceFault.REFUSED,
    "ExpiredTokenException": ServiceFault.REFUSED,
    "ValidationException": ServiceFault.REJECTED,
    "InvalidInputException": ServiceFault.REJECTED,
}
"""Faults by the error codes of the called services."""
_SERVER_ERROR = 500
"""Lowest HTTP status with which an error code that is not in the table counts as `UNAVAILABLE`."""


class ServiceFailed(Exception):
    """An AWS call failed. The exception contains only the fault."""

    def __init__(self, fault: ServiceFault) -> None:
        super().__init__(fault.value)
        self.fault = fault

    @property
    def is_transient(self) -> bool:
        """True if another attempt may succeed."""
        return self.fault in TRANSIENT_FAULTS


def call_service(operation: Callable[..., Mapping[str, Any]], **request: Any) -> Mapping[str, Any]:
    """Call an operation of a boto3 client. Raises ServiceFailed for every exception of botocore."""
    try:
        return operation(**request)
    except (ClientError, BotoCoreError) as error:
        fault = find_fault(error)
    # Raised outside the except block, so that the new exception has no reference to the original message.
    raise ServiceFailed(fault)


def find_fault(error: ClientError | BotoCoreError) -> ServiceFault:
    """Return the reason why an AWS call failed."""
    match error:
        case ClientError():
            fault = _FAULTS_BY_CODE.get(error.response["Error"]["Code"])
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            return fault or (ServiceFault.UNAVAILABLE if status >= _SERVER_ERROR else ServiceFault.UNKNOWN)
        case ReadTimeoutError():
            return ServiceFault.TIMED_OUT
        case Unreachable() | HTTPClientError():
            return ServiceFault.UNAVAILABLE
        case _:
            # Invalid parameters, or a response that botocore cannot parse.
            return ServiceFault.REJECTED


def is_transient_failure(error: Exception) -> bool:
    """Return True if an AWS call failed and another attempt may succeed."""
    if isinstance(error, ServiceFailed):
        return error.is_transient
    return isinstance(error, (ClientError, BotoCoreError)) and find_fault(error) in TRANSIENT_FAULTS

"""How AWS' services fail, as one of a few faults. Pure but for reading botocore's exceptions.

It decides what may pass by itself. What a service says of a fault may hold what it was asked, so only the fault's name
goes on.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, ReadTimeoutError
from botocore.exceptions import ConnectionError as Unreachable


class Fault(StrEnum):
    """What is wrong with a call."""

    THROTTLED = "throttled"
    """More calls or tokens than are allowed at a time."""
    UNAVAILABLE = "unavailable"
    """The service or the model is not there right now, or cannot be reached."""
    TIMED_OUT = "timed_out"
    """The model took too long."""
    REFUSED = "refused"
    """This may not be called: a matter of settings."""
    MISSING = "missing"
    """What was named is not there."""
    REJECTED = "rejected"
    """The service does not take the request as it is."""
    CONFLICT = "conflict"
    """What is there already does not let it be done."""
    UNKNOWN = "unknown"


PASSING = frozenset([Fault.THROTTLED, Fault.UNAVAILABLE, Fault.TIMED_OUT])
"""What another attempt may find gone."""
_FAULTS = {
    "ThrottlingException": Fault.THROTTLED,
    "ThrottledException": Fault.THROTTLED,
    "Throttling": Fault.THROTTLED,
    "RequestLimitExceeded": Fault.THROTTLED,
    "TooManyRequestsException": Fault.THROTTLED,
    "ServiceQuotaExceededException": Fault.THROTTLED,
    "ServiceUnavailableException": Fault.UNAVAILABLE,
    "InternalServerException": Fault.UNAVAILABLE,
    "ServiceException": Fault.UNAVAILABLE,
    "ModelNotReadyException": Fault.UNAVAILABLE,
    "ModelErrorException": Fault.UNAVAILABLE,
    "RetryableConflictException": Fault.UNAVAILABLE,
    "SlowDown": Fault.THROTTLED,
    "ConditionalRequestConflict": Fault.UNAVAILABLE,
    "ModelTimeoutException": Fault.TIMED_OUT,
    "AccessDeniedException": Fault.REFUSED,
    "AccessDenied": Fault.REFUSED,
    "ResourceNotFoundException": Fault.MISSING,
    "NoSuchKey": Fault.MISSING,
    "PreconditionFailed": Fault.CONFLICT,
    "UnrecognizedClientException": Fault.REFUSED,
    "ExpiredTokenException": Fault.REFUSED,
    "ValidationException": Fault.REJECTED,
    "InvalidInputException": Fault.REJECTED,
}
_SERVER_ERROR = 500


class ServiceFailed(Exception):
    """A call that failed."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.value)
        self.fault = fault

    @property
    def passes(self) -> bool:
        """Whether another attempt may succeed."""
        return self.fault in PASSING


def called(operation: Callable[..., Mapping[str, Any]], **request: Any) -> Mapping[str, Any]:
    """What an operation of a boto3 client answers; raises ServiceFailed whatever botocore raises."""
    try:
        return operation(**request)
    except ClientError as error:
        fault = _fault(error)
    except ReadTimeoutError:
        fault = Fault.TIMED_OUT
    except (Unreachable, HTTPClientError):
        fault = Fault.UNAVAILABLE
    except BotoCoreError:
        # Bad parameters, or an answer that cannot be read.
        fault = Fault.REJECTED
    # Out here, so that the new exception does not hold the old one and what that says.
    raise ServiceFailed(fault)


def _fault(error: ClientError) -> Fault:
    known = _FAULTS.get(error.response["Error"]["Code"])
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return known or (Fault.UNAVAILABLE if status >= _SERVER_ERROR else Fault.UNKNOWN)

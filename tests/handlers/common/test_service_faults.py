"""Tests of the faults to which botocore's exceptions are converted, and which of them are transient."""

from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
)

from handlers.common.aws import ServiceFailed, ServiceFault, call_service
from tests.handlers.common.aws_failures import client_error

CANARY = "canary"


@pytest.mark.parametrize(
    ("error", "fault", "is_transient"),
    [
        (ReadTimeoutError(endpoint_url=CANARY), ServiceFault.TIMED_OUT, True),
        (ConnectTimeoutError(endpoint_url=CANARY), ServiceFault.UNAVAILABLE, True),
        (EndpointConnectionError(endpoint_url=CANARY), ServiceFault.UNAVAILABLE, True),
        (NoCredentialsError(), ServiceFault.REJECTED, False),
        (ParamValidationError(report=CANARY), ServiceFault.REJECTED, False),
        (client_error("ThrottlingException", 429), ServiceFault.THROTTLED, True),
        (client_error("ProvisionedThroughputExceededException"), ServiceFault.THROTTLED, True),
        (client_error("ModelNotReadyException", 429), ServiceFault.UNAVAILABLE, True),
        (client_error("ModelTimeoutException", 408), ServiceFault.TIMED_OUT, True),
        (client_error("AccessDeniedException", 403), ServiceFault.REFUSED, False),
        (client_error("ResourceNotFoundException", 404), ServiceFault.MISSING, False),
        (client_error("SomethingNew", 400), ServiceFault.UNKNOWN, False),
        (client_error("SomethingNew", 500), ServiceFault.UNAVAILABLE, True),
        (ClientError({"Error": {"Code": "Odd", "Message": CANARY}}, "Converse"), ServiceFault.UNKNOWN, False),
    ],
)
def test_every_exception_of_botocore_becomes_a_fault_without_its_message(
    error: Exception, fault: ServiceFault, *, is_transient: bool
) -> None:
    def failing(**_: Any) -> dict[str, Any]:
        raise error

    with pytest.raises(ServiceFailed) as caught:
        call_service(failing)
    assert (caught.value.fault, caught.value.is_transient) == (fault, is_transient)
    assert str(caught.value) == fault.value
    assert caught.value.__context__ is None, "the original exception quotes the service's message"

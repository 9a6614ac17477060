"""Tests of the classification of botocore's exceptions."""

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

from handlers.common.aws.service_faults import ServiceFailed, ServiceFault, call_service

CANARY = "canary"


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (ReadTimeoutError(endpoint_url=CANARY), ServiceFault.TIMED_OUT),
        (ConnectTimeoutError(endpoint_url=CANARY), ServiceFault.UNAVAILABLE),
        (EndpointConnectionError(endpoint_url=CANARY), ServiceFault.UNAVAILABLE),
        (NoCredentialsError(), ServiceFault.REJECTED),
        (ParamValidationError(report=CANARY), ServiceFault.REJECTED),
        (ClientError({"Error": {"Code": "Odd", "Message": CANARY}}, "Converse"), ServiceFault.UNKNOWN),
    ],
)
def test_every_exception_of_botocore_becomes_a_fault(error: Exception, fault: ServiceFault) -> None:
    def failing(**_: Any) -> dict[str, Any]:
        raise error

    with pytest.raises(ServiceFailed) as caught:
        call_service(failing)
    assert caught.value.fault is fault
    assert caught.value.__context__ is None

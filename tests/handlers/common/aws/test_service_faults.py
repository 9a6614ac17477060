"""Whatever botocore raises is one of a few faults, which says nothing else."""

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

from handlers.common.aws.service_faults import Fault, ServiceFailed, called

CANARY = "canary"


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (ReadTimeoutError(endpoint_url=CANARY), Fault.TIMED_OUT),
        (ConnectTimeoutError(endpoint_url=CANARY), Fault.UNAVAILABLE),
        (EndpointConnectionError(endpoint_url=CANARY), Fault.UNAVAILABLE),
        (NoCredentialsError(), Fault.REJECTED),
        (ParamValidationError(report=CANARY), Fault.REJECTED),
        (ClientError({"Error": {"Code": "Odd", "Message": CANARY}}, "Converse"), Fault.UNKNOWN),
    ],
)
def test_whatever_else_botocore_raises_is_a_fault_too(error: Exception, fault: Fault) -> None:
    def failing(**_: Any) -> dict[str, Any]:
        raise error

    with pytest.raises(ServiceFailed) as caught:
        called(failing)
    assert caught.value.fault is fault
    assert caught.value.__context__ is None

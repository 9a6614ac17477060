"""Drivers of all resource types, one module for each AWS service or group of related services.

A driver lists the API calls that create, update and delete the resources of one type (`local/drivers/model.py`).
"""

from collections.abc import Iterable, Mapping

from local.drivers import (
    agentcore,
    athena,
    backup,
    batch,
    cloudwatch,
    cognito_identity,
    cost_management,
    dynamodb,
    ec2,
    eventbridge,
    glue,
    iam,
    lambda_,
    rest_api_drivers,
    s3,
    sns,
    sqs,
    ssm,
    stepfunctions,
    websocket_api_drivers,
)
from local.drivers.model import Driver, RecordedOnly

ALL: tuple[tuple[Driver, ...], ...] = (
    agentcore.DRIVERS,
    athena.DRIVERS,
    websocket_api_drivers.DRIVERS,
    backup.DRIVERS,
    batch.DRIVERS,
    cloudwatch.DRIVERS,
    cognito_identity.DRIVERS,
    dynamodb.DRIVERS,
    ec2.DRIVERS,
    eventbridge.DRIVERS,
    glue.DRIVERS,
    iam.DRIVERS,
    lambda_.DRIVERS,
    rest_api_drivers.DRIVERS,
    s3.DRIVERS,
    sns.DRIVERS,
    cost_management.DRIVERS,
    sqs.DRIVERS,
    ssm.DRIVERS,
    stepfunctions.DRIVERS,
)
"""All drivers except those of recorded-only types (`RecordedOnly`), in one group for each module."""
DRIVERS: dict[str, Driver] = {driver.type: driver for drivers in ALL for driver in drivers}
"""The drivers in `ALL` by resource type, for example `aws:s3/bucket:Bucket`."""

RECORDED_ONLY: dict[str, RecordedOnly] = {
    recorded.type: recorded for module in (backup, cost_management) for recorded in module.RECORDED
}
"""Drivers of recorded-only types, whose resources are not created, because the emulator lacks the service or the
feature."""

Drivers = Mapping[str, Driver]
"""Drivers by resource type."""
ALL_DRIVERS: Drivers = {**DRIVERS, **RECORDED_ONLY}
"""Drivers of all resource types that the program may use. Tests also use drivers of other types."""


def describe_missing_drivers(types: Iterable[str]) -> str:
    """Return the error message for resource types without a driver."""
    return f"There is no driver for {', '.join(sorted(types))}. Add one in local/drivers/, in the file of its service."


__all__ = ["ALL_DRIVERS", "DRIVERS", "RECORDED_ONLY", "Driver", "Drivers", "describe_missing_drivers"]

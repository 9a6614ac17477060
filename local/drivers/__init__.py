"""How each type of resource is made on the emulator, one file a service."""

from local.drivers import cloudwatch, dynamodb, iam, lambda_, logs, s3, sns, sqs
from local.drivers.model import Driver, RecordedOnly

DRIVERS: dict[str, Driver] = {
    driver.type: driver
    for module in (cloudwatch, dynamodb, iam, lambda_, logs, s3, sns, sqs)
    for driver in module.DRIVERS
}

RECORDED_ONLY: dict[str, RecordedOnly] = {}
"""Types whose service the emulator lacks."""

__all__ = ["DRIVERS", "RECORDED_ONLY", "Driver", "RecordedOnly"]

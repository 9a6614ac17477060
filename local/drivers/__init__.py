"""How each type of resource is made on the emulator, one file a service."""

from local.drivers import backup, cloudwatch, dynamodb, events, iam, kms, lambda_, logs, s3, sns, spend, sqs, ssm
from local.drivers.model import Driver, RecordedOnly

DRIVERS: dict[str, Driver] = {
    driver.type: driver
    for module in (backup, cloudwatch, dynamodb, events, iam, kms, lambda_, logs, s3, sns, spend, sqs, ssm)
    for driver in module.DRIVERS
}

RECORDED_ONLY: dict[str, RecordedOnly] = {
    recorded.type: recorded for module in (backup, s3, spend) for recorded in module.RECORDED
}
"""Types whose service the emulator lacks."""

__all__ = ["DRIVERS", "RECORDED_ONLY", "Driver", "RecordedOnly"]

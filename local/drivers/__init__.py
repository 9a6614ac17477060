"""Drivers of all resource types, in one module for each topic.

A driver lists the API calls that create, update and delete the resources of one type (`local/drivers/model.py`).
"""

from collections.abc import Iterable, Mapping

from local.drivers import (
    apis,
    data_stores,
    functions,
    identity,
    jobs_and_workflows,
    messaging,
    monitoring_and_costs,
    network,
)
from local.drivers.model import Driver, RecordedOnly

DRIVERS: dict[str, Driver] = {
    driver.type: driver
    for drivers in (
        apis.DRIVERS,
        data_stores.DRIVERS,
        functions.DRIVERS,
        identity.DRIVERS,
        jobs_and_workflows.DRIVERS,
        messaging.DRIVERS,
        network.DRIVERS,
        monitoring_and_costs.DRIVERS,
    )
    for driver in drivers
}
"""Drivers by resource type, for example `aws:s3/bucket:Bucket`, without those of recorded-only types."""

RECORDED_ONLY: dict[str, RecordedOnly] = {driver.type: driver for driver in monitoring_and_costs.RECORDED_ONLY}
"""Drivers of types whose resources are not created, because the emulator lacks the service or the feature."""

Drivers = Mapping[str, Driver]
"""Drivers by resource type."""
ALL_DRIVERS: Drivers = {**DRIVERS, **RECORDED_ONLY}
"""Drivers of all resource types that the program may use. Tests also use drivers of other types."""


def describe_missing_drivers(types: Iterable[str]) -> str:
    """Return the error message for resource types without a driver."""
    return (
        f"There is no driver for {', '.join(sorted(types))}. Add a driver in local/drivers/, in the file of its topic."
    )


__all__ = ["ALL_DRIVERS", "DRIVERS", "RECORDED_ONLY", "Driver", "Drivers", "describe_missing_drivers"]

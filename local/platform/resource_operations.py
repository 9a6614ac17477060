"""Creation, change and deletion of one resource through its service.

The driver of the resource's type lists the service calls (`local/drivers/model.py`). The operations make these calls,
and collect the resource's id and outputs from the responses. They save nothing. Their callers do: the engine of `make
up` in its state file (`engine.py`), and the Pulumi CLI, which uses `pulumi_provider.py`, in its own state.
"""

import time
from collections.abc import Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local.drivers.boto3_calls import call_service, is_not_found
from local.drivers.model import (
    AwaitedState,
    ComputedValue,
    DeletionCall,
    Driver,
    DriverCall,
    RecordedOnly,
    ResourceValues,
    Source,
    value_at_path,
)
from local.drivers.service_shapes import ShapeMismatch, build_parameters, find_violations, input_shape
from local.platform.emulator_clients import Clients
from local.platform.resource_change_planning import ResourceChange
from local.property_values import UNKNOWN, Props, Unknown, reveal_secrets

MAX_WAIT_SECONDS = 30
"""Maximum time of waiting for the state that a resource must reach before the next call (`AwaitedState`)."""
POLL_SECONDS = 0.05
"""Interval between two checks of that state."""
OPERATION_ERRORS = (ClientError, BotoCoreError, ShapeMismatch, TimeoutError, OSError)
"""Exceptions that an operation raises if a call is invalid, or if a service refuses it or does not answer."""


class ResourceOperations:
    """Service calls for one resource at a time. Several threads may use it."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def create(self, driver: Driver, name: str, values: ResourceValues) -> None:
        """Create a resource, and set its id and outputs in `values`. `name` is the resource's name in Pulumi.

        If a call fails, `values` contains the responses of the earlier calls, and the id and the outputs that follow from
        them. If `values` contains no response, no part of the resource exists.
        """
        if isinstance(driver, RecordedOnly):  # The emulator lacks the service or the feature, so no call is made.
            values.id = f"recorded-{name}"
            _read_responses(driver, values)
            return
        for call in driver.create:
            if call.is_condition_met(values):
                self._call(driver, call, values)
        self._import_document(driver, values)
        _read_responses(driver, values)

    def update(self, driver: Driver, values: ResourceValues, change: ResourceChange) -> None:
        """Make the calls of an update, and set the outputs that they change in `values`."""
        for call in change.calls:
            if call.is_condition_met(values):
                self._call(driver, call, values)
        if driver.property_import is not None and driver.property_import.property in change.changed:
            self._import_document(driver, values)
        _read_responses(driver, values)

    def delete(self, driver: Driver | None, calls: Sequence[DeletionCall], *, empty_first: bool) -> None:
        """Make the calls that delete a resource. A missing resource is no error.

        If `empty_first` is True, delete the resource's content first.
        """
        for index, deletion in enumerate(calls):
            client = self._clients(deletion.service)
            try:
                if index == 0 and empty_first and driver is not None and driver.content_deletion is not None:
                    driver.content_deletion.delete(client, deletion.params)
                call_service(client, deletion.operation, deletion.params)
            except ClientError as error:
                if not is_not_found(error):
                    raise

    def _call(self, driver: Driver, call: DriverCall, values: ResourceValues) -> None:
        """Check a call's parameters, make the call, and set id and outputs from its response.

        Then wait for the state that the call's `until` describes, if any.
        """
        client = self._clients(driver.service)
        parameters = build_parameters(driver, call, values)
        for violation in find_violations(parameters, input_shape(driver, call), call.operation):
            # The emulator may accept a request that AWS would refuse.
            raise ShapeMismatch(f"{violation.path} {violation.rule}")
        values.endpoint = getattr(getattr(client, "meta", None), "endpoint_url", "")
        values.responses[call.operation] = call_service(client, call.operation, parameters)
        _read_responses(driver, values)
        if call.until is not None:
            self._wait_for_state(driver, call.until, values)

    def _import_document(self, driver: Driver, values: ResourceValues) -> None:
        """Import the property that is a whole document, such as a REST API's OpenAPI document, if there is one."""
        importer = driver.property_import
        if importer is not None and values[importer.property] is not None:
            importer.apply(self._clients(driver.service), values.id, reveal_secrets(values[importer.property]))

    def _wait_for_state(self, driver: Driver, until: AwaitedState, values: ResourceValues) -> None:
        client = self._clients(driver.service)
        parameters = build_parameters(driver, DriverCall(until.operation, until.params), values)
        deadline = time.monotonic() + MAX_WAIT_SECONDS
        while (value := value_at_path(call_service(client, until.operation, parameters), until.path)) != until.expected:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{until.path} is still {value} after {MAX_WAIT_SECONDS} s, not {until.expected}")
            time.sleep(POLL_SECONDS)


def list_deletion_calls(driver: Driver, values: ResourceValues) -> tuple[DeletionCall, ...]:
    """Return the calls that delete a resource. There are none if it does not exist, so that it has no id."""
    if not values.id:
        return ()
    return tuple(
        DeletionCall(driver.service, call.operation, build_parameters(driver, call, values)) for call in driver.delete
    )


def permits_content_deletion(driver: Driver, inputs: Props) -> bool:
    """Return True if the program permits the deletion of a resource's content, for example by `forceDestroy`."""
    return bool(driver.content_deletion and inputs.get(driver.content_deletion.when))


def describe_failure(error: BaseException) -> str:
    """Return the message of one of the `OPERATION_ERRORS`, with operation and code if it is a service's error."""
    if isinstance(error, ClientError):
        details = error.response.get("Error", {})
        return f"{error.operation_name}: {details.get('Code')}: {details.get('Message')}"
    return str(error)


def _read_responses(driver: Driver, values: ResourceValues) -> None:
    """Set the id, unless it is already set, and the outputs from the responses so far. Other outputs stay as they were."""
    for name, source in driver.outputs.items():
        if (value := _resolve(source, values)) is not UNKNOWN:
            values.outputs[name] = value
    if not values.id and (value := _resolve(driver.id, values)) is not UNKNOWN:
        values.id = str(value)


def _resolve(source: Source, values: ResourceValues) -> Any | Unknown:
    """Return the value of a source, or UNKNOWN if it has none."""
    value = source.compute(values) if isinstance(source, ComputedValue) else values[source]
    return UNKNOWN if value is None else value

"""Creation, change and deletion of one resource on the emulator.

The driver of a resource's type lists the service calls (`local/drivers/`). `plan_change` selects those that a changed
resource needs, and the deployer makes them. Neither knows where the last inputs and outputs of a resource are kept: the
engine of `make up` has a state file (`engine.py`), and the Pulumi CLI has its own state (`provider.py`).
"""

import hashlib
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError

from local import ROOT
from local.drivers.model import (
    AwaitedState,
    Driver,
    DriverCall,
    RecordedOnly,
    ResourceValues,
    identity_inputs,
    used_inputs,
    value_at_path,
)
from local.drivers.service_shapes import ShapeMismatch, build_parameters, find_violations, input_shape
from local.platform.emulator_clients import ClientFactory
from local.property_values import UNKNOWN, Archive, Asset, Props, Secret, convert_items, reveal_secrets

TAGS = "tags"
"""Input with a resource's tags."""
MAX_WAIT_SECONDS = 30
"""Maximum time of waiting for the state that a resource must reach before the next call (`AwaitedState`)."""
POLL_SECONDS = 0.05
"""Interval between two checks of that state."""
NOT_FOUND = ("NotFound", "NoSuch", "NonExistent", "DoesNotExist")
"""Parts of services' error codes for a resource that does not exist."""
DEPLOYMENT_ERRORS = (ClientError, BotoCoreError, ShapeMismatch, TimeoutError, OSError)
"""Exceptions that the deployer raises if a call is invalid, or if a service refuses it or does not answer."""


class Action(StrEnum):
    """The action that one resource needs."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    """Deletion of a resource that the program no longer contains. `plan_change` does not return this action."""
    SAME = "same"
    """Nothing, because no input has changed."""


@dataclass(frozen=True)
class Change:
    """The action that one resource needs, and the calls of an update."""

    action: Action
    calls: tuple[DriverCall, ...] = ()
    """Calls of an update, in the driver's order. Empty for another action."""
    changed: frozenset[str] = frozenset()
    """Names of the inputs that have changed, if they are the reason of an update or a replacement."""
    replacing: frozenset[str] = frozenset()
    """Names of the changed inputs that no update can change, so that the resource is replaced."""

    def changed_outputs(self, driver: Driver) -> set[str]:
        """Return the outputs that the update will change. Until then, their values are unknown."""
        operations = {call.operation for call in self.calls}
        return {output for output, operation in driver.changed_by_update.items() if operation in operations}


def plan_change(driver: Driver, inputs: Props, changed: Iterable[str]) -> Change:
    """Return the change that an existing resource needs: an update, a replacement, or nothing.

    `inputs` are the new inputs. `changed` are the names of the inputs that were added, removed or have another value.

    An update makes the calls that use a changed input. A resource is replaced in these cases:

    - An input has changed that identifies the resource, for example its name.
    - An input has changed that no update call uses, unless it is in the driver's `ignored` or is the document of its
      `property_import`.
    - An input was removed, and only other operations than the creation use it in an update. They would keep the old
      value, whereas the operation of the creation sets the resource as a whole.

    Changed tags need no call, and replace no resource, because nothing on the local platform reads the tags of an existing
    resource. A recorded-only type (`RecordedOnly`) needs no call either.
    """
    changed = frozenset(changed)
    if not changed:
        return Change(Action.SAME)
    if isinstance(driver, RecordedOnly):
        return Change(Action.UPDATE, changed=changed)
    updatable = {TAGS, *driver.ignored}
    imported = driver.property_import
    if imported is not None and inputs.get(imported.property) is not None:
        # The new document, for example a REST API's `body`, will be imported. A removed document cannot be imported.
        updatable.add(imported.property)
    calls: list[DriverCall] = []
    operations: set[str] = set()
    for call in driver.update:
        if call.after_operations:  # For example, PublishVersion is made if UpdateFunctionCode is made.
            is_needed = bool(operations & set(call.after_operations))
        else:
            changed_by_call = _find_changed_by_call(call, driver, inputs, changed - {TAGS})
            is_needed = bool(changed_by_call)
            updatable |= changed_by_call
        if is_needed:
            calls.append(call)
            operations.add(call.operation)
    if replacing := identity_inputs(driver, changed) | (changed - updatable):
        return Change(Action.REPLACE, changed=changed, replacing=frozenset(replacing))
    return Change(Action.UPDATE, tuple(calls), changed)


def _find_changed_by_call(call: DriverCall, driver: Driver, inputs: Props, changed: Iterable[str]) -> set[str]:
    """Return those of the changed inputs that an update call sets to their new value."""
    if call.if_property and not inputs.get(call.if_property):
        return set()  # The call will not be made, because its condition is not met.
    changed_and_used = used_inputs(driver, call, changed)
    # For example, PutRule creates a rule and also changes it. It removes what its parameters omit.
    if call.operation == driver.create[0].operation:
        return changed_and_used
    # Another operation keeps the old value of an input that was removed, because its parameters omit it.
    return {name for name in changed_and_used if inputs.get(name) is not None}


def list_changed_inputs(old: Props, new: Props) -> set[str]:
    """Return the names of the inputs that were added, removed or have another value. Both are comparable values."""
    return {name for name in {*old, *new} if old.get(name) != new.get(name)}


def to_comparable(value: Any) -> Any:
    """Return a value as JSON in which a secret, an asset or an archive is replaced by a hash of its content.

    An unknown value stays as it is. It differs from every value that was deployed.
    """
    match value:
        case Secret():
            content = json.dumps(to_comparable(value.value), sort_keys=True, default=str)
            return {"secret": hashlib.sha256(content.encode()).hexdigest()}
        case Asset() | Archive() if value.hash:
            return value.hash  # The Pulumi CLI sends no old content, but only its hash.
        case Archive(path=None):
            return [[name, to_comparable(entry)] for name, entry in value.entries or ()]
        case Archive():
            return hashlib.sha256((ROOT / str(value.path)).read_bytes()).hexdigest()
        case Asset():
            return hashlib.sha256(value.read()).hexdigest()
    return convert_items(value, to_comparable)


class Deployer:
    """Service calls for one resource at a time. Several threads may use it."""

    def __init__(self, clients: ClientFactory) -> None:
        self._clients = clients

    def create(self, driver: Driver, name: str, values: ResourceValues) -> None:
        """Create a resource, and set its id and outputs in `values`. `name` is the resource's name in Pulumi.

        If a call fails, `values` contains the responses of the earlier calls, and the id and the outputs that follow from
        them. If `values` contains no response, no part of the resource exists.
        """
        if isinstance(driver, RecordedOnly):  # The emulator lacks the service or the feature, so no call is made.
            values.id = f"recorded-{name}"
        else:
            self._make_calls(driver, driver.create, values)
            self._import_document(driver, values)
        _read_responses(driver, values)

    def update(self, driver: Driver, values: ResourceValues, change: Change) -> None:
        """Make the calls of an update, and set the outputs that they change in `values`."""
        self._make_calls(driver, change.calls, values)
        if driver.property_import is not None and driver.property_import.property in change.changed:
            self._import_document(driver, values)
        _read_responses(driver, values)

    def delete(self, driver: Driver, values: ResourceValues) -> None:
        """Make the calls that delete a resource. Do nothing for a missing resource, or for one that never got an id."""
        if not values.id:
            return
        client = self._clients(driver.service)
        for index, call in enumerate(driver.delete):
            parameters = build_parameters(driver, call, values)
            try:
                if index == 0 and driver.delete_content is not None and values.inputs.get("forceDestroy"):
                    driver.delete_content(client, parameters)
                _call_service(client, call.operation, parameters)
            except ClientError as error:
                if not any(part in error.response["Error"]["Code"] for part in NOT_FOUND):
                    raise

    def _make_calls(self, driver: Driver, calls: Iterable[DriverCall], values: ResourceValues) -> None:
        """Check each call's parameters, make the call, and set id and outputs from its response.

        Then wait for the state that the call's `awaited_state` describes, if any.
        """
        client = self._clients(driver.service)
        values.endpoint = client.meta.endpoint_url
        for call in calls:
            if not call.is_condition_met(values):
                continue
            parameters = build_parameters(driver, call, values)
            for violation in find_violations(parameters, input_shape(driver, call), call.operation):
                # The emulator may accept a request that AWS would refuse.
                raise ShapeMismatch(f"{violation.path} {violation.rule}")
            values.responses[call.operation] = _call_service(client, call.operation, parameters)
            _read_responses(driver, values)
            if call.awaited_state is not None:
                self._wait_for_state(driver, call.awaited_state, values)

    def _import_document(self, driver: Driver, values: ResourceValues) -> None:
        """Import the property that is a whole document, such as a REST API's OpenAPI document, if there is one."""
        importer = driver.property_import
        if importer is not None and values[importer.property] is not None:
            importer.apply(self._clients(driver.service), values.id, reveal_secrets(values[importer.property]))

    def _wait_for_state(self, driver: Driver, awaited: AwaitedState, values: ResourceValues) -> None:
        client = self._clients(driver.service)
        parameters = build_parameters(driver, DriverCall(awaited.operation), values)
        deadline = time.monotonic() + MAX_WAIT_SECONDS
        while True:
            value = value_at_path(_call_service(client, awaited.operation, parameters), awaited.path)
            if value == awaited.expected:
                return
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"{awaited.path} is still {value} after {MAX_WAIT_SECONDS} s, not {awaited.expected}"
                )
            time.sleep(POLL_SECONDS)


def _call_service(client: Any, operation: str, parameters: Props) -> Props:
    """Call an operation and return its response. The request contains the values of `Secret` parameters."""
    response: Props = getattr(client, xform_name(operation))(**reveal_secrets(parameters))
    return response


def describe_failure(error: BaseException) -> str:
    """Return the message of one of the `DEPLOYMENT_ERRORS`, with operation and code if it is a service's error."""
    if isinstance(error, ClientError):
        details = error.response.get("Error", {})
        return f"{error.operation_name}: {details.get('Code')}: {details.get('Message')}"
    return str(error)


def _read_responses(driver: Driver, values: ResourceValues) -> None:
    """Set the outputs from the responses so far, and the id unless it is already set. Other outputs stay as they were."""
    for name, source in driver.outputs.items():
        if (value := values.resolve(source)) not in (None, UNKNOWN):
            values.outputs[name] = value
    if not values.id and (value := values.resolve(driver.id)) not in (None, UNKNOWN):
        values.id = str(value)

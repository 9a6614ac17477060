"""Plan of the change that one resource needs: a creation, an update, a replacement, or nothing.

The plan follows from the inputs that have changed since the last run, and from the update calls that the driver of the
resource's type lists (`local/drivers/model.py`). An update makes the calls that use a changed input. A resource is
replaced by a new one in these cases:

- Its creation or deletion was not completed.
- Its type has changed.
- An input has changed that identifies the resource, for example its name.
- An input has changed that no update call uses, unless it is in the driver's `ignored` or is the document of its
  `property_import`.
- An input was removed, and no update call that uses it repeats the operation that creates the resource. Only this
  operation removes the value of an input that it omits.

Changed tags are only recorded in the state: they need no call, and replace no resource, because nothing on the local
platform reads the tags of an existing resource.

The rules about inputs do not apply to a recorded-only type (`RecordedOnly`), whose resources do not exist on the
emulator.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from local.drivers.model import Driver, DriverCall, RecordedOnly, identity_inputs, used_inputs
from local.platform.state import ResourceEntry, ResourceStatus
from local.preview.resource_graph import Resource
from local.property_values import Props

TAGS = "tags"
"""Input with a resource's tags."""


class ResourceAction(StrEnum):
    """The action that the engine takes on a resource."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    """Deletion of a resource that the program no longer contains. `plan_change` does not return this action."""
    SAME = "same"
    """Nothing, because no input has changed."""


@dataclass(frozen=True)
class ResourceChange:
    """The action that one resource needs."""

    action: ResourceAction
    calls: tuple[DriverCall, ...] = ()
    """Calls of an update, in the driver's order. Empty for another action."""
    changed: frozenset[str] = frozenset()
    """Names of the inputs that have changed, if they are the reason of an update or a replacement."""
    replacing: frozenset[str] = frozenset()
    """Names of the changed inputs that no update can change, so that the resource is replaced."""


def plan_change(
    driver: Driver, resource: Resource, entry: ResourceEntry | None, hashes: Mapping[str, str]
) -> ResourceChange:
    """Return the change that a resource needs.

    `entry` is its last known state, or None for a new resource. `hashes` are the hashes of its current inputs.
    """
    if entry is None:
        return ResourceChange(ResourceAction.CREATE)
    if entry.status is not ResourceStatus.MADE or entry.type != resource.type:
        return ResourceChange(ResourceAction.REPLACE)
    ignored = set(resource.request.ignoreChanges)
    changed = {name for name in {*hashes, *entry.inputs} - ignored if hashes.get(name) != entry.inputs.get(name)}
    return plan_input_change(driver, resource.inputs, changed)


def plan_input_change(driver: Driver, inputs: Props, changed: set[str]) -> ResourceChange:
    """Return the change that a complete resource of unchanged type needs: an update, a replacement, or nothing.

    `inputs` are the new inputs. `changed` are the names of the inputs that were added, removed or have another value.
    """
    if not changed:
        return ResourceChange(ResourceAction.SAME)
    if isinstance(driver, RecordedOnly):
        # The resource does not exist on the emulator, so the update makes no calls.
        return ResourceChange(ResourceAction.UPDATE, changed=frozenset(changed))
    updatable = {TAGS, *driver.ignored}  # A change of tags or of an ignored property needs no call.
    imported = driver.property_import
    if imported is not None and inputs.get(imported.property) is not None:
        # The new document, for example a REST API's `body`, will be imported. A removed document cannot be imported.
        updatable.add(imported.property)
    calls: list[DriverCall] = []
    planned_operations: set[str] = set()
    for call in driver.update:
        if call.after:
            # For example, PublishVersion is made if UpdateFunctionCode is made.
            is_needed = bool(planned_operations & set(call.after))
        else:
            changed_by_call = _find_changed_by_call(call, driver, inputs, changed - {TAGS})
            is_needed = bool(changed_by_call)
            updatable |= changed_by_call
        if is_needed:
            calls.append(call)
            planned_operations.add(call.operation)
    if replacing := identity_inputs(driver, changed) | (changed - updatable):
        return ResourceChange(ResourceAction.REPLACE, changed=frozenset(changed), replacing=frozenset(replacing))
    return ResourceChange(ResourceAction.UPDATE, tuple(calls), frozenset(changed))


def list_changed_outputs(driver: Driver, change: ResourceChange) -> set[str]:
    """Return the outputs that an update will change. Until then, their values are unknown."""
    operations = {call.operation for call in change.calls}
    return {output for output, operation in driver.changed_by_update.items() if operation in operations}


def _find_changed_by_call(call: DriverCall, driver: Driver, inputs: Props, changed: set[str]) -> set[str]:
    """Return those of the changed inputs that an update call sets to their new value."""
    if call.when and not inputs.get(call.when):
        return set()  # The call will not be made, because its condition is not met.
    changed_and_used = used_inputs(driver, call, changed)
    # The operation that creates the resource, such as PutRule, sets it as a whole. So it removes what is omitted.
    if call.operation == driver.create[0].operation:
        return changed_and_used
    # Another operation omits an input that was removed, so the service would keep the old value.
    return {name for name in changed_and_used if inputs.get(name) is not None}

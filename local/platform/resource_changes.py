"""Plan of the change that one resource needs: creation, an update, a replacement, or nothing.

A driver's update calls define what can be changed in place. A resource is replaced if one of its identifying properties
changes, or a property that no update call takes. It is also replaced if a property is removed and no call sets the
resource as a whole, because a partial update without the property would keep the old value. A resource whose creation
was not completed is replaced, too.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from local.platform.driver_model.driver import Driver, DriverCall, RecordedOnly, Source
from local.platform.state import ResourceEntry, ResourceStatus
from local.preview.property_values import Props
from local.preview.resource_graph import Resource


class ResourceAction(StrEnum):
    """The action that the engine takes on a resource."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    SAME = "same"
    """Nothing, because no input has changed."""


@dataclass(frozen=True)
class ResourceChange:
    """The action that one resource needs."""

    action: ResourceAction
    calls: tuple[DriverCall, ...] = ()
    """Calls of an update, in the driver's order. Empty for another action."""
    changed: frozenset[str] = frozenset()
    """Names of the input properties whose change causes an update or a replacement. Otherwise empty."""


def plan_change(
    driver: Driver | RecordedOnly, resource: Resource, entry: ResourceEntry | None, hashes: Mapping[str, str]
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
    if not changed:
        return ResourceChange(ResourceAction.SAME)
    if isinstance(driver, RecordedOnly):
        return ResourceChange(ResourceAction.UPDATE, changed=frozenset(changed))
    return _plan_update(driver, resource.inputs, changed)


def _plan_update(driver: Driver, inputs: Props, changed: set[str]) -> ResourceChange:
    """Return an update, or a replacement if the driver's update calls cannot change all of the changed properties."""
    updatable: set[str] = set(driver.ignored)  # A change of an ignored property needs no call.
    if driver.property_import is not None and inputs.get(driver.property_import.property) is not None:
        updatable.add(driver.property_import.property)
    calls: list[DriverCall] = []
    operations: set[str] = set()
    for call in driver.update:
        if call.after:
            is_needed = bool(operations & set(call.after))
        else:
            changed_by_call = _find_changed_by_call(call, driver, inputs, changed)
            is_needed = bool(changed_by_call)
            updatable |= changed_by_call
        if is_needed:
            calls.append(call)
            operations.add(call.operation)
    if changed & identity_properties(driver) or changed - updatable:
        return ResourceChange(ResourceAction.REPLACE, changed=frozenset(changed))
    return ResourceChange(ResourceAction.UPDATE, tuple(calls), frozenset(changed))


def _find_changed_by_call(call: DriverCall, driver: Driver, inputs: Props, changed: set[str]) -> set[str]:
    """Return those of the changed properties that an update call sets to their new value."""
    if call.when and not inputs.get(call.when):
        return set()  # The call will not be made, because its condition is not met.
    changed_and_used = set(call.uses()) & changed
    # An update with the same operation as the creation sets the whole resource, so it also removes properties.
    if call.operation in {creating.operation for creating in driver.create}:
        return changed_and_used
    # Another call does not contain a property that was removed, so the service would keep the old value.
    return {name for name in changed_and_used if inputs.get(name) is not None}


def identity_properties(driver: Driver) -> set[str]:
    """Return the properties that identify a resource: those of its id and of the calls that delete it."""
    sources: Iterable[Source] = (driver.id, *(source for call in driver.delete for source in call.params.values()))
    names = {name for source in sources for name in ((source,) if isinstance(source, str) else source.uses)}
    return names - {"id"} - set(driver.outputs) - set(driver.ignored)

"""What a resource needs, given how it was last made: nothing, an update, a replacement, or to be made. Pure.

A driver's update calls say what can be changed in place. What none of them takes, or what a resource is known by,
means replacing; and so does a property taken away that no call sets as a whole, because leaving it out of a partial
update would leave the old value.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from local.platform.drivers.model import Driver, DriverCall, RecordedOnly, Source
from local.platform.state import ResourceEntry, ResourceStatus
from local.preview.property_values import Props
from local.preview.resource_graph import Resource


class ResourceAction(StrEnum):
    """What is done with a resource."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    SAME = "same"


@dataclass(frozen=True)
class ResourceChange:
    """What one resource needs."""

    action: ResourceAction
    calls: tuple[DriverCall, ...] = ()
    """For an update: the calls, in the driver's order."""
    changed: frozenset[str] = frozenset()


def plan_change(
    driver: Driver | RecordedOnly, resource: Resource, entry: ResourceEntry | None, hashes: Mapping[str, str]
) -> ResourceChange:
    """What `resource` needs, its inputs hashed as `hashes`."""
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
    return _update(driver, resource.inputs, changed)


def _update(driver: Driver, inputs: Props, changed: set[str]) -> ResourceChange:
    whole = {call.operation for call in driver.create}
    taken: set[str] = set(driver.ignored)
    if driver.property_import is not None and inputs.get(driver.property_import.what) is not None:
        taken.add(driver.property_import.what)
    calls: list[DriverCall] = []
    operations: set[str] = set()
    for call in driver.update:
        if call.after:
            wanted = bool(operations & set(call.after))
        else:
            uses = set(call.uses())
            if call.operation not in whole:
                uses -= {name for name in changed if inputs.get(name) is None}
            elif call.when and not inputs.get(call.when):
                uses = set()
            wanted = bool(uses & changed)
            taken |= uses
        if wanted:
            calls.append(call)
            operations.add(call.operation)
    if changed & identity_properties(driver) or changed - taken:
        return ResourceChange(ResourceAction.REPLACE, changed=frozenset(changed))
    return ResourceChange(ResourceAction.UPDATE, tuple(calls), frozenset(changed))


def identity_properties(driver: Driver) -> set[str]:
    """The properties that a resource is known by: those of its id, and of the calls that delete it."""
    known: Iterable[Source] = (driver.id, *(source for call in driver.delete for source in call.params.values()))
    named = {name for source in known for name in ((source,) if isinstance(source, str) else source.uses)}
    return named - {"id"} - set(driver.outputs) - set(driver.ignored)

"""What a resource needs, given how it was last made: nothing, an update, a replacement, or to be made. Pure.

A driver's update calls say what can be changed in place. What none of them takes, or what a resource is known by,
means replacing; and so does a property taken away that no call sets as a whole, because leaving it out of a partial
update would leave the old value.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from local.platform.drivers.model import Call, Driver, RecordedOnly, Source
from local.platform.state import Entry, Status
from local.preview.property_values import Props
from local.preview.resource_graph import Resource


class Action(StrEnum):
    """What is done with a resource."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    SAME = "same"


@dataclass(frozen=True)
class Change:
    """What one resource needs."""

    action: Action
    calls: tuple[Call, ...] = ()
    """For an update: the calls, in the driver's order."""
    changed: frozenset[str] = frozenset()


def change(driver: Driver | RecordedOnly, resource: Resource, entry: Entry | None, hashes: Mapping[str, str]) -> Change:
    """What `resource` needs, its inputs hashed as `hashes`."""
    if entry is None:
        return Change(Action.CREATE)
    if entry.status is not Status.MADE or entry.type != resource.type:
        return Change(Action.REPLACE)
    ignored = set(resource.request.ignoreChanges)
    changed = {name for name in {*hashes, *entry.inputs} - ignored if hashes.get(name) != entry.inputs.get(name)}
    if not changed:
        return Change(Action.SAME)
    if isinstance(driver, RecordedOnly):
        return Change(Action.UPDATE, changed=frozenset(changed))
    return _update(driver, resource.inputs, changed)


def _update(driver: Driver, inputs: Props, changed: set[str]) -> Change:
    whole = {call.operation for call in driver.create}
    taken: set[str] = set(driver.ignored)
    if driver.applying is not None and inputs.get(driver.applying.what) is not None:
        taken.add(driver.applying.what)
    calls: list[Call] = []
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
    if changed & identity(driver) or changed - taken:
        return Change(Action.REPLACE, changed=frozenset(changed))
    return Change(Action.UPDATE, tuple(calls), frozenset(changed))


def identity(driver: Driver) -> set[str]:
    """The properties that a resource is known by: those of its id, and of the calls that delete it."""
    known: Iterable[Source] = (driver.id, *(source for call in driver.delete for source in call.params.values()))
    named = {name for source in known for name in ((source,) if isinstance(source, str) else source.uses)}
    return named - {"id"} - set(driver.outputs) - set(driver.ignored)

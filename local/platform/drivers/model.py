"""What a driver is: data that says which service calls make, change and remove one type of resource.

A call's parameters name the Pulumi property that each is taken from. Nested values are fitted into the service's own
shapes, as botocore knows them, so a driver says only what differs. Every property must have a place in some call, or
a reason why it has none: a driver that forgets one is an error, not a silently different resource.
"""

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from local.preview.property_values import UNKNOWN, Props


@dataclass
class ResourceValues:
    """What is known of a resource when a call is built: its inputs, and what earlier calls answered."""

    inputs: Props
    id: str = ""
    outputs: Props = field(default_factory=dict)
    answers: dict[str, Props] = field(default_factory=dict)
    """By operation."""
    endpoint: str = ""
    """Where the service is."""

    def __getitem__(self, name: str) -> Any:
        """A property by name; `id` is the resource's id. None where it is not there."""
        if name == "id":
            return self.id or UNKNOWN
        return self.inputs.get(name, self.outputs.get(name))


@dataclass(frozen=True)
class ComputedValue:
    """A value made from several properties, or from what a call answered."""

    by: Callable[[ResourceValues], Any]
    uses: tuple[str, ...] = ()
    """The properties it is made from."""


Source = str | ComputedValue
"""Where a value comes from: a property's name, or how it is made."""


def constant(value: Any) -> ComputedValue:
    """A fixed value."""
    return ComputedValue(lambda _: value)


def from_response(operation: str, path: str) -> ComputedValue:
    """A value from what an operation answered, by dotted path."""

    def found(known: ResourceValues) -> Any:
        value: Any = known.answers.get(operation, {})
        for part in path.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        return UNKNOWN if value is None else value

    return ComputedValue(found)


def first_known(*sources: ComputedValue) -> ComputedValue:
    """The first of several values that is known."""

    def found(known: ResourceValues) -> Any:
        return next((value for one in sources if (value := one.by(known)) is not UNKNOWN), UNKNOWN)

    return ComputedValue(found)


def computed_from(*uses: str) -> Callable[[Callable[..., Any]], ComputedValue]:
    """Decorates a function of property values; it is not asked while one of them is unknown."""

    def wrap(function: Callable[..., Any]) -> ComputedValue:
        def value(known: ResourceValues) -> Any:
            values = [known[name] for name in uses]
            return UNKNOWN if any(one is UNKNOWN for one in values) else function(*values)

        return ComputedValue(value, uses)

    return wrap


@computed_from("name", "namePrefix")
def name_or_prefixed(name: str | None, prefix: str | None) -> Any:
    """A name; after a prefix, with letters of the provider's own, so that two can be there at once."""
    return name or f"{prefix}{uuid.uuid4().hex[:26]}"


@dataclass(frozen=True)
class DriverCall:
    """One service call."""

    operation: str
    params: Mapping[str, Source]
    """Parameter, or dotted path below one, → where its value comes from. What comes to nothing is left out."""
    when: str = ""
    """A property without which the call is not made."""
    renames: Mapping[str, str] = field(default_factory=dict)
    """Pulumi's names of nested keys, where they are not the service's."""
    after: tuple[str, ...] = ()
    """For an update: operations that this one always follows, whatever changed."""
    until: "AwaitedState | None" = None
    """What to wait for before the next call."""

    def is_needed(self, known: ResourceValues) -> bool:
        """Whether the call is to be made, given what is known."""
        return not self.when or known[self.when] not in (None, False, UNKNOWN)

    def uses(self) -> Iterator[str]:
        """The properties that this call takes."""
        for source in self.params.values():
            if isinstance(source, str):
                yield source
            else:
                yield from source.uses
        if self.when:
            yield self.when


@dataclass(frozen=True)
class AwaitedState:
    """A question to repeat until its answer is the wanted one: some services go on working after they answered."""

    operation: str
    params: Mapping[str, Source]
    path: str
    expected: str


@dataclass(frozen=True)
class ContentDeletion:
    """How a resource loses its content, which would keep it from being deleted; only where a property asks for it."""

    when: str
    by: Callable[[Any, Props], None]
    """Given the service's client and the parameters of the first deleting call."""


@dataclass(frozen=True)
class PropertyImport:
    """A property that stands for more calls than can be named beforehand, such as an API's document."""

    what: str
    by: Callable[[Any, str, Any], None]
    """Given the service's client, the resource's id and the property: makes the resource what it says, whatever it was
    before."""


@dataclass(frozen=True)
class Driver:
    """How one type of resource is made, changed and removed."""

    type: str
    service: str
    create: tuple[DriverCall, ...]
    id: Source
    delete: tuple[DriverCall, ...] = ()
    update: tuple[DriverCall, ...] = ()
    """Each is made when a property that it takes has changed. A changed property that none takes means replacing."""
    outputs: Mapping[str, Source] = field(default_factory=dict)
    ignored: Mapping[str, str] = field(default_factory=dict)
    """Properties without a place in any call, each with the reason."""
    content_deletion: ContentDeletion | None = None
    property_import: PropertyImport | None = None
    changed_by_update: tuple[str, ...] = ()
    """Outputs that an update changes."""

    def unhandled_inputs(self, inputs: Props) -> list[str]:
        """Properties that this driver has no place for."""
        placed = {name for call in (*self.create, *self.update) for name in call.uses()}
        applied = {self.property_import.what} if self.property_import else set()
        return sorted(set(inputs) - placed - applied - set(self.ignored))


@dataclass(frozen=True)
class RecordedOnly:
    """A type whose service the emulator lacks: checked against the service's model, never made."""

    type: str
    service: str
    reason: str
    create: tuple[DriverCall, ...]
    outputs: Mapping[str, Source] = field(default_factory=dict)
    """What the service would answer, as far as others need it."""
    ignored: Mapping[str, str] = field(default_factory=dict)

"""The model of a driver: data that names the service calls that create, change and delete a resource of one type.

Each parameter of a call names the Pulumi property that it is taken from. Nested values are fitted into the shapes of
the service's API, which botocore contains, so a driver states only the differences. Every property must be used by a
call or be listed as ignored with a reason. A forgotten property is then an error instead of a silently different
resource.
"""

import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from local.preview.property_values import UNKNOWN, Props


@dataclass
class ResourceValues:
    """The values of a resource that are known when a call is built."""

    inputs: Props
    """Properties that the program gives the resource."""
    id: str = ""
    """Physical id, or an empty text before the resource is created."""
    outputs: Props = field(default_factory=dict)
    """Output properties so far, from an earlier run or from the responses of this run."""
    responses: dict[str, Props] = field(default_factory=dict)
    """Responses of this run, by operation."""
    endpoint: str = ""
    """URL of the service, or an empty text before the first call."""

    def __getitem__(self, name: str) -> Any:
        """Return an input or else an output by its name, or None.

        The name `id` means the resource's physical id.
        """
        if name == "id":
            return self.id or UNKNOWN
        return self.inputs.get(name, self.outputs.get(name))


@dataclass(frozen=True)
class ComputedValue:
    """A value that is computed from several properties or from a response."""

    compute: Callable[[ResourceValues], Any]
    """Function that returns the value, or UNKNOWN if it is not known yet."""
    uses: tuple[str, ...] = ()
    """Names of the properties that the value is computed from."""


Source = str | ComputedValue
"""Origin of a value: the name of a property, or a computation."""


def constant(value: Any) -> ComputedValue:
    """Return a value that does not depend on the resource."""
    return ComputedValue(lambda _: value)


def from_response(operation: str, path: str) -> ComputedValue:
    """Return the value at a dotted path in the response of an operation."""

    def read(values: ResourceValues) -> Any:
        value = value_at_path(values.responses.get(operation), path)
        return UNKNOWN if value is None else value

    return ComputedValue(read)


def value_at_path(response: Any, path: str) -> Any:
    """Return the value at a dotted path in a response, or None. An empty path means the whole response."""
    for part in path.split(".") if path else ():
        response = response.get(part) if isinstance(response, Mapping) else None
    return response


def from_template(template: str) -> ComputedValue:
    """Return a text that contains properties, for example `{functionName}:{name}`.

    The text is unknown if one of them is.
    """
    names = tuple(re.findall(r"{(\w+)}", template))

    def text(values: ResourceValues) -> Any:
        properties = {name: values[name] for name in names}
        return UNKNOWN if UNKNOWN in properties.values() else template.format(**properties)

    return ComputedValue(text, names)


def first_known(*sources: ComputedValue) -> ComputedValue:
    """Return the first of several values that is known."""

    def first(values: ResourceValues) -> Any:
        return next((value for source in sources if (value := source.compute(values)) is not UNKNOWN), UNKNOWN)

    return ComputedValue(first)


def computed_from(*uses: str) -> Callable[[Callable[..., Any]], ComputedValue]:
    """Decorate a function of property values. The function is not called while one of the values is unknown."""

    def wrap(function: Callable[..., Any]) -> ComputedValue:
        def value(values: ResourceValues) -> Any:
            arguments = [values[name] for name in uses]
            return UNKNOWN if any(argument is UNKNOWN for argument in arguments) else function(*arguments)

        return ComputedValue(value, uses)

    return wrap


@computed_from("name", "namePrefix")
def name_or_prefixed(name: str | None, prefix: str | None) -> Any:
    """Return the name, or the prefix with random hexadecimal digits.

    A prefix takes the place of a name in the program, so that Pulumi can create a replacement before it deletes the old
    resource. The engine of the local platform deletes the old resource first.
    """
    return name or f"{prefix}{uuid.uuid4().hex[:26]}"


@dataclass(frozen=True)
class DriverCall:
    """One service call of a driver."""

    operation: str
    params: Mapping[str, Source]
    """Origin of each parameter, by its name or dotted path. A parameter without a value is omitted."""
    when: str = ""
    """Property that is the condition of the call. The call is made only if this property has a value other than
    False, 0 and unknown. Empty if the call has no condition."""
    renames: Mapping[str, str] = field(default_factory=dict)
    """Service names of nested keys, by the Pulumi names that differ from them."""
    after: tuple[str, ...] = ()
    """Other operations of the same update. If one of them is made, this call is made too, whichever property changed.
    For example, a Lambda version is published after each change of code or settings. Empty if the call depends on the
    changed properties."""
    until: "AwaitedState | None" = None
    """State to wait for before the next call, or None."""

    def is_needed(self, values: ResourceValues) -> bool:
        """Return True if the call has no condition (`when`), or if its condition is met."""
        return not self.when or values[self.when] not in (None, False, UNKNOWN)

    def uses(self) -> Iterator[str]:
        """Yield the properties that the call uses."""
        for source in self.params.values():
            if isinstance(source, str):
                yield source
            else:
                yield from source.uses
        if self.when:
            yield self.when


@dataclass(frozen=True)
class AwaitedState:
    """A call that is repeated until its response has the expected value, because some services continue to work after
    they respond.
    """

    operation: str
    params: Mapping[str, Source]
    path: str
    """Dotted path of the value in the response."""
    expected: str


@dataclass(frozen=True)
class ReadCall:
    """A service call that reads current properties of a resource. `resource_reading.py` compares them with the inputs.

    The first reading call of a driver also shows whether the resource exists. It reads each property that no reading
    call names in `places`, if a create or update call has the property as a parameter. The property is then at the
    parameter's name in the result. A property that identifies the resource in `params` is not read.
    """

    operation: str
    params: Mapping[str, Source]
    path: str = ""
    """Dotted path of the result in the response. Empty if the whole response is the result."""
    item: tuple[str, str] | None = None
    """If the result is a list: a member of its items, and the property that has this member's value for the
    resource."""
    places: Mapping[str, str | Callable[[Any], Any]] = field(default_factory=dict)
    """Place of each property in the result: a dotted path, or a function that returns the value in Pulumi's form."""
    unset: tuple[str, ...] = ()
    """Properties without a default: the result contains a value only if the property was set. If the program gives
    none, the value was set by hand."""
    fingerprints: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """For each property whose content cannot be compared, such as an archive: the output that contains the content's
    hash, and the dotted path of the current hash in the result."""


@dataclass(frozen=True)
class DeletionCall:
    """One service call that deletes a resource."""

    service: str
    """boto3 name of the service."""
    operation: str
    params: Props


@dataclass(frozen=True)
class ContentDeletion:
    """The deletion of a resource's content before the resource.

    A bucket with objects, for example, cannot be deleted.
    """

    when: str
    """Property that permits the deletion of the content, for example `forceDestroy`."""
    delete: Callable[[Any, Props], None]
    """Function that deletes the content. It is called with the service's client and the parameters of the first
    deletion call."""


@dataclass(frozen=True)
class PropertyImport:
    """A property that is a whole document, such as the OpenAPI document of an API.

    Its import needs a variable number of calls, so a list of calls cannot describe it.
    """

    property: str
    """Name of the property."""
    apply: Callable[[Any, str, Any], None]
    """Function that imports the document. It is called with the service's client, the resource's id and the property's
    value. It brings the resource from any previous state to the state that the document describes."""


@dataclass(frozen=True)
class Driver:
    """The calls that create, change and delete one resource type on the emulator."""

    type: str
    """Type of the resource in Pulumi, for example `aws:s3/bucket:Bucket`."""
    service: str
    """boto3 name of the service."""
    create: tuple[DriverCall, ...]
    """Calls that create the resource, in this order."""
    id: Source
    """Origin of the resource's physical id."""
    delete: tuple[DriverCall, ...] = ()
    """Calls that delete the resource, in this order. Empty if it is deleted together with another resource."""
    update: tuple[DriverCall, ...] = ()
    """Calls that change the resource. A call without `after` is made if a property that it uses has changed. A changed
    property causes a replacement if no call uses it and it is neither ignored nor imported."""
    outputs: Mapping[str, Source] = field(default_factory=dict)
    """Origin of each output property."""
    ignored: Mapping[str, str] = field(default_factory=dict)
    """Properties that no call uses, each with the reason."""
    content_deletion: ContentDeletion | None = None
    property_import: PropertyImport | None = None
    changed_by_update: Mapping[str, str] = field(default_factory=dict)
    """Outputs that an update changes, each with the operation that changes it."""
    read: tuple[ReadCall, ...] = ()
    """Calls that read the current properties. Empty if a change made by hand is not detected."""
    unread: Mapping[str, str] = field(default_factory=dict)
    """Properties that the reading calls do not return, each with the reason."""

    def unhandled_inputs(self, inputs: Props) -> list[str]:
        """Return the input properties that the driver neither uses nor ignores."""
        used = {name for call in (*self.create, *self.update) for name in call.uses()}
        applied = {self.property_import.property} if self.property_import else set()
        return sorted(set(inputs) - used - applied - set(self.ignored))


@dataclass(frozen=True)
class RecordedOnly:
    """A resource type that the emulator cannot create, because it lacks the service or the feature. The inputs of its
    resources are only checked against the service's model.
    """

    type: str
    """Type of the resource in Pulumi."""
    service: str
    """boto3 name of the service."""
    reason: str
    """Reason why the emulator cannot create the resource. `make up` prints it."""
    create: tuple[DriverCall, ...]
    """Calls that would create the resource. Only their parameters are checked."""
    outputs: Mapping[str, Source] = field(default_factory=dict)
    """Values that the service would return, as far as other resources need them."""
    ignored: Mapping[str, str] = field(default_factory=dict)
    """Properties that no call would use, each with the reason."""

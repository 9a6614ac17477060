"""Model of a driver, which lists the AWS service calls that create, change and delete the resources of one type.

The local platform makes these calls on its AWS emulator. A driver is data. Each call gets every property of the
resource whose name is also the name of one of its parameters, in botocore's model of the operation
(`service_shapes.py`). So a driver lists only what differs: other names, other places and computed values.

For example, this driver needs no list of parameters, although its creation call also gets `tags`:

    Driver(
        type="aws:sns/topic:Topic",
        service="sns",
        api_names={"id": "TopicArn"},
        create=(DriverCall("CreateTopic"),),
        delete=(DriverCall("DeleteTopic"),),
        id=from_response("CreateTopic", "TopicArn"),
    )

A value that does not exist yet, for example the ARN of a new resource, is `UNKNOWN`.

If no call uses a property, the driver must list the property in `ignored`. Otherwise the deployment fails, because the
deployed resource would silently lack the property.
"""

import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from local.drivers.service_shapes import Names, find_parameter
from local.property_values import UNKNOWN, Props


@dataclass
class ResourceValues:
    """The values of one resource that its calls can use."""

    inputs: Props
    """Properties that the program gives the resource."""
    id: str = ""
    """Physical id, or an empty text before the resource is created."""
    outputs: Props = field(default_factory=dict)
    """Output properties so far, from an earlier run or from responses of this run."""
    responses: dict[str, Props] = field(default_factory=dict)
    """Responses of this run, by the name of the operation, for example `CreateTopic`."""
    endpoint: str = ""
    """URL of the service, or an empty text before the first call."""

    def __getitem__(self, name: str) -> Any:
        """Return the input with this name, or the output if there is no such input, or None.

        The name `id` means the resource's physical id, which is UNKNOWN before the resource is created.
        """
        if name == "id":
            return self.id or UNKNOWN
        return self.inputs.get(name, self.outputs.get(name))

    def resolve(self, source: "Source") -> Any:
        """Return the value of a source, or None."""
        return source.compute(self) if isinstance(source, ComputedValue) else self[source]


@dataclass(frozen=True)
class ComputedValue:
    """A value that is computed, for example from several properties or from a response."""

    compute: Callable[[ResourceValues], Any]
    """Function that returns the value, or UNKNOWN if it is not known yet."""
    uses: tuple[str, ...] = ()
    """Names of the properties that the value is computed from."""


Source = str | ComputedValue
"""Source of a value: the name of a property, or a computation."""


def list_used_properties(source: Source) -> tuple[str, ...]:
    """Return the properties from which a source takes its value."""
    return (source,) if isinstance(source, str) else source.uses


def constant(value: Any) -> ComputedValue:
    """Return a value that does not depend on the resource."""
    return ComputedValue(lambda _: value)


def from_response(operation: str, path: str, convert: Callable[[Any], Any] = lambda value: value) -> ComputedValue:
    """Return the value at a dotted path in an operation's response, converted by a function.

    The value is UNKNOWN if this run did not make the call, or if the response has no value at the path.
    """

    def read(values: ResourceValues) -> Any:
        value = value_at_path(values.responses.get(operation), path)
        return UNKNOWN if value is None else convert(value)

    return ComputedValue(read)


def value_at_path(response: Any, path: str) -> Any:
    """Return the value at a dotted path in a response, or None."""
    for part in path.split("."):
        response = response.get(part) if isinstance(response, Mapping) else None
    return response


def from_template(template: str) -> ComputedValue:
    """Return a template such as `{functionName}:{name}` with its properties. It is UNKNOWN if one of them is unknown."""
    names = tuple(re.findall(r"{(\w+)}", template))

    def text(values: ResourceValues) -> Any:
        properties = {name: values[name] for name in names}
        return UNKNOWN if UNKNOWN in properties.values() else template.format(**properties)

    return ComputedValue(text, names)


def first_known(*sources: ComputedValue) -> ComputedValue:
    """Return the value of the first source whose value is known. It is UNKNOWN if there is no such source."""

    def first(values: ResourceValues) -> Any:
        return next((value for source in sources if (value := source.compute(values)) is not UNKNOWN), UNKNOWN)

    return ComputedValue(first)


def computed_from(*uses: str) -> Callable[[Callable[..., Any]], ComputedValue]:
    """Return a decorator that turns a function into a value. The function gets the named properties as its arguments.

    The function gets None for a property that the resource does not have. If one of the properties is unknown, the
    function is not called, and the value is UNKNOWN.
    """

    def wrap(function: Callable[..., Any]) -> ComputedValue:
        def value(values: ResourceValues) -> Any:
            arguments = [values[name] for name in uses]
            return UNKNOWN if any(argument is UNKNOWN for argument in arguments) else function(*arguments)

        return ComputedValue(value, uses)

    return wrap


@computed_from("namePrefix")
def prefixed_name(prefix: str) -> str:
    """Return the prefix followed by random digits, so that a replacement can exist beside the old resource."""
    return f"{prefix}{uuid.uuid4().hex[:26]}"


@dataclass(frozen=True)
class DriverCall:
    """One service call of a driver."""

    operation: str
    params: Mapping[str, Source] = field(default_factory=dict)
    """Sources of the parameters that do not follow from the names of the properties, by the parameter's name or dotted
    path, for example `Code.ZipFile`. A property that such a source uses is not passed under its own name, too. A
    parameter whose source has no value is omitted."""
    parent_parameter: str = ""
    """Parameter whose members get the properties of the same name, for example `TableInput`, or its dotted path. Other
    properties become parameters. Empty if all properties become parameters."""
    only_properties: tuple[str, ...] | None = None
    """Properties that the call gets by their names, or None if it gets all for which it has a parameter."""
    if_property: str = ""
    """Name of a property without which the call is not made. The call is also not made if the property is False, 0 or
    unknown. Empty if the call has no such condition."""
    after_operations: tuple[str, ...] = ()
    """Operations after which an update makes this call. For example, a Lambda version is published after each change of
    code or settings. If empty, an update makes the call if a property that the call uses has changed."""
    awaited_state: "AwaitedState | None" = None
    """State that the resource must reach before the next call, or None."""

    def is_condition_met(self, values: ResourceValues) -> bool:
        """Return True if the condition in `if_property` is met, or if there is none."""
        return not self.if_property or values[self.if_property] not in (None, False, UNKNOWN)


@dataclass(frozen=True)
class AwaitedState:
    """A state that a resource must reach before the next call.

    The operation is repeated until its response has the expected value.
    """

    operation: str
    path: str
    """Dotted path of the value in the response."""
    expected: str


@dataclass(frozen=True)
class PropertyImport:
    """The import of a property whose value is a whole document, such as the OpenAPI document of an API.

    The number of service calls depends on the document, so a function makes the calls.
    """

    property: str
    """Name of the property."""
    apply: Callable[[Any, str, Any], None]
    """Function that replaces the resource's content by the content of the document. It is called with the service's
    client, the resource's id and the property's value."""


@dataclass(frozen=True)
class Driver:
    """The calls that create, change and delete the resources of one type on the emulator."""

    type: str
    """Type of the resource in Pulumi, for example `aws:s3/bucket:Bucket`."""
    service: str
    """boto3 name of the service."""
    create: tuple[DriverCall, ...]
    """Calls that create the resource, in this order."""
    id: Source
    """Source of the resource's physical id."""
    api_names: Names = field(default_factory=dict)
    """Names in the service's API by their names in Pulumi, for parameters and their members. `id` stands for the
    resource's physical id. Names that differ only in case or in a final `s` need no entry. If a name has several
    counterparts, each call and structure gets the first that it has."""
    delete: tuple[DriverCall, ...] = ()
    """Calls that delete the resource, in this order. Empty if it is deleted together with another resource."""
    update: tuple[DriverCall, ...] = ()
    """Calls that change the resource, in this order. An update makes only the calls that the changed properties need.
    If no call can change one of the properties, the resource is replaced (`local/platform/deployer.py`)."""
    outputs: Mapping[str, Source] = field(default_factory=dict)
    """Source of each output property."""
    ignored: Mapping[str, str] = field(default_factory=dict)
    """Properties that no call uses, each with the reason."""
    delete_content: Callable[[Any, Props], None] | None = None
    """Function that deletes the resource's content before the resource, if the input `forceDestroy` is true. S3, for
    example, refuses to delete a bucket with objects. It is called with the service's client and the parameters of the
    first deletion call."""
    property_import: PropertyImport | None = None
    """Import after the creation, and after each change of its property. None if the type has no such property."""
    changed_by_update: Mapping[str, str] = field(default_factory=dict)
    """Outputs that an update changes, each with the operation that changes it."""

    def list_sources(self, call: DriverCall, inputs: Iterable[str]) -> dict[str, Source]:
        """Return the source of each parameter of a call, by its path, for a resource with the named inputs."""
        sources = dict(call.params)
        listed = {name for source in call.params.values() for name in list_used_properties(source)}
        for name in (*inputs, *({"id"} & self.api_names.keys())):  # A call gets the id only if it has a name for it.
            if name in listed or (call.only_properties is not None and name not in call.only_properties):
                continue
            path = find_parameter(self, call, name)
            # A source in `params`, for the same parameter or for a part of it, takes precedence.
            if path is not None and not any(f"{other}.".startswith(f"{path}.") for other in call.params):
                sources[path] = name
        return sources

    def unhandled_inputs(self, inputs: Props) -> list[str]:
        """Return the input properties that the driver neither uses nor ignores."""
        used = {name for call in (*self.create, *self.update) for name in used_inputs(self, call, inputs)}
        applied = {self.property_import.property} if self.property_import else set()
        return sorted(set(inputs) - used - applied - set(self.ignored))


def used_inputs(driver: Driver, call: DriverCall, names: Iterable[str]) -> set[str]:
    """Return those of the named inputs that a call of the driver uses."""
    sources = driver.list_sources(call, names).values()
    return ({name for source in sources for name in list_used_properties(source)} | {call.if_property}) & set(names)


def identity_inputs(driver: Driver, names: Iterable[str]) -> set[str]:
    """Return those of the named inputs that identify a resource: in its id, or in the parameters of its deletion.

    A change of such an input replaces the resource, because an update would not find the old resource.
    """
    identity = set(list_used_properties(driver.id)).union(*(used_inputs(driver, call, names) for call in driver.delete))
    # The id and the outputs come from the service, not from the program. A change of an ignored property has no effect.
    return (identity - {"id"} - set(driver.outputs) - set(driver.ignored)) & set(names)


@dataclass(frozen=True, kw_only=True)
class RecordedOnly(Driver):
    """A resource type for which no call is made, because the emulator lacks the service or the feature.

    A preview and `make provider` check the parameters of the calls in `create` against the service's API. The inputs of
    a resource are recorded in the state. `outputs` are the values that the service would return, if other resources
    need them.
    """

    id: Source = "id"
    reason: str
    """Reason why the emulator cannot create the resource. `make up` prints it."""

    def unhandled_inputs(self, _inputs: Props) -> list[str]:
        """Return an empty list, because no call has to use the inputs."""
        return []

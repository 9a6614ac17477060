"""Parameters of service calls: conversion of Pulumi's values to the form of a service's API, and their check.

botocore has a model of each service, in which a shape describes one type of value: its members, required members,
enumeration, pattern, length and range. A value is first fitted into its shape: members are renamed, and texts and
numbers converted. The check then reports each rule of the shape that the value breaks. Both accept unknown values.

The deployer makes calls with these parameters (`local/platform/deployer.py`), and a preview only checks them.
"""

import functools
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape

from local.property_values import UNKNOWN, Archive, Asset, Props, reveal_secrets

if TYPE_CHECKING:  # An import at run time would be circular, because the model imports this module.
    from local.drivers.model import Driver, DriverCall, ResourceValues

Names = Mapping[str, str | tuple[str, ...]]
"""Names of parameters and members in a service's API, by their names in Pulumi. The first that fits is used."""
_LOADER = Loader()


class ShapeMismatch(ValueError):
    """A resource's properties do not fit the API of its service, or a driver does not support them."""


class RuleViolation(NamedTuple):
    """A value that the service would refuse."""

    path: str
    """Operation, and path of the value in its parameters, for example `CreateFunction.VpcConfig.SubnetIds[0]`."""
    value: Any
    """The refused value, or None for a missing member."""
    rule: str
    """Broken rule, for example `is required`."""


@functools.cache
def service_model(service: str) -> ServiceModel:
    """Return botocore's model of a service, without any request."""
    return ServiceModel(_LOADER.load_service_model(service, "service-2"), service)


def build_parameters(driver: "Driver", call: "DriverCall", values: "ResourceValues") -> Props:
    """Return the parameters of one call in the form of the operation's input shape, with secrets in plain text."""
    tree: Props = {}
    for path, source in driver.list_sources(call, values.inputs).items():
        value = values.resolve(source)
        if value is not None:
            _set_at_path(tree, path.split("."), value)
    fitted: Props = fit_to_shape(tree, input_shape(driver, call), driver.api_names, call.operation)
    return fitted


def input_shape(driver: "Driver", call: "DriverCall") -> StructureShape:
    """Return the input shape of an operation."""
    shape = service_model(driver.service).operation_model(call.operation).input_shape
    if shape is None:
        raise ShapeMismatch(f"{call.operation} takes no parameters")
    return shape


def find_parameter(driver: "Driver", call: "DriverCall", name: str) -> str | None:
    """Return the path of the parameter that gets the property with this name, or None if no parameter fits.

    It is a member of the call's `parent_parameter`, or else a parameter of the operation.
    """
    shape = input_shape(driver, call)
    parent: Any = shape
    for part in filter(None, call.parent_parameter.split(".")):
        parent = parent.members[part]
        parent = parent.member if isinstance(parent, ListShape) else parent
    if call.parent_parameter and (member := find_member(name, parent, driver.api_names)):
        return f"{call.parent_parameter}.{member}"
    return find_member(name, shape, driver.api_names)


def fit_to_shape(value: Any, shape: Shape, names: Names, path: str) -> Any:
    """Return a value in the form that its shape requires. `path` names the value in the messages of errors."""
    value = reveal_secrets(value)
    if value is UNKNOWN or value is None or isinstance(value, Archive | Asset):
        return value
    match shape:
        case StructureShape():
            return _fit_structure(value, shape, names, path)
        case ListShape():
            return _fit_list(value, shape, names, path)
        case MapShape():
            if not isinstance(value, Mapping):
                raise ShapeMismatch(f"{path} must be a map")
            return {str(key): fit_to_shape(inner, shape.value, names, f"{path}.{key}") for key, inner in value.items()}
    return _fit_scalar(value, shape)


def _fit_scalar(value: Any, shape: Shape) -> Any:
    match shape.type_name:
        case "string":
            return str(value).lower() if isinstance(value, bool) else str(value)
        case "integer" | "long":  # A boolean is a mistake, which the number 0 or 1 would hide.
            return value if isinstance(value, bool) else int(value)
        case "float" | "double":
            return float(value)
        case "boolean":
            return value if isinstance(value, bool) else str(value).lower() == "true"
        case _:
            return value


def find_violations(value: Any, shape: Shape, path: str) -> Iterator[RuleViolation]:
    """Yield every rule of the service's model that a fitted value violates."""
    if value is UNKNOWN or value is None or isinstance(value, Archive | Asset):
        return
    match shape:
        case StructureShape():
            for name in shape.required_members:
                if value.get(name) is None:
                    yield RuleViolation(f"{path}.{name}", value=None, rule="is required")
            for name, inner in value.items():
                yield from find_violations(inner, shape.members[name], f"{path}.{name}")
        case ListShape():
            yield from _check_length(value, shape, path, "items")
            for index, inner in enumerate(value):
                yield from find_violations(inner, shape.member, f"{path}[{index}]")
        case MapShape():
            yield from _check_length(value, shape, path, "entries")
            for key, inner in value.items():
                yield from find_violations(key, shape.key, f"{path} key")
                yield from find_violations(inner, shape.value, f"{path}.{key}")
        case _ if shape.type_name == "string":
            yield from _check_text(value, shape, path)
        case _ if shape.type_name in {"integer", "long", "float", "double"}:
            yield from _check_range(value, shape, path)


def _set_at_path(tree: Props, path: list[str], value: Any) -> None:
    for part in path[:-1]:
        tree = tree.setdefault(part, {})
    tree[path[-1]] = value


def _fit_structure(value: Any, shape: StructureShape, names: Names, path: str) -> Any:
    if isinstance(value, list):  # Pulumi passes some single structures as a list with one item.
        if len(value) != 1:
            raise ShapeMismatch(f"{path} takes one structure, but {len(value)} are given")
        value = value[0]
    if not isinstance(value, Mapping):
        raise ShapeMismatch(f"{path} must be a structure of settings, not a {type(value).__name__}")
    fitted: Props = {}
    for key, inner in value.items():
        member = find_member(key, shape, names)
        if member is None:
            raise ShapeMismatch(
                f"{path} has no member {key}: add its service name to the driver's `api_names`, or list the property as ignored"
            )
        if inner is not None:
            fitted[member] = fit_to_shape(inner, shape.members[member], names, f"{path}.{member}")
    return fitted


def find_member(name: str, shape: StructureShape, names: Names) -> str | None:
    """Return the name of the structure's member for a name in Pulumi, or None if the structure has no such member."""
    members = {member.lower(): member for member in shape.members}
    api_names = names.get(name, ())
    for candidate in (*((api_names,) if isinstance(api_names, str) else api_names), name):
        text = candidate.lower()
        # Pulumi uses the singular for some members for which the service uses the plural, and the other way round.
        for spelling in (text, f"{text}s", text.removesuffix("s")):
            if spelling in members:
                return members[spelling]
    return None


def _find_key_and_value(shape: Shape) -> tuple[str, str] | None:
    """Return the names of the two members of a key-value structure such as a tag, or None for another shape."""
    members = {name.lower(): name for name in shape.members} if isinstance(shape, StructureShape) else {}
    for key in ("key", "name"):
        if key in members and "value" in members:
            return members[key], members["value"]
    return None


def _fit_list(value: Any, shape: ListShape, names: Names, path: str) -> Any:
    member = shape.member
    if isinstance(value, Mapping) and (members := _find_key_and_value(member)):
        # The service takes a map, such as tags, as a list of key-value structures. A map with only the keys `key` and
        # `value` is already such a structure.
        key, content = members
        if set(map(str.lower, value)) != {"key", "value"}:
            return [{key: str(name), content: inner} for name, inner in sorted(value.items())]
    listed = value if isinstance(value, list) else [value]
    return [fit_to_shape(inner, member, names, f"{path}[{index}]") for index, inner in enumerate(listed)]


def _check_length(value: Any, shape: Shape, path: str, unit: str) -> Iterator[RuleViolation]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and len(value) < low:
        yield RuleViolation(path, value, f"needs at least {low} {unit}")
    if high is not None and len(value) > high:
        yield RuleViolation(path, value, f"takes at most {high} {unit}")


def _check_text(value: str, shape: Shape, path: str) -> Iterator[RuleViolation]:
    enum = shape.metadata.get("enum")
    if enum and value not in enum:
        yield RuleViolation(path, value, f"must be one of {', '.join(enum)}")
    yield from _check_length(value, shape, path, "characters")
    pattern = _compile_pattern(shape.metadata.get("pattern"))
    if pattern is not None and not pattern.fullmatch(value):
        yield RuleViolation(path, value, f"must match {pattern.pattern}")


def _check_range(value: float, shape: Shape, path: str) -> Iterator[RuleViolation]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and value < float(low):
        yield RuleViolation(path, value, f"must be at least {low}")
    if high is not None and value > float(high):
        yield RuleViolation(path, value, f"must be at most {high}")


@functools.cache
def _compile_pattern(pattern: str | None) -> re.Pattern[str] | None:
    """Return the compiled pattern, or None if Python does not support its dialect."""
    if not pattern:
        return None
    try:
        return re.compile(pattern)
    except re.error:
        return None

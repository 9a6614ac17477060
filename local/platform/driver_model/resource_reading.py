"""Current inputs of a resource, read from its service, so that `pulumi refresh` shows changes that were made by hand.

The driver of a resource type lists the calls that read its properties (`ReadCall`). Each property that they return is
compared with the input that the program gave (`drift_comparison.py`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError
from botocore.model import ListShape, MapShape, Shape, StructureShape

from local.platform.driver_model.boto3_calls import call_service, is_not_found
from local.platform.driver_model.drift_comparison import to_current_input
from local.platform.driver_model.driver import Driver, DriverCall, ReadCall, ResourceValues, value_at_path
from local.platform.driver_model.service_shapes import build_parameters, find_member, input_shape, service_model
from local.platform.emulator_clients import Clients
from local.preview.property_value_conversion import Archive, Asset, Props


@dataclass(frozen=True)
class _Setting:
    """The parameter with which a create or update call sets a property."""

    name: str
    """Last part of the parameter's path, for example `Status` of `VersioningConfiguration.Status`."""
    shape: Shape | None
    renames: Mapping[str, str]
    """The `nested_renames` of the call."""


def read_inputs(driver: Driver, clients: Clients, values: ResourceValues) -> Props | None:
    """Return the resource's current inputs, or None if the resource no longer exists.

    An input stays as the program gave it if the service's value means the same, or if no reading call covers the property.
    """
    settings = _find_settings(driver)
    inputs = dict(values.inputs)
    for call in driver.read:
        result = _read_result(driver, clients, call, values)
        if result is None:
            if call is driver.read[0]:
                return None
            result = {}
        for name, path in list_covered_properties(driver, call):
            program_input = inputs.get(name)
            if program_input is None and name not in call.returned_only_if_set:
                continue
            shape, renames = _find_shape(driver, call, name, path, settings)
            current = value_at_path(result, path) if isinstance(path, str) else path(result)
            value = to_current_input(program_input, current, shape, renames)
            if value is not None:
                inputs[name] = value
            elif program_input is not None:
                del inputs[name]
        for name, (output, hash_path) in call.compared_by_hash.items():
            program_input = inputs.get(name)
            deployed, current = values.outputs.get(output), value_at_path(result, hash_path)
            if isinstance(program_input, Archive | Asset) and deployed and current and deployed != current:
                # The content is not read. An archive that has only the current hash shows the change.
                inputs[name] = type(program_input)(hash=str(current))
    return inputs


def list_covered_properties(driver: Driver, call: ReadCall) -> Iterator[tuple[str, str | Any]]:
    """Yield the properties that a reading call covers, each with its path in the result, or with a function that returns its
    value.

    These are the properties in `values_in_result`. The driver's first reading call also covers the properties that a
    create or update call takes directly as a parameter, under the parameter's name. Excluded are those in
    `values_in_result` or `compared_by_hash` of any call, those in `not_read`, those that identify the resource, and
    outputs.
    """
    yield from call.values_in_result.items()
    if call is not driver.read[0]:
        return
    explicit = {name for reading in driver.read for name in (*reading.values_in_result, *reading.compared_by_hash)}
    not_read = {*explicit, *list_identifying_inputs(driver), *driver.not_read, *driver.outputs, "id"}
    for name, setting in _find_settings(driver).items():
        if name not in not_read:
            yield name, setting.name


def list_identifying_inputs(driver: Driver) -> set[str]:
    """Return the properties with which the reading calls find the resource."""
    sources = [source for call in driver.read for source in (*call.params.values(), *(call.matching_item or ())[1:])]
    return {source for source in sources if isinstance(source, str)}


def _find_settings(driver: Driver) -> dict[str, _Setting]:
    """Return the parameter of each property that is the source of a parameter in a create or update call.

    If several calls have a parameter for the same property, the first call counts.
    """
    settings: dict[str, _Setting] = {}
    for call in (*driver.create, *driver.update):
        for path, source in call.params.items():
            if isinstance(source, str) and source not in settings:
                shape = _shape_at(input_shape(driver, call), path)
                settings[source] = _Setting(path.rpartition(".")[2], shape, call.nested_renames)
    return settings


def _find_shape(
    driver: Driver, call: ReadCall, name: str, path: Any, settings: Mapping[str, _Setting]
) -> tuple[Shape | None, Mapping[str, str]]:
    """Return the shape of a property's value in a result, and the names that differ from Pulumi's (`renames`).

    If a parameter sets the property, the shape is that of the parameter, because the shape of the response also has
    members that are not settings. A function in place of a path returns a value in Pulumi's form, which needs no shape.
    """
    if not isinstance(path, str):
        return None, {}
    if name in settings:
        return settings[name].shape, settings[name].renames
    response = service_model(driver.service).operation_model(call.operation).output_shape
    return _shape_at(response, ".".join(filter(None, (call.path, path)))), {}


def _shape_at(shape: Shape | None, path: str) -> Shape | None:
    """Return the shape at a dotted path, or None. A path leads through a list into its items: `Rules.Status` is the
    status of one rule.
    """
    for part in path.split(".") if path else ():
        if isinstance(shape, ListShape):
            shape = shape.member
        if isinstance(shape, StructureShape):
            member = find_member(part, shape, {})
            shape = shape.members[member] if member else None
        elif isinstance(shape, MapShape):
            shape = shape.value
    return shape


def _read_result(driver: Driver, clients: Clients, call: ReadCall, values: ResourceValues) -> Any:
    """Return the result of a reading call, or None if it is empty or the resource or setting does not exist."""
    parameters = build_parameters(driver, DriverCall(call.operation, call.params), values)
    try:
        response = call_service(clients(driver.service), call.operation, parameters)
    except ClientError as error:
        if is_not_found(error):
            return None
        raise
    result = value_at_path({name: value for name, value in response.items() if name != "ResponseMetadata"}, call.path)
    if call.matching_item is not None:
        member, source = call.matching_item
        return next((item for item in result or () if item.get(member) == values[source]), None)
    return result or None

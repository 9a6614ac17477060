"""Check of each resource's inputs against the API model of its service, in a preview and by `make provider`.

The model has the rules for the parameters of each service call, for example their allowed values and lengths. The AWS
provider checks little of this in a preview. Without this check, a misspelt value or a name that is too long would only
fail in the middle of a deployment.

The check finds the parameter for an input in the local platform's driver of the resource type, which lists the service
calls that create a resource. So a type without a driver, and an input that its driver does not use, are reported too.
The driver of a `RecordedOnly` type need not use all inputs, because the local platform does not create such a resource.
"""

from collections.abc import Iterator
from typing import NamedTuple

from local import CannotRun
from local.drivers import ALL_DRIVERS, Driver, describe_missing_drivers
from local.drivers.model import ResourceValues
from local.drivers.service_shapes import ShapeMismatch, build_parameters, find_violations, input_shape
from local.preview.resource_graph import Graph
from local.property_values import Props, Secret, to_display_value

UNUSED_BY_DRIVER = "is not used by the resource type's driver: add it to the driver in local/drivers/"


class InvalidInput(NamedTuple):
    """Input that AWS would reject, or that the driver of the resource type does not use."""

    urn: str
    property: str
    """Path of the parameter, for example `CreateFunction.Runtime`, or the names of inputs without a parameter."""
    value: str
    """Shortened value. Empty if no single value breaks the rule, or if the resource has a secret input."""
    rule: str
    """Rule that the value breaks, for example `must be at most 900`."""

    def __str__(self) -> str:
        name = self.urn.rpartition("::")[2]
        return f"{name}: {self.property} {f'= {self.value} ' if self.value else ''}{self.rule}"


def find_invalid_inputs(graph: Graph) -> list[InvalidInput]:
    """Return all invalid inputs of the graph's resources. Raise CannotRun if a resource type has no driver."""
    if missing_types := {resource.type for resource in graph.customs()} - ALL_DRIVERS.keys():
        raise CannotRun(describe_missing_drivers(missing_types))
    return [
        invalid_input
        for resource in graph.customs()
        for invalid_input in find_invalid_values(ALL_DRIVERS[resource.type], resource.urn, resource.inputs)
    ]


def find_invalid_values(driver: Driver, urn: str, inputs: Props) -> Iterator[InvalidInput]:
    """Yield the invalid inputs of one resource."""
    if unused := driver.unhandled_inputs(inputs):
        yield InvalidInput(urn, ", ".join(unused), "", UNUSED_BY_DRIVER)
    yield from _check_calls(driver, urn, inputs)


def _check_calls(driver: Driver, urn: str, inputs: Props) -> Iterator[InvalidInput]:
    values = ResourceValues(inputs)
    # The parameters contain secrets as plain text, which must not be printed. Every `Secret` has the same `repr`.
    has_secret = repr(Secret(None)) in repr(inputs)
    for call in driver.create:
        if not call.is_condition_met(values):
            continue
        try:
            parameters = build_parameters(driver, call, values)
        except ShapeMismatch as error:
            yield InvalidInput(urn, call.operation, "", str(error))
            continue
        for violation in find_violations(parameters, input_shape(driver, call), call.operation):
            value = "" if violation.value is None or has_secret else repr(to_display_value(violation.value))
            yield InvalidInput(urn, violation.path, value if len(value) <= 80 else f"{value[:77]}…", violation.rule)

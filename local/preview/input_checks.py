"""Every resource's inputs against its service's own rules, before anything is made.

The AWS provider checks little at preview, and a mock nothing: a misspelt enumeration value or a name that is too
long would show in the middle of a deployment. The service's model knows them.
"""

from collections.abc import Iterator
from typing import NamedTuple

from local import CannotRun
from local.platform.drivers import DRIVERS, RECORDED_ONLY, Driver, RecordedOnly
from local.platform.drivers.model import ResourceValues
from local.platform.drivers.service_shapes import ShapeMismatch, build_parameters, find_violations, input_shape
from local.preview.property_values import UNKNOWN, shown
from local.preview.resource_graph import Graph, Resource

FORGOTTEN = "has no place in its driver"


class Refusal(NamedTuple):
    """One value that AWS would refuse."""

    urn: str
    property: str
    value: str
    rule: str

    def __str__(self) -> str:
        name = self.urn.rpartition("::")[2]
        return f"{name}: {self.property} {f'= {self.value} ' if self.value else ''}{self.rule}"


class NoDriver(CannotRun):
    """Types that nothing is known of."""

    def __init__(self, types: set[str]) -> None:
        super().__init__(
            f"no driver for {', '.join(sorted(types))}: add one in local/platform/drivers/, in the file of its service"
        )


def refusals(graph: Graph) -> list[Refusal]:
    """Every value in the graph that AWS would refuse."""
    known = DRIVERS.keys() | RECORDED_ONLY.keys()
    if missing := {one.type for one in graph.customs()} - known:
        raise NoDriver(missing)
    return [refusal for resource in graph.customs() for refusal in _refused(resource)]


def _refused(resource: Resource) -> Iterator[Refusal]:
    driver = DRIVERS.get(resource.type) or RECORDED_ONLY[resource.type]
    if isinstance(driver, Driver) and (forgotten := driver.unhandled_inputs(resource.inputs)):
        yield Refusal(resource.urn, ", ".join(forgotten), "", FORGOTTEN)
    yield from _of_calls(driver, resource)


def _of_calls(driver: Driver | RecordedOnly, resource: Resource) -> Iterator[Refusal]:
    known = ResourceValues(resource.inputs)
    for call in driver.create:
        if call.when and known[call.when] in (None, UNKNOWN):
            continue
        try:
            given = build_parameters(driver, call, known)
        except ShapeMismatch as error:
            yield Refusal(resource.urn, call.operation, "", str(error))
            continue
        for breach in find_violations(given, input_shape(driver, call), call.operation):
            value = "" if breach.value is None else repr(shown(breach.value))
            yield Refusal(resource.urn, breach.path, value if len(value) <= 80 else f"{value[:77]}…", breach.rule)
